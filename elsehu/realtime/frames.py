"""Frames that go out, as JSON text."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from elsehu.clock import isoformat
from elsehu.contracts.errors import DomainError
from elsehu.events import Event


def dump(frame: Mapping[str, Any]) -> str:
    """Return `frame` as JSON text."""
    return orjson.dumps(frame).decode()


def ack(request_id: Any, data: Mapping[str, Any] | None = None) -> str:
    """Answer a client's event that was done."""
    return dump({"event": "ack", "id": request_id, "data": data or {}})


def error(request_id: Any, code: str, detail: str, **more: Any) -> str:
    """Answer a client's event that was refused."""
    return dump({"event": "error", "id": request_id, "error": {"code": code, "detail": detail, **more}})


def refusal(request_id: Any, refused: DomainError) -> str:
    """Answer a client's event with a DomainError."""
    more = dict(refused.extra)
    if refused.errors:
        more["errors"] = [{"field": one.field, "message": one.message} for one in refused.errors]
    return error(request_id, refused.code, refused.detail, **more)


def notice(name: str, at: datetime, data: Mapping[str, Any], **more: Any) -> str:
    """Tell something that is not in the outbox: it has no event id and cannot be replayed."""
    return dump({"event": name, "data": data, "at": isoformat(at), **more})


class EventFrame:
    """An event of the outbox, serialised once for all who get it; only the cursor behind it differs."""

    __slots__ = ("_head", "_texts")

    def __init__(self, event: Event, data: Mapping[str, Any]) -> None:
        frame = {"event": event.type, "data": data, "eventId": str(event.seq), "at": isoformat(event.at)}
        self._head = dump(frame)[:-1]
        self._texts: dict[str, str] = {}

    def text(self, cursor: str) -> str:
        """Return the frame with `cursor`."""
        text = self._texts.get(cursor)
        if text is None:
            text = self._texts[cursor] = f'{self._head},"cursor":"{cursor}"}}'
        return text
