"""Cursors: a position in the outbox as the opaque text that clients keep."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from elsehu.clock import from_epoch
from elsehu.contracts.errors import Invalid
from elsehu.events.positions import Position
from elsehu.http.pages import decode_cursor, encode_cursor

LARGEST_XID = 2**63


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a client stands: a position, when it was given (aware), in which database (`database_life`)."""

    position: Position
    at: datetime
    life: str

    def encode(self) -> str:
        """Return the text for clients. Open transactions are kept as their distance from the end: short."""
        xmax = self.position.xmax
        gaps = [xmax - xid for xid in self.position.open]
        return encode_cursor([self.life, int(self.at.timestamp() * 1000), xmax, gaps])


def read_cursor(text: str) -> Cursor:
    """Return what `encode` wrote. Raises Invalid with the code `invalid_cursor`."""
    life, at, xmax, gaps = decode_cursor(text, (_text, _time, _number, _numbers))
    open_xids = tuple(xmax - gap for gap in gaps)
    if list(open_xids) != sorted(set(open_xids)) or any(not 0 <= xid < xmax for xid in open_xids):
        raise Invalid("invalid_cursor", "The cursor cannot be read. Connect without it and load the state anew.")
    return Cursor(Position(xmax, open_xids), at, life)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < LARGEST_XID:
        raise ValueError("not a number of this size")
    return value


def _numbers(value: Any) -> list[int]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return [_number(one) for one in value]


def _time(value: Any) -> datetime:
    return from_epoch(float(max(_number(value), 10**12)))
