"""How much of Meta's limits is used up, as the headers of its answers tell (Meta Cloud API reference, section 10)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

HEADERS = ("x-business-use-case-usage", "x-app-usage")
SHARES = ("call_count", "total_cputime", "total_time")
HIGH = 90.0


@dataclass(frozen=True, slots=True)
class Usage:
    """The fullest of the limits in per cent, and in how many seconds Meta lets us in again (None: it does)."""

    percent: float = 0.0
    regain_seconds: float | None = None

    @property
    def is_high(self) -> bool:
        """Whether the limit is near."""
        return self.percent >= HIGH


def usage_of(headers: Mapping[str, str]) -> Usage:
    """Read the usage headers of an answer; without any, nothing is used."""
    counters = [counter for name in HEADERS for counter in _counters(headers.get(name, ""))]
    percent = max((_number(counter.get(share)) for counter in counters for share in SHARES), default=0.0)
    minutes = max((_number(counter.get("estimated_time_to_regain_access")) for counter in counters), default=0.0)
    return Usage(percent, minutes * 60 or None)


def _counters(header: str) -> Iterator[Mapping[str, Any]]:
    try:
        said = orjson.loads(header) if header else {}
    except orjson.JSONDecodeError:
        return
    if isinstance(said, dict):
        lists = [value for value in said.values() if isinstance(value, list)]
        yield from (counter for one in [*lists, [said]] for counter in one if isinstance(counter, dict))


def _number(value: Any) -> float:
    return float(value) if type(value) in (int, float) else 0.0
