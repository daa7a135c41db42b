"""The three encodings in which the same field appears (reference, section 9).

Inside the stand-in bytes are ``bytes`` and 64-bit numbers are ``Long``; the flavour is chosen when JSON is
written. The third one, protobuf JSON, occurs in so few bodies that those spell it out themselves.
"""

import base64
from typing import Any

import orjson


class Long(int):
    """A 64-bit number of the protobuf schema; ``unsigned`` as the schema says."""

    unsigned: bool

    def __new__(cls, value: int, *, unsigned: bool = False) -> "Long":
        """Make one of ``value``."""
        made = super().__new__(cls, value)
        made.unsigned = unsigned
        return made


def dumps(value: Any) -> bytes:
    """Write webhooks and answers of sends: bytes as objects keyed by index."""
    return orjson.dumps(value, default=_indexed, option=orjson.OPT_PASSTHROUGH_SUBCLASS)


def dumps_stored(value: Any) -> bytes:
    """Write rows of ``findMessages``: bytes as base64 text."""
    return orjson.dumps(value, default=_stored, option=orjson.OPT_PASSTHROUGH_SUBCLASS)


def _indexed(value: object) -> Any:
    if isinstance(value, bytes):
        return {str(index): byte for index, byte in enumerate(value)}
    return _long(value)


def _stored(value: object) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else _long(value)


def _long(value: object) -> dict[str, Any]:
    if not isinstance(value, Long):
        raise TypeError(f"{type(value).__name__} has no place in a body")
    number = int(value)
    return {"low": _signed32(number), "high": number >> 32, "unsigned": value.unsigned}


def _signed32(number: int) -> int:
    low = number & 0xFFFFFFFF
    return low - (1 << 32) if low >= 1 << 31 else low
