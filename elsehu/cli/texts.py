"""What the command line says, marked by `_` so that gettext can say it in another language.

A translation is `elsehu/locale/<language>/LC_MESSAGES/elsehu.mo`; LANGUAGE or LANG chooses it.
"""

import gettext
from pathlib import Path

_ = gettext.translation("elsehu", Path(__file__).parents[1] / "locale", fallback=True).gettext
