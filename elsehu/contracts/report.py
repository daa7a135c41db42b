"""What a report exporter is given, and how it says what it makes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

Value: TypeAlias = str | int | float | datetime | None


class ColumnKind(StrEnum):
    """What a column's values are: texts, whole numbers, seconds, aware times."""

    TEXT = "text"
    NUMBER = "number"
    DURATION = "duration"
    TIME = "time"


class SectionKind(StrEnum):
    """How a section of a summary is meant to be looked at.

    `FIGURES`: single figures, each with its `notes`. `BARS`: values that compete. `SERIES`: values in order of time.
    `GRID`: one row of `values` for each item, under `labels`.
    """

    FIGURES = "figures"
    BARS = "bars"
    SERIES = "series"
    GRID = "grid"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a report: its name in the API, its title for people, and what its values are."""

    key: str
    title: str
    kind: ColumnKind = ColumnKind.TEXT


@dataclass(frozen=True, slots=True)
class SectionItem:
    """One entry of a section: what it is called, its values (as `labels` name them), and what else to say of it."""

    label: str
    values: Sequence[float | None]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report's summary, for a chart or a small table. `unit` says what all values are."""

    title: str
    kind: SectionKind
    unit: ColumnKind
    labels: Sequence[str]
    items: Sequence[SectionItem]


@dataclass(frozen=True, slots=True)
class Report:
    """A report to be written into a file.

    Attributes:
        name: as in the API (`finished-conversations`).
        title: for people.
        about: what it was asked for, as pairs of a word and its value.
        columns: of the table.
        rows: the table, some hundred rows at a time; each row has a value for each column. May be iterated once.
        total: how many rows there are, as far as that is known before.
        timezone: in which times are to be shown (an IANA name).
        summary: gives the sections, for exporters that show them.
    """

    name: str
    title: str
    about: Sequence[tuple[str, str]]
    columns: Sequence[Column]
    rows: AsyncIterator[Sequence[Sequence[Value]]]
    total: int
    timezone: str
    summary: Callable[[], Awaitable[Sequence[Section]]]


@dataclass(frozen=True, slots=True)
class ReportExporter:
    """A format in which reports are handed out, `?format=name`.

    Attributes:
        write: yields the file's bytes. It must neither hold all rows in memory nor keep the event loop busy for long.
        streams: whether the first bytes come before the last row was read. What does not is made in the background
            where it is large.
    """

    name: str
    title: str
    media_type: str
    extension: str
    write: Callable[[Report], AsyncIterator[bytes]]
    streams: bool = True
