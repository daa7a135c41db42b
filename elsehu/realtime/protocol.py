"""The protocol after authentication: one frame at a time is read, done, and acknowledged or refused."""

import asyncio
from typing import Any

import orjson
import structlog
from pydantic import ValidationError
from starlette.websockets import WebSocket

from elsehu.contracts.errors import DomainError, Malformed, ProviderError, Unauthenticated
from elsehu.db import CONNECTION_LOST
from elsehu.http.operations import invalid
from elsehu.realtime import frames
from elsehu.realtime.registry import ClientEvent
from elsehu.realtime.session import UNAUTHENTICATED, Session

log = structlog.get_logger("elsehu.realtime")

TOO_LARGE = 1009
TOO_MANY = 4429
BURST_SECONDS = 4.0
PATIENCE_SECONDS = 20.0


class Pace:
    """How fast a client may send: `rate` a second, in bursts of BURST_SECONDS' worth."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._level = 0.0
        self._at = asyncio.get_running_loop().time()

    def is_over(self) -> bool:
        """Count an event; returns whether it was one too many."""
        now = asyncio.get_running_loop().time()
        self._level = max(0.0, self._level - (now - self._at) * self._rate) + 1
        self._at = now
        return self._level > self._rate * BURST_SECONDS

    def is_hopeless(self) -> bool:
        """Whether the client goes on and on although it is refused."""
        return self._level > self._rate * PATIENCE_SECONDS


async def converse(websocket: WebSocket, session: Session) -> None:
    """Read and do what the client sends, in order, until it goes or the socket is closed."""
    settings = session.hub.kernel.settings.realtime
    pace = Pace(settings.client_events_per_second)
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect" or session.outgoing.closing:
            return
        raw = message.get("text")
        if pace.is_over():
            refuse_pace(session, pace)
        elif raw is None:
            session.put(frames.error(None, "binary_frame", "Send JSON in text frames; binary frames are not read."))
        elif len(raw.encode()) > settings.max_frame_bytes:
            session.close(TOO_LARGE, "frame_too_large")
        else:
            await do(session, raw)


def refuse_pace(session: Session, pace: Pace) -> None:
    """Refuse an event that came too fast, or close the socket of a client that does not slow down."""
    if pace.is_hopeless():
        session.close(TOO_MANY, "rate_limited")
    else:
        session.put(frames.error(None, "rate_limited", "Too many events; slow down and send it again."))


async def do(session: Session, raw: str) -> None:
    """Do one client event and answer it. Nothing that a client can send raises here."""
    request_id: Any = None
    try:
        frame = parse(raw)
        request_id = frame.get("id")
        if frame["event"] == "ping":
            session.put(frames.dump({"event": "pong", "id": request_id, "data": {}}))
        else:
            session.put(frames.ack(request_id, await handle(session, frame)))
    except DomainError as refused:
        session.put(frames.refusal(request_id, refused))
        if isinstance(refused, Unauthenticated):
            session.close(UNAUTHENTICATED, refused.code)
    except ProviderError as failed:
        session.put(frames.error(request_id, failed.code, failed.detail))
    except CONNECTION_LOST:
        detail = "A service that Elsehu depends on is away. Nothing was done; try again shortly."
        session.put(frames.error(request_id, "dependency_down", detail))
    except Exception:
        log.exception("client_event_broke")
        session.put(frames.error(request_id, "internal_error", "Something went wrong on our side. Tell an admin."))


def parse(raw: str) -> dict[str, Any]:
    """Return a frame as a dict with a text as `event`. Raises Malformed."""
    try:
        frame = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Malformed("malformed_json", "The frame is not valid JSON.") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("event"), str):
        raise Malformed("malformed_frame", 'Send {"id": …, "event": "<name>", "data": {…}}.')
    return frame


async def handle(session: Session, frame: dict[str, Any]) -> Any:
    """Return what the frame's handler answers. Raises DomainError."""
    known = session.hub.client_events.get(frame["event"])
    if known is None:
        raise Malformed("unknown_event", f"There is no event {frame['event'][:60]!r}; see docs/realtime.md.")
    data = validated(known, frame.get("data"))
    return await known.handler(session.hub.kernel, session.caller, session, data)


def validated(known: ClientEvent, data: Any) -> Any:
    """Return a frame's data as its schema reads it. Raises Invalid."""
    try:
        return known.schema.model_validate({} if data is None else data)
    except ValidationError as error:
        raise invalid(error) from None
