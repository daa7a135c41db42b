"""Tolerant readers: the same property comes as number or text, is left out or empty, and is sometimes absurd.

Meta Cloud API reference, sections 1 and 13. But for `listed` none of these raises; what cannot be read is None.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from elsehu.plugin import from_epoch

Json = Mapping[str, Any]
EMPTY: Json = {}
MOST_DIGITS = 20
LONGEST_ID = 256
SHA256_BYTES = 32
EARLIEST, LATEST = 1_000_000_000, 4_102_444_800
"""2001 and 2100: a time outside of this is a mistake."""


class Unreadable(ValueError):
    """A part of a webhook that should have been understood lacks what it cannot do without."""


def mapping(value: Any) -> Json:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if type(value) is dict else EMPTY


def listed(data: Json, name: str) -> Sequence[Any]:
    """Return the list in `data[name]`, empty where it is missing; what should be a list and is none is one thing."""
    value = data.get(name)
    if type(value) is list:
        return value
    return () if value is None else (value,)


def text(value: Any) -> str | None:
    """Return `value` if it is a text with something in it."""
    return value if type(value) is str and value else None


def id_of(value: Any) -> str | None:
    """Return an id: opaque text, or a number in older bodies."""
    if type(value) is str:
        return value if 0 < len(value) <= LONGEST_ID else None
    return str(value) if type(value) is int else None


def whole(value: Any) -> int | None:
    """Return a whole number written as number or digits."""
    kind = type(value)
    if kind is str:
        return int(value) if 0 < len(value) <= MOST_DIGITS and value.isascii() and value.isdigit() else None
    if kind is int:
        return int(value)
    if kind is float:
        return int(value) if abs(value) < 2**63 else None
    return None


def decimal(value: Any) -> float | None:
    """Return a coordinate, written as number or text."""
    if type(value) is str and len(value) <= MOST_DIGITS * 2:
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if type(value) in (int, float) and abs(value) < 2**63 else None


def moment(value: Any) -> datetime | None:
    """Return the time of epoch seconds, or of milliseconds and less, written as text or number."""
    seconds: float | None = whole(value)
    if seconds is None:
        return None
    while seconds >= 10**11:
        seconds /= 1000
    return from_epoch(seconds) if EARLIEST <= seconds <= LATEST else None


def sha256_of(value: Any) -> str | None:
    """Return the hex of a SHA-256 that is written in base64 or hex."""
    if type(value) is not str or len(value) > 2 * SHA256_BYTES:
        return None
    try:
        digest = bytes.fromhex(value) if len(value) == 2 * SHA256_BYTES else base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == SHA256_BYTES else None
