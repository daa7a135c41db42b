"""Every HTTP operation of the desk."""

from collections.abc import Sequence

from elsehu.desk.conversation_routes import OPERATIONS as CONVERSATIONS
from elsehu.desk.tabulation_routes import OPERATIONS as TABULATIONS
from elsehu.http.operations import Operation

OPERATIONS: Sequence[Operation] = (*CONVERSATIONS, *TABULATIONS)
