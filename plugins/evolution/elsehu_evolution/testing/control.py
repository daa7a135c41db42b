"""The remote control of a stand-in: ``POST /_test/{action}`` with the arguments as a JSON object.

Actions are the functions of ``network`` and ``connections``, under their own names. Those that take an
instance take its name; where there is only one it can be left out.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from . import connections, network
from .backend import Backend
from .flavours import dumps_stored
from .world import Instance, Json

Action = Callable[..., Any]

OF_AN_INSTANCE: dict[str, Action] = {
    action.__name__: action
    for action in (
        network.write,
        network.redeliver,
        network.edit,
        network.delete,
        network.receipt,
        network.presence,
        network.call,
        network.emit,
        network.lose_media,
        network.stored,
        connections.scan,
        connections.rotate_code,
        connections.exhaust_codes,
        connections.unlink,
        connections.end,
        connections.drop,
        connections.reconnect,
        connections.storm,
        connections.state,
    )
}
OF_THE_SERVER: dict[str, Action] = {
    action.__name__: action
    for action in (
        connections.add_instance,
        connections.add_group,
        connections.set_absent,
        connections.set_reachable,
        connections.phone,
        connections.requests,
        connections.webhooks,
        connections.pending,
        connections.forget,
        connections.add_fault,
        connections.clear_faults,
        connections.fault_hits,
        connections.outage,
    )
}


def perform(backend: Backend, action: str, arguments: Json) -> Any:
    """Do one action; raise LookupError for unknown actions, instances and messages, ValueError for nonsense."""
    if action in OF_THE_SERVER:
        return OF_THE_SERVER[action](backend, **arguments)
    instance = _instance(backend, arguments.get("instance"))
    rest = {name: value for name, value in arguments.items() if name != "instance"}
    return OF_AN_INSTANCE[action](backend, instance, **rest)


def endpoint(backend: Backend) -> Callable[[Request], Awaitable[Response]]:
    """Make the route of the remote control."""

    async def control(request: Request) -> Response:
        arguments = orjson.loads(await request.body() or b"{}")
        try:
            result = perform(backend, request.path_params["action"], arguments)
        except (LookupError, TypeError, ValueError) as error:
            return Response(f"{type(error).__name__}: {error}", 400)
        return Response(dumps_stored(result), media_type="application/json")

    return control


def _instance(backend: Backend, name: str | None) -> Instance:
    instances = backend.world.instances
    if name is not None:
        return instances[name]
    if len(instances) != 1:
        raise LookupError(f"name one of the instances: {', '.join(instances) or 'there is none'}")
    return next(iter(instances.values()))
