"""Reading JSON from outside, also where senders write what strict readers and databases refuse."""

import json
from typing import Any

import orjson

DEEPEST = 60
"""How deep mended JSON is nested at most; what is deeper becomes null."""
NUL = b"\\u0000"


def parse_json(body: bytes) -> Any:
    """Return the JSON in `body`, or None where there is none. Never raises.

    A text cut inside an emoji leaves half of a surrogate pair, which JavaScript sends and strict readers
    refuse; NUL is legal in JSON and nowhere in PostgreSQL. Both are replaced rather than losing a message.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _leniently(body)
    return mend(value) if NUL in body else value


def _leniently(body: bytes) -> Any:
    try:
        return mend(json.loads(body.decode("utf-8-sig", "replace")))
    except (ValueError, RecursionError):
        return None


def mend(value: Any, depth: int = 0) -> Any:
    """Return JSON that any reader and PostgreSQL take."""
    mended = value
    match value:
        case dict() | list() if depth > DEEPEST:
            mended = None
        case dict():
            mended = {_mend_text(name): mend(one, depth + 1) for name, one in value.items()}
        case list():
            mended = [mend(one, depth + 1) for one in value]
        case str():
            mended = _mend_text(value)
        case int() | float() if not -(2**63) <= value < 2**63:
            mended = None
    return mended


def _mend_text(value: str) -> str:
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", "")
