"""HTTP operations on users as operators at the desk."""

from collections.abc import Sequence
from typing import Any

from elsehu.desk.people import operators
from elsehu.desk.people.schemas import OperatorOut, OperatorPage, OperatorPatch
from elsehu.desk.people.team_routes import changes_of
from elsehu.http.operations import SUPERVISORS, Call, Operation
from elsehu.http.schemas import NoQuery, PageQuery
from elsehu.identity import audit

TAG = "operators"
ALL = "/api/operators"
ONE = ALL + "/{id}"
View = dict[str, Any]


async def list_operators(call: Call[None, PageQuery]) -> View:
    """Active users of every role: who is there, how much they have, and what they may get."""
    return await operators.operator_page(call.kernel, call.query)


async def show_operator(call: Call[None, NoQuery]) -> View:
    """One active user."""
    return await operators.operator_view(call.kernel, call.path_id())


async def change_operator(call: Call[OperatorPatch, NoQuery]) -> View:
    """What is left out stays; null is the installation's default again. What he may see changes at once."""
    user_id = call.path_id()
    async with call.transaction() as uow:
        await operators.change(uow, call.kernel, user_id, changes_of(call.body))
        shown = call.body.model_dump(mode="json", by_alias=True, exclude_unset=True)
        origin = audit.origin(call.request)
        await audit.record(uow, call.caller, "operator_changed", f"user:{user_id}", shown, **origin)
    return await operators.operator_view(call.kernel, user_id)


OPERATIONS: Sequence[Operation] = (
    Operation("GET", ALL, list_operators, "List operators", TAG, SUPERVISORS, query=PageQuery, answer=OperatorPage),
    Operation("GET", ONE, show_operator, "Show an operator", TAG, SUPERVISORS, answer=OperatorOut, refusals=(404,)),
    Operation(
        "PATCH", ONE, change_operator, "Say what an operator may get", TAG, SUPERVISORS,
        body=OperatorPatch, answer=OperatorOut, refusals=(404,),
    ),
)  # fmt: skip
