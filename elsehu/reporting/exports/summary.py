"""A report's summary, for managers: the figures, when there was how much, who did what, how it ended."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from elsehu.contracts.report import ColumnKind, Section, SectionItem, SectionKind
from elsehu.kernel import Kernel
from elsehu.reporting import kpis
from elsehu.reporting.asking import Asked
from elsehu.reporting.exports.tables import TITLES
from elsehu.reporting.facts import FIGURES
from elsehu.reporting.schemas import camel
from elsehu.reporting.volume import counted, first_closing

MOST_BARS = 15
MOST_HOURS = 366 * 24
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
PARTS = ("mean", "p50", "p90", "p95")
BUCKETS = ((timedelta(days=3), "hour"), (timedelta(days=93), "day"), (timedelta(days=800), "week"))
"""Up to how long a time is shown by which bucket; beyond, by months."""


async def summary(kernel: Kernel, asked: Asked) -> Sequence[Section]:
    """Return the sections of the summary, those that have anything to show."""
    figures = await kpis.kpis(kernel, asked)
    operators = (await kpis.by_operator(kernel, asked))["items"]
    sections = [
        _counts(figures),
        _durations(figures["kpis"]),
        *await _times(kernel, asked),
        _bars("Conversations by operator", ColumnKind.NUMBER, _by(operators, "operator", "handled")),
        _bars("Handling (TMA) by operator, mean", ColumnKind.DURATION, _means(operators, "handling")),
        _bars("Response by operator, mean", ColumnKind.DURATION, _means(operators, "operatorResponse")),
        _bars("Tabulations", ColumnKind.NUMBER, _by((await kpis.by_tabulation(kernel, asked))["items"], "tabulation")),
        _bars("Numbers", ColumnKind.NUMBER, _by((await kpis.by_instance(kernel, asked))["items"], "serviceInstance")),
    ]
    return [section for section in sections if section.items]


def _counts(figures: Mapping[str, Any]) -> Section:
    names = {"finished": "Finished conversations", **{camel(name): TITLES[name] for name in kpis.SUMS}}
    items = [SectionItem(title, [figures[name]]) for name, title in names.items()]
    return Section("In all", SectionKind.FIGURES, ColumnKind.NUMBER, ("count",), items)


def _durations(spreads: Mapping[str, Any]) -> Section:
    items = [
        SectionItem(TITLES[name], [spread[part] for part in PARTS], [f"of {spread['count']} conversations"])
        for name in FIGURES
        if (spread := spreads[camel(name)])["count"]
    ]
    return Section("Times", SectionKind.FIGURES, ColumnKind.DURATION, PARTS, items)


async def _times(kernel: Kernel, asked: Asked) -> list[Section]:
    """Return when there was how much: as a course, and (up to a year) by weekday and hour."""
    end = asked.end or kernel.now()
    start = asked.start or await first_closing(kernel, asked)
    if start is None or start >= end:
        return []
    whole = asked.between(start, end)
    bucket = next((name for longest, name in BUCKETS if end - start <= longest), "month")
    course = await counted(kernel, whole, bucket, MOST_HOURS)
    sections = [_course(course, bucket, whole)]
    if (end - start).total_seconds() / 3600 <= MOST_HOURS:
        sections.append(_week(await counted(kernel, whole, "hour", MOST_HOURS), whole))
    return sections


def _course(course: Sequence[tuple[datetime, Mapping[str, int]]], bucket: str, asked: Asked) -> Section:
    shown = "%Y-%m-%d %H:%M" if bucket == "hour" else "%Y-%m-%d"
    items = [
        SectionItem(f"{at.astimezone(asked.zone):{shown}}", [counts.get("opened", 0), counts.get("finished", 0)])
        for at, counts in course
    ]
    return Section(f"Conversations by {bucket}", SectionKind.SERIES, ColumnKind.NUMBER, ("opened", "finished"), items)


def _week(hours: Sequence[tuple[datetime, Mapping[str, int]]], asked: Asked) -> Section:
    grid = [[0] * 24 for _ in WEEKDAYS]
    for at, counts in hours:
        local = at.astimezone(asked.zone)
        grid[local.weekday()][local.hour] += counts.get("opened", 0)
    items = [SectionItem(day, row) for day, row in zip(WEEKDAYS, grid, strict=True)]
    labels = [f"{hour:02}" for hour in range(24)]
    return Section("When conversations are opened", SectionKind.GRID, ColumnKind.NUMBER, labels, items)


def _by(items: Sequence[Mapping[str, Any]], name: str, value: str = "finished") -> list[tuple[str, float]]:
    return [(item[name]["name"] if item[name] else "none", item[value]) for item in items if item[value]]


def _means(items: Sequence[Mapping[str, Any]], figure: str) -> list[tuple[str, float]]:
    return [(item["operator"]["name"], item[figure]["mean"]) for item in items if item[figure]["count"]]


def _bars(title: str, unit: ColumnKind, values: Sequence[tuple[str, float]]) -> Section:
    """Return values as bars, the largest first; of very many the others count together, if that means anything."""
    largest = sorted(values, key=lambda one: -one[1])
    items = [SectionItem(label, [value]) for label, value in largest[:MOST_BARS]]
    others = largest[MOST_BARS:]
    if others and unit is ColumnKind.NUMBER:
        items.append(SectionItem(f"{len(others)} others", [sum(value for _, value in others)]))
    return Section(title, SectionKind.BARS, unit, (title,), items)
