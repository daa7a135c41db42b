"""HTTP operations on teams."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from elsehu.db import UnitOfWork
from elsehu.desk.people import teams
from elsehu.desk.people.schemas import TeamIn, TeamOut, TeamPage, TeamPatch, TeamQuery
from elsehu.http.operations import SUPERVISORS, Call, Operation
from elsehu.http.schemas import ApiModel, NoQuery
from elsehu.identity import audit

TAG = "teams"
ALL = "/api/teams"
ONE = ALL + "/{id}"
View = dict[str, Any]
COLUMNS = {"service_instance_ids": "instance_ids"}


async def list_teams(call: Call[None, TeamQuery]) -> View:
    """By name; active ones only, unless `includeInactive` is true."""
    return await teams.team_page(call.kernel, call.query)


async def show_team(call: Call[None, NoQuery]) -> View:
    """Also an inactive one."""
    return teams.team_view(await teams.get(call.kernel.db, call.path_id()))


async def create_team(call: Call[TeamIn, NoQuery]) -> View:
    """409 `name_taken` if there is one of that name."""
    async with call.transaction() as uow:
        row = await teams.create(uow, call.kernel, call.body)
        await _audit(uow, call, "team_created", row["id"], call.body.model_dump(mode="json", by_alias=True))
    return teams.team_view(row)


async def change_team(call: Call[TeamPatch, NoQuery]) -> View:
    """What is left out stays. 409 `team_busy` if it is to be inactive and conversations wait for it."""
    team_id = call.path_id()
    async with call.transaction() as uow:
        row = await teams.change(uow, call.kernel, team_id, changes_of(call.body))
        shown = call.body.model_dump(mode="json", by_alias=True, exclude_unset=True)
        await _audit(uow, call, "team_changed", team_id, shown)
    return teams.team_view(row)


async def delete_team(call: Call[None, NoQuery]) -> None:
    """One with which conversations were is only deactivated. 409 `team_busy` while some wait for it."""
    team_id = call.path_id()
    async with call.transaction() as uow:
        is_gone = await teams.remove(uow, call.kernel, team_id)
        await _audit(uow, call, "team_deleted" if is_gone else "team_deactivated", team_id, {})


def changes_of(body: ApiModel) -> dict[str, Any]:
    """Return what a PATCH gives, by the names of columns; hours as JSON."""
    given = {COLUMNS.get(name, name): getattr(body, name) for name in body.model_fields_set}
    if isinstance(given.get("hours"), ApiModel):
        given["hours"] = given["hours"].model_dump(mode="json", by_alias=True)
    return given


async def _audit(uow: UnitOfWork, call: Call[Any, Any], action: str, subject: UUID, details: dict[str, Any]) -> None:
    await audit.record(uow, call.caller, action, f"team:{subject}", details, **audit.origin(call.request))


OPERATIONS: Sequence[Operation] = (
    Operation("GET", ALL, list_teams, "List teams", TAG, query=TeamQuery, answer=TeamPage),
    Operation("GET", ONE, show_team, "Show a team", TAG, answer=TeamOut, refusals=(404,)),
    Operation(
        "POST", ALL, create_team, "Add a team", TAG, SUPERVISORS,
        body=TeamIn, answer=TeamOut, status=201, refusals=(409,),
    ),
    Operation(
        "PATCH", ONE, change_team, "Change a team", TAG, SUPERVISORS,
        body=TeamPatch, answer=TeamOut, refusals=(404, 409),
    ),
    Operation("DELETE", ONE, delete_team, "Delete a team", TAG, SUPERVISORS, refusals=(404, 409)),
)  # fmt: skip
