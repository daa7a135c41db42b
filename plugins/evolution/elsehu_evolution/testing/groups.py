"""``/group/…``: the metadata of groups that tests made up."""

from .backend import Answer, Call, Routes
from .errors import bad_request, refusal
from .world import Json


async def info(call: Call) -> Answer:
    """Return one group."""
    return 200, _group(call)


async def participants(call: Call) -> Answer:
    """Return the people of one group."""
    return 200, {"participants": _group(call)["participants"]}


async def all_groups(call: Call) -> Answer:
    """Return all groups, with or without their people."""
    wanted = call.query.get("getParticipants")
    if wanted is None:
        raise bad_request("The getParticipants needs to be informed in the query")
    groups = call.backend.world.groups.values()
    if wanted == "true":
        return 200, list(groups)
    return 200, [{name: value for name, value in group.items() if name != "participants"} for group in groups]


def _group(call: Call) -> Json:
    jid = call.query.get("groupJid", "")
    if jid not in call.backend.world.groups:
        raise refusal(404, ["Error fetching group", "item-not-found"])
    return call.backend.world.groups[jid]


ROUTES: Routes = {
    ("GET", "group/findGroupInfos"): info,
    ("GET", "group/participants"): participants,
    ("GET", "group/fetchAllGroups"): all_groups,
}
