"""HTTP ranges and validators (RFC 9110): which part of a file a request asks for."""

import re
from collections.abc import Iterable

from elsehu.contracts.storage import ByteRange

_SINGLE = re.compile(r"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range lies outside of the file."""


def requested_range(header: str | None, size: int) -> ByteRange | None:
    """Return the range that a `Range` header asks for in a file of `size` bytes; None for the whole of it.

    What is no single range of bytes is answered whole, as RFC 9110 allows. Raises Unsatisfiable.
    """
    match = _SINGLE.fullmatch(header.strip()) if header else None
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first and last and int(first) > int(last):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        raise Unsatisfiable
    return ByteRange(start, end)


def matches(header: str | None, etag: str) -> bool:
    """Whether an `If-None-Match` header names `etag` (weakly compared) or `*`."""
    return header is not None and any(one in {"*", etag} for one in _entity_tags(header))


def _entity_tags(header: str) -> Iterable[str]:
    return (one.strip().removeprefix("W/") for one in header.split(","))
