"""Every HTTP operation of messaging."""

from collections.abc import Sequence

from elsehu.http.operations import Operation
from elsehu.messaging.contacts.importing.routes import OPERATIONS as IMPORTS
from elsehu.messaging.contacts.routes import OPERATIONS as CONTACTS
from elsehu.messaging.conversations.routes import OPERATIONS as CONVERSATIONS
from elsehu.messaging.messages.routes import OPERATIONS as MESSAGES
from elsehu.messaging.templates.routes import OPERATIONS as TEMPLATES

OPERATIONS: Sequence[Operation] = (*CONTACTS, *IMPORTS, *CONVERSATIONS, *MESSAGES, *TEMPLATES)
