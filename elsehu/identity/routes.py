"""The operations of this slice."""

from collections.abc import Sequence

from elsehu.http.operations import Operation
from elsehu.identity import api_key_routes, audit_routes, auth_routes, user_routes

OPERATIONS: Sequence[Operation] = (
    *auth_routes.OPERATIONS,
    *user_routes.OPERATIONS,
    *api_key_routes.OPERATIONS,
    *audit_routes.OPERATIONS,
)
