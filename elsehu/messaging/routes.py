"""Every HTTP operation of messaging."""

from collections.abc import Sequence

from elsehu.http.operations import Operation
from elsehu.messaging.contact_routes import OPERATIONS as CONTACTS
from elsehu.messaging.conversation_routes import OPERATIONS as CONVERSATIONS
from elsehu.messaging.message_routes import OPERATIONS as MESSAGES

OPERATIONS: Sequence[Operation] = (*CONTACTS, *CONVERSATIONS, *MESSAGES)
