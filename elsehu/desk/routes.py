"""Every HTTP operation of the desk."""

from collections.abc import Sequence

from elsehu.desk.conversation_routes import OPERATIONS as CONVERSATIONS
from elsehu.desk.people.operator_routes import OPERATIONS as OPERATORS
from elsehu.desk.people.team_routes import OPERATIONS as TEAMS
from elsehu.desk.queue.routes import OPERATIONS as QUEUE
from elsehu.desk.replies.routes import OPERATIONS as REPLIES
from elsehu.desk.stale.routes import OPERATIONS as STALE
from elsehu.desk.tabulation_routes import OPERATIONS as TABULATIONS
from elsehu.http.operations import Operation

OPERATIONS: Sequence[Operation] = (*CONVERSATIONS, *STALE, *QUEUE, *TABULATIONS, *TEAMS, *OPERATORS, *REPLIES)
