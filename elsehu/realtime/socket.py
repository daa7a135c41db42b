"""The endpoint `/ws`: who is it, then the conversation, then an orderly end whatever the client does."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.websockets import WebSocket

from elsehu.contracts.errors import DomainError, Malformed, TooMany, Unauthenticated
from elsehu.db import CONNECTION_LOST
from elsehu.http.operations import Authenticator, kernel_of
from elsehu.kernel import Kernel
from elsehu.realtime import frames, protocol
from elsehu.realtime.builtin import BUILT_IN, who
from elsehu.realtime.hub import Hub
from elsehu.realtime.outgoing import Outgoing
from elsehu.realtime.registry import by_name
from elsehu.realtime.session import TRY_AGAIN_LATER, UNAUTHENTICATED, Session

SUBPROTOCOL = "elsehu.jwt"
READY_SECONDS = 5.0


async def socket_endpoint(websocket: WebSocket) -> None:
    """Serve one socket."""
    kernel = kernel_of(websocket)
    offered: Sequence[str] = websocket.scope.get("subprotocols", ())
    await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    outgoing = Outgoing(websocket, kernel.settings.realtime)
    try:
        session = await admitted(websocket, kernel, outgoing)
        if session:
            await serve(websocket, session)
        if outgoing.closing:
            await asyncio.wait((outgoing.writer,))
    finally:
        outgoing.end()


async def serve(websocket: WebSocket, session: Session) -> None:
    """Read and write until one of both has ended; then the hub forgets the socket."""
    reader = asyncio.create_task(protocol.converse(websocket, session))
    try:
        await asyncio.wait((reader, session.outgoing.writer), return_when=asyncio.FIRST_COMPLETED)
    finally:
        session.hub.dismiss(session)
        session.stop_timers()
        for task in (reader, session.replay):
            if task:
                task.cancel()


async def admitted(websocket: WebSocket, kernel: Kernel, outgoing: Outgoing) -> Session | None:
    """Return the session of whoever proves who they are; otherwise say why not, and close."""
    request_id: Any = None
    try:
        request_id, token = await first_token(websocket, kernel)
        return await open_session(kernel, token, outgoing, request_id)
    except Unauthenticated as refused:
        outgoing.put(frames.refusal(request_id, refused))
        outgoing.close(UNAUTHENTICATED, refused.code)
    except TooMany as refused:
        outgoing.put(frames.refusal(request_id, refused))
        outgoing.close(protocol.TOO_MANY, refused.code)
    except CONNECTION_LOST:
        outgoing.close(TRY_AGAIN_LATER, "dependency_down")
    return None


async def open_session(kernel: Kernel, token: str, outgoing: Outgoing, request_id: Any) -> Session:
    """Let the owner of `token` in, and tell the cursor from which everything will come. Raises what refuses them."""
    authenticator = kernel.part(Authenticator)  # type: ignore[type-abstract]
    caller = await authenticator.authenticate(token)
    hub = kernel.part(Hub)
    async with asyncio.timeout(READY_SECONDS):
        await hub.ready()
    session = Session(hub, caller, token, outgoing)
    hub.admit(session)
    session.authenticated(caller, token, kernel.now())
    session.put(frames.ack(request_id, {**who(caller), "cursor": hub.cursor}))
    return session


async def first_token(websocket: WebSocket, kernel: Kernel) -> tuple[Any, str]:
    """Return the token, and the id of the frame that brought it. Raises Unauthenticated."""
    subprotocols: Sequence[str] = websocket.scope.get("subprotocols", ())
    if SUBPROTOCOL in subprotocols:
        return None, next(iter(subprotocols[subprotocols.index(SUBPROTOCOL) + 1 :]), "")
    if kernel.settings.realtime.token_in_query and "token" in websocket.query_params:
        return None, websocket.query_params["token"]
    try:
        async with asyncio.timeout(kernel.settings.realtime.auth_timeout):
            message = await websocket.receive()
    except TimeoutError:
        raise Unauthenticated("auth_timeout", "No token came in time. Send `auth` first.") from None
    return token_in(message.get("text") or "")


def token_in(raw: str) -> tuple[Any, str]:
    """Return the id and the token of an `auth` frame. Raises Unauthenticated for any other."""
    try:
        frame = protocol.parse(raw)
        if frame["event"] != "auth":
            raise Malformed("auth_first", "Send `auth` first.")
        return frame.get("id"), protocol.validated(AUTH, frame.get("data")).token
    except DomainError as error:
        raise Unauthenticated("token_missing", f"The first frame must be `auth`. {error.detail}") from error


AUTH = by_name(BUILT_IN)["auth"]
