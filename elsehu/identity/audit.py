"""The audit log: who did what, when, from where. Written in the transaction that it tells of; never a secret."""

from typing import Any, TypedDict

import orjson
from starlette.requests import Request

from elsehu.contracts.user import Caller, Role
from elsehu.db import UnitOfWork

RECORD = """
INSERT INTO audit_log (actor_id, actor_name, action, subject, details, address, request_id)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7)
"""

NOBODY = Caller(Role.OPERATOR, None, "")
"""The actor of what is done without being logged in."""

COMMAND_LINE = Caller(Role.ADMIN, None, "command line")
"""The actor of `elsehu user …`: whoever may run it on the server."""


class Origin(TypedDict):
    """Where a request came from."""

    address: str
    request_id: str


def origin(request: Request) -> Origin:
    """Return where `request` came from: `audit.record(…, **audit.origin(call.request))`."""
    address = request.client.host if request.client else ""
    return Origin(address=address[:64], request_id=str(request.scope.get("elsehu.request_id", ""))[:80])


async def record(
    uow: UnitOfWork,
    caller: Caller,
    action: str,
    subject: str,
    details: dict[str, Any] | None = None,
    *,
    address: str = "",
    request_id: str = "",
) -> None:
    """Add to the log that `caller` did `action` (`user_created`) to `subject` (`user:<id>`).

    `details` must be JSON-ready and without secrets. An API key acts under its id and name.
    """
    actor_id = caller.user_id or caller.api_key_id
    shown = orjson.dumps(details or {}, default=str).decode()
    await uow.execute(RECORD, actor_id, caller.name, action, subject, shown, address, request_id)
