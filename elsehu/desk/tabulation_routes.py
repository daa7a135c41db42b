"""HTTP operations on tabulations."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from elsehu.db import UnitOfWork
from elsehu.desk import tabulations
from elsehu.desk.schemas import TabulationIn, TabulationOut, TabulationPage, TabulationPatch, TabulationQuery
from elsehu.http.operations import SUPERVISORS, Call, Operation
from elsehu.http.schemas import NoQuery
from elsehu.identity import audit

TAG = "tabulations"
ALL = "/api/tabulations"
ONE = ALL + "/{id}"
View = dict[str, Any]


async def list_tabulations(call: Call[None, TabulationQuery]) -> View:
    """By position and name; active ones only, unless `includeInactive` is true."""
    return await tabulations.tabulation_page(call.kernel, call.query)


async def create_tabulation(call: Call[TabulationIn, NoQuery]) -> View:
    """409 `name_taken` if its group has one of that name."""
    async with call.transaction() as uow:
        row = await tabulations.create(uow, call.body)
        await _audit(uow, call, "tabulation_created", row["id"], call.body.model_dump(mode="json"))
    return tabulations.tabulation_view(row)


async def change_tabulation(call: Call[TabulationPatch, NoQuery]) -> View:
    """What is left out stays. Conversations that were closed with it keep its old name."""
    tabulation_id = call.path_id()
    changes = call.body.model_dump(include=call.body.model_fields_set)
    if "service_instance_ids" in changes:
        changes["instance_ids"] = changes.pop("service_instance_ids")
    async with call.transaction() as uow:
        row = await tabulations.change(uow, tabulation_id, changes)
        shown = call.body.model_dump(mode="json", exclude_unset=True)
        await _audit(uow, call, "tabulation_changed", tabulation_id, shown)
    return tabulations.tabulation_view(row)


async def delete_tabulation(call: Call[None, NoQuery]) -> None:
    """One with which conversations are closed is only deactivated."""
    tabulation_id = call.path_id()
    async with call.transaction() as uow:
        is_gone = await tabulations.remove(uow, tabulation_id)
        action = "tabulation_deleted" if is_gone else "tabulation_deactivated"
        await _audit(uow, call, action, tabulation_id, {})


async def _audit(uow: UnitOfWork, call: Call[Any, Any], action: str, subject: UUID, details: dict[str, Any]) -> None:
    await audit.record(uow, call.caller, action, f"tabulation:{subject}", details, **audit.origin(call.request))


OPERATIONS: Sequence[Operation] = (
    Operation("GET", ALL, list_tabulations, "List tabulations", TAG, query=TabulationQuery, answer=TabulationPage),
    Operation(
        "POST", ALL, create_tabulation, "Add a tabulation", TAG, SUPERVISORS,
        body=TabulationIn, answer=TabulationOut, status=201, refusals=(409,),
    ),
    Operation(
        "PATCH", ONE, change_tabulation, "Change a tabulation", TAG, SUPERVISORS,
        body=TabulationPatch, answer=TabulationOut, refusals=(404, 409),
    ),
    Operation("DELETE", ONE, delete_tabulation, "Delete a tabulation", TAG, SUPERVISORS, refusals=(404,)),
)  # fmt: skip
