"""What came out: one finding a line, beside its floor and its target; printed for people, written for machines."""

import json
import operator
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

WIDTH = 140
FOLDER = Path(__file__).parent / "results"
Pair = tuple[float, float]
HOLDS: Mapping[str, Callable[[float, float], bool]] = {"≤": operator.le, "≥": operator.ge}


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure in `unit`: the median of `rounds`, Elsehu's and, where there is one, its floor's.

    `ratio` is the median of the ratios of each round. A `target` (`≥ 1.0 × floor`, `≤ 10 ms`) speaks of the ratio
    if it has a ×, else of the figure itself; without one the line is there for information.
    """

    row: str
    what: str
    unit: str
    elsehu: float
    floor: float | None
    ratio: float | None
    target: str | None
    rounds: Sequence[Sequence[float]]

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        sign, limit = self.target.split()[:2]
        judged = self.ratio if "×" in self.target else self.elsehu
        return judged is not None and HOLDS[sign](judged, float(limit))


def compared(row: str, what: str, unit: str, pairs: Sequence[Pair], target: str | None = None) -> Finding:
    """Return what (Elsehu, floor) of each round come to."""
    ours, floors = zip(*pairs, strict=True)
    ratio = median(one / floor for one, floor in pairs)
    return Finding(row, what, unit, median(ours), median(floors), ratio, target, pairs)


def alone(row: str, what: str, unit: str, values: Sequence[float], target: str | None = None) -> Finding:
    """Return what the values of each round come to, where there is no floor."""
    return Finding(row, what, unit, median(values), None, None, target, [[value] for value in values])


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "processor": _processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_at_start": round(psutil.getloadavg()[0], 2),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def show(findings: Sequence[Finding], about: Mapping[str, Any], seconds: float) -> None:
    """Print the table."""
    table = Table(title="Elsehu beside its floors", caption=_caption(about, seconds))
    for name in ("row", "what"):
        table.add_column(name)
    for name in ("Elsehu", "floor", "ratio", "target", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for before, one in zip([None, *findings], findings, strict=False):
        if before and before.row != one.row:
            table.add_section()
        table.add_row("" if before and before.row == one.row else one.row, *_cells(one))
    Console(width=WIDTH).print(table)


def _caption(about: Mapping[str, Any], seconds: float) -> str:
    where = f"{about['cores']} cores shared by driver, server and database, {about['processor']}"
    return f"{where}; load {about['load_at_start']} before; {seconds:.0f} s"


def _cells(one: Finding) -> Sequence[str]:
    floor = "" if one.floor is None else f"{_number(one.floor)} {one.unit}"
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    verdict = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[one.is_met]
    return (one.what, f"{_number(one.elsehu)} {one.unit}", floor, ratio, one.target or "", verdict)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def write(findings: Sequence[Finding], about: Mapping[str, Any], seconds: float) -> Path:
    """Write the results as JSON and return the file."""
    FOLDER.mkdir(exist_ok=True)
    at = datetime.now(UTC)
    result = {
        "at": at.isoformat(),
        "seconds": round(seconds, 1),
        "machine": about,
        "findings": [{**asdict(one), "is_met": one.is_met} for one in findings],
    }
    path = FOLDER / f"{at:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return path
