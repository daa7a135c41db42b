"""The conversation list, newest activity first.

What may be shown is a union of ranges, one for each status and owner (or number, or team), and each range is read
from an index in the order of the list (conversations_status, conversations_owner, conversations_instance, …): a page
costs as much at a million conversations as at a thousand. Statuses are written out, not arguments, so that every plan
knows which partial index fits.
"""

from collections.abc import Sequence
from uuid import UUID

from elsehu.contracts.errors import FieldError, Invalid
from elsehu.contracts.user import Caller
from elsehu.http.pages import aware_time, decode_cursor, page_of
from elsehu.kernel import Kernel
from elsehu.messaging.conversations.filters import Filters
from elsehu.messaging.conversations.views import COLUMNS, conversation_view
from elsehu.messaging.schemas import ConversationQuery
from elsehu.settings import Settings

STATUS = {
    "queued": "v.status = 'queued'",
    "assigned": "v.status = 'assigned'",
    "closed": "v.status = 'closed' AND v.merged_into IS NULL",
    "dormant": "v.status = 'dormant'",
}
UNASKED = frozenset({"queued", "assigned", "closed"})
"""What is listed where no status is asked for: dormant ones are nobody's work."""

ORDER = " ORDER BY v.last_activity_at DESC, v.id DESC LIMIT "
KEYS = "SELECT v.id, v.last_activity_at FROM conversations v"
WITH_CONTACT = KEYS + " JOIN contacts c ON c.id = v.contact_id"
FOUND_CONTACTS = "SELECT c.id FROM contacts c WHERE c.merged_into IS NULL AND "
MOST_FOUND = 2000
"""Up to so many contacts a search is answered by their conversations; beyond, it is common enough to be met
soon in the order of the list."""


async def conversation_page(kernel: Kernel, caller: Caller, query: ConversationQuery) -> dict[str, object]:
    """Return a page of the conversations that `caller` may see. Raises Invalid for what it cannot read."""
    filters = _filters(query)
    ranges = _ranges(caller, query, filters, kernel.settings)
    keys = KEYS
    if query.search:
        keys = await _search(kernel, query.search, filters)
    limit = f"{query.limit + 1:d}"  # written out too: a plan for any limit would be one for large ones
    union = " UNION ALL ".join(f"({keys} WHERE {one} AND {filters.where()}{ORDER}{limit})" for one in ranges)
    sql = f"{COLUMNS} JOIN (SELECT v.id FROM ({union}) v{ORDER}{limit}) page ON page.id = v.id{ORDER}{limit}"  # noqa: S608
    rows = await kernel.db.fetch(sql, *filters.arguments) if ranges else []
    return page_of(rows, query.limit, lambda row: (row["last_activity_at"].isoformat(), row["id"]), conversation_view)


def _filters(query: ConversationQuery) -> Filters:
    filters = Filters()
    if query.service_instance_id:
        filters.add("v.instance_id = {}", query.service_instance_id)
    if query.team_id:
        filters.add("v.team_id = {}", query.team_id)
    if query.tabulation_id:
        filters.add("v.tabulation_id = {}", query.tabulation_id)
    if query.tag:
        filters.add("v.tags <> '{{}}' AND v.tags @> ARRAY[{}::text]::varchar[]", query.tag)
    if query.from_:
        filters.add("v.last_activity_at >= {}", query.from_)
    if query.to:
        filters.add("v.last_activity_at < {}", query.to)
    if query.cursor:
        filters.add("(v.last_activity_at, v.id) < ({}, {})", *decode_cursor(query.cursor, (aware_time, UUID)))
    return filters


def _ranges(caller: Caller, query: ConversationQuery, filters: Filters, settings: Settings) -> Sequence[str]:
    """Return the conditions of each range: which statuses are wanted, and whose they may be."""
    whose = _whose(caller, query, filters)
    return [
        " AND ".join([STATUS[status], *whose, *place])
        for status in _statuses(query)
        for place in _places(caller, filters, settings, status)
    ]


def _places(caller: Caller, filters: Filters, settings: Settings, status: str) -> list[list[str]]:
    """Return the conditions that tell which conversations of a status the caller may see: as `sees` says, in ranges."""
    if caller.sees_all:
        return [[]]
    if status == "queued":
        return _served(caller, filters)
    if caller.user_id is None:
        return _served(caller, filters) if settings.desk.operators_see_all else []
    me = filters.argument(caller.user_id)
    served = _served(caller, filters) if settings.desk.operators_see_all else []
    return [[f"v.assigned_to = {me}"], *([*place, f"v.assigned_to IS DISTINCT FROM {me}"] for place in served)]


def _served(caller: Caller, filters: Filters) -> list[list[str]]:
    """Return the conditions of the queues that the caller serves."""
    scope = caller.scope
    instances = [[]] if scope.instances is None else [_equals("instance_id", one, filters) for one in scope.instances]
    teams = [_equals("team_id", one, filters) for one in scope.teams]
    return [*([*one, "v.team_id IS NULL"] for one in instances), *teams]


def _equals(column: str, value: UUID, filters: Filters) -> list[str]:
    return [f"v.{column} = {filters.argument(value)}"]


def _statuses(query: ConversationQuery) -> list[str]:
    wanted = frozenset(query.status.split(",")) if query.status else UNASKED
    if query.tabulation_id:
        wanted &= {"closed"}
    return [status for status in STATUS if status in wanted]


def _whose(caller: Caller, query: ConversationQuery, filters: Filters) -> list[str]:
    match query.assigned_to:
        case None:
            return []
        case "none":
            return ["v.assigned_to IS NULL"]
        case "me" if caller.user_id is None:
            problem = FieldError("assignedTo", "an API key is nobody; give a user's id")
            raise Invalid("invalid_request", "An API key has no conversations of its own.", errors=[problem])
        case "me":
            return [_owner(caller, filters)]
        case user_id:
            return [f"v.assigned_to = {filters.argument(UUID(user_id))}"]


def _owner(caller: Caller, filters: Filters) -> str:
    return f"v.assigned_to = {filters.argument(caller.user_id)}"


async def _search(kernel: Kernel, text: str, filters: Filters) -> str:
    """Add the search by name and phone; return what the ranges select from."""
    region = kernel.settings.messaging.default_region
    contacts = Filters()
    contacts.add_search("c.search_text", text, region)
    sql = FOUND_CONTACTS + contacts.where() + f" LIMIT {MOST_FOUND + 1}"
    found = [row["id"] for row in await kernel.db.fetch(sql, *contacts.arguments)]
    if len(found) <= MOST_FOUND:
        filters.add("v.contact_id = ANY({}::uuid[])", found)
        return KEYS
    filters.add_search("c.search_text", text, region)
    return WITH_CONTACT
