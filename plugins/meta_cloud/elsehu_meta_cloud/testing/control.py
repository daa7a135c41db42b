"""The remote control of a stand-in: ``POST /_test/{action}`` with the arguments as a JSON object.

Actions are the functions of ``network``, under their own names.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from . import network
from .backend import Backend

ACTIONS: dict[str, Callable[..., Any]] = {
    action.__name__: action
    for action in (
        network.reset,
        network.add_person,
        network.write,
        network.store_file,
        network.tell,
        network.emit,
        network.add_number,
        network.change_number,
        network.hide_fields,
        network.set_tokens,
        network.add_template,
        network.change_template,
        network.set_callback,
        network.limit,
        network.forget_files,
        network.add_fault,
        network.clear_faults,
        network.phones,
        network.requests,
        network.webhooks,
        network.state,
    )
}


def perform(backend: Backend, action: str, arguments: dict[str, Any]) -> Any:
    """Do one action. Raises LookupError for what is unknown, ValueError for nonsense."""
    return ACTIONS[action](backend, **arguments)


def endpoint(backend: Backend) -> Callable[[Request], Awaitable[Response]]:
    """Make the route of the remote control."""

    async def control(request: Request) -> Response:
        arguments = orjson.loads(await request.body() or b"{}")
        try:
            result = perform(backend, request.path_params["action"], arguments)
        except (LookupError, TypeError, ValueError, StopIteration) as error:
            return Response(f"{type(error).__name__}: {error}", 400)
        return Response(orjson.dumps(result), media_type="application/json")

    return control
