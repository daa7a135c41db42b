"""Keyset pages: `{"items": […], "nextCursor": …}` with an opaque cursor."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from elsehu.contracts.errors import FieldError, Invalid

Item = TypeVar("Item")


def encode_cursor(key: Sequence[Any]) -> str:
    """Return the opaque text of a keyset position (values that JSON can hold, times and UUIDs included)."""
    return base64.urlsafe_b64encode(orjson.dumps(list(key), default=str)).decode().rstrip("=")


def decode_cursor(cursor: str, types: Sequence[Callable[[Any], Any]]) -> list[Any]:
    """Return the position that `cursor` holds, each part read by its entry of `types`. Raises Invalid (422)."""
    try:
        values = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if not isinstance(values, list) or len(values) != len(types):
            raise ValueError("wrong number of parts")
        return [read(value) for read, value in zip(types, values, strict=True)]
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error) as error:
        problem = FieldError("cursor", "is not a cursor that this list gave; start again without it")
        raise Invalid("invalid_cursor", "The cursor cannot be read.", errors=[problem]) from error


def aware_time(text: str) -> datetime:
    """Return the time in a cursor as PostgreSQL takes it. Raises ValueError or OverflowError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at.astimezone(UTC)


def serial(value: Any) -> int:
    """Return the serial number in a cursor. Raises ValueError for what is none that PostgreSQL could have given."""
    number = int(value)
    if not 0 <= number < 2**63:
        raise ValueError("no serial number")
    return number


def page_of(
    rows: Sequence[Item], limit: int, key: Callable[[Item], Sequence[Any]], show: Callable[[Item], Any]
) -> dict[str, Any]:
    """Return the page made of `rows`, which were asked for with `limit + 1` to see if there are more."""
    shown = rows[:limit]
    more = len(rows) > limit
    return {
        "items": [show(row) for row in shown],
        "nextCursor": encode_cursor(key(shown[-1])) if more and shown else None,
    }
