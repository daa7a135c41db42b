"""Tolerant readers. The same field comes as number, text or {low, high}, as list, base64 or indexed object.

Evolution API reference, section 9. None of these raises; what cannot be read is None.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from elsehu.plugin import from_epoch

Json = Mapping[str, Any]
EMPTY: Json = {}
MOST_DIGITS = 20


class Unreadable(ValueError):
    """A part of an event that should have been understood lacks what it cannot do without."""


def mapping(value: Any) -> Json:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if type(value) is dict else EMPTY


def text(value: Any) -> str | None:
    """Return `value` if it is a text with something in it."""
    return value if type(value) is str and value else None


def whole(value: Any) -> int | None:
    """Return a whole number written as number, digits, or 64-bit {low, high}."""
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is float:
        return int(value) if abs(value) < 2**63 else None
    if kind is str:
        return int(value) if len(value) <= MOST_DIGITS and value.isascii() and value.isdigit() else None
    if kind is dict and type(value.get("low")) is int and type(value.get("high")) is int:
        return int(value["high"] * 2**32 + value["low"] % 2**32)
    return None


def decimal(value: Any) -> float | None:
    """Return a coordinate or another plain number."""
    return float(value) if type(value) in (int, float) and abs(value) < 2**63 else None


def moment(value: Any) -> datetime | None:
    """Return the time of epoch seconds, or of milliseconds if they are over 10^11."""
    seconds = whole(value)
    if seconds is None or seconds <= 0:
        return None
    try:
        return from_epoch(seconds)
    except (ValueError, OverflowError, OSError):
        return None


def wall_clock(value: Any) -> datetime | None:
    """Return the server's own clock as an envelope shows it: local time with a false Z, hours off UTC.

    It only tells which of two events of one server came first.
    """
    try:
        shown = datetime.fromisoformat(value) if type(value) is str else None
    except ValueError:
        return None
    return shown if shown is not None and shown.tzinfo is not None else None


def octets(value: Any) -> bytes | None:
    """Return bytes written as base64, a list, {"type": "Buffer", "data": […]} or {"0": …, "1": …}."""
    try:
        if type(value) is str:
            return base64.b64decode(value, validate=True)
        if type(value) is dict:
            listed = value.get("data")
            value = listed if type(listed) is list else [value[str(place)] for place in range(len(value))]
        return bytes(value) if type(value) is list else None
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def sha256_of(value: Any) -> str | None:
    """Return the hex of a SHA-256 in any flavour, hex included."""
    if type(value) is str and len(value) == 64:
        return value.lower() if all(letter in "0123456789abcdefABCDEF" for letter in value) else None
    digest = octets(value)
    return digest.hex() if digest is not None and len(digest) == 32 else None
