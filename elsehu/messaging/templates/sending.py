"""From a template and its variables to a message."""

from collections.abc import Mapping
from typing import Any

from elsehu.contracts.errors import Invalid
from elsehu.kernel import Kernel
from elsehu.messaging.outbound.drafts import Draft


async def prepare(kernel: Kernel, context: Mapping[str, Any], template: Any) -> Draft:
    """Return the draft of a template for the conversation of `context`. Raises Invalid."""
    raise Invalid("templates_unavailable", "Templates cannot be sent yet. Send a text.")
