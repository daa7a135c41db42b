"""Each report as a table: its columns, and where their values come from."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from elsehu.contracts.report import Column, ColumnKind, Value
from elsehu.kernel import Kernel
from elsehu.phones import to_e164
from elsehu.reporting import kpis, volume
from elsehu.reporting.asking import Asked
from elsehu.reporting.facts import FIGURES, OWN_FIGURES
from elsehu.reporting.finished import all_finished, seconds
from elsehu.reporting.schemas import camel

Rows = Sequence[Sequence[Value]]
Item = Mapping[str, Any]
BATCH = 500

TITLES = {
    "wait": "Wait (TME)",
    "first_response": "First response",
    "operator_response": "Operator's response",
    "customer_response": "Customer's response",
    "handling": "Handling (TMA)",
    "queue": "Queue",
    "duration": "Duration",
    "messages_in": "Messages in",
    "messages_out": "Messages out",
    "replies": "Replies",
    "responses": "Responses",
    "answers": "Answers",
    "transfers": "Transfers",
    "reopenings": "Reopenings",
}
SPREAD = {"count": "count", "mean": "mean", "p50": "p50", "p90": "p90", "p95": "p95"}


@dataclass(frozen=True, slots=True)
class Table:
    """A report as a table. `rows` works them out, some hundred at a time."""

    title: str
    columns: Sequence[Column]
    rows: Callable[[Kernel, Asked], AsyncIterator[Rows]]


def _text(key: str, title: str) -> Column:
    return Column(key, title)


def _number(name: str, title: str | None = None) -> Column:
    return Column(camel(name), title or TITLES[name], ColumnKind.NUMBER)


def _time(key: str, title: str) -> Column:
    return Column(key, title, ColumnKind.TIME)


FINISHED_COUNTS = ("messages_in", "messages_out", "replies", "responses", "answers", "transfers", "reopenings")
FINISHED_TIMES = ("opened_at", "assigned_at", "first_reply_at", "closed_at")
FINISHED_COLUMNS = (
    _text("id", "Conversation"),
    _text("contact", "Contact"),
    _text("phone", "Phone"),
    _text("serviceInstance", "Number"),
    _text("operator", "Operator"),
    _text("tabulation", "Tabulation"),
    _text("laneId", "Campaign"),
    _time("openedAt", "Opened"),
    _time("assignedAt", "Assigned"),
    _time("firstReplyAt", "First reply"),
    _time("closedAt", "Closed"),
    *(Column(camel(name), TITLES[name], ColumnKind.DURATION) for name in FIGURES),
    *(_number(name) for name in FINISHED_COUNTS),
)


async def _finished(kernel: Kernel, asked: Asked) -> AsyncIterator[Rows]:
    async for rows in all_finished(kernel.db, asked, BATCH):
        yield [_finished_row(row, asked.suffix) for row in rows]


def _finished_row(row: Item, suffix: str) -> list[Value]:
    return [
        str(row["id"]),
        row["contact_name"],
        to_e164(row["phone"]) if row["phone"] else None,
        row["instance_name"],
        row["operator_name"],
        row["tabulation_name"],
        row["lane_id"] and str(row["lane_id"]),
        *(row[name] for name in FINISHED_TIMES),
        *(seconds(row[name + suffix]) for name in FIGURES),
        *(row[name] for name in FINISHED_COUNTS),
    ]


def _spread_columns(names: Sequence[str]) -> list[Column]:
    return [
        Column(f"{camel(name)}.{part}", f"{TITLES[name]}: {part}",
               ColumnKind.NUMBER if part == "count" else ColumnKind.DURATION)
        for name in names for part in SPREAD
    ]  # fmt: skip


def _spread_values(item: Item, names: Sequence[str]) -> list[Value]:
    return [item[camel(name)][part] for name in names for part in SPREAD]


GROUP_COUNTS = ("messages_in", "messages_out", "replies", "transfers", "reopenings")
GROUP_COLUMNS = (
    _number("finished", "Finished"),
    *(_number(name) for name in GROUP_COUNTS),
    *_spread_columns(list(FIGURES)),
)


def _group_values(item: Item) -> list[Value]:
    counts = [item["finished"], *(item[camel(name)] for name in GROUP_COUNTS)]
    return [*counts, *_spread_values(item["kpis"], list(FIGURES))]


async def _grouped(
    report: Callable[[Kernel, Asked], Awaitable[Item]],
    label: Callable[[Item], Sequence[Value]],
    kernel: Kernel,
    asked: Asked,
) -> AsyncIterator[Rows]:
    found = await report(kernel, asked)
    yield [[*label(item), *_group_values(item)] for item in found["items"]]


def _name(item: Item | None) -> Value:
    return None if item is None else str(item["name"])


OPERATOR_COUNTS = ("finished", "handled", "messages", "responses")
OPERATOR_COLUMNS = (
    _text("operator", "Operator"),
    *(_number(name, name.title()) for name in OPERATOR_COUNTS),
    *_spread_columns(list(OWN_FIGURES)),
)


async def _operators(kernel: Kernel, asked: Asked) -> AsyncIterator[Rows]:
    found = await kpis.by_operator(kernel, asked)
    yield [
        [_name(item["operator"]), *(item[name] for name in OPERATOR_COUNTS), *_spread_values(item, list(OWN_FIGURES))]
        for item in found["items"]
    ]


KPI_COLUMNS = (
    _text("figure", "Figure"),
    *(Column(part, part, ColumnKind.NUMBER if part == "count" else ColumnKind.DURATION) for part in SPREAD),
)


async def _kpis(kernel: Kernel, asked: Asked) -> AsyncIterator[Rows]:
    found = await kpis.kpis(kernel, asked)
    yield [[TITLES[name], *_spread_values(found["kpis"], [name])] for name in FIGURES]


VOLUME_COUNTS = ("opened", "finished", "messages_in", "messages_out")
VOLUME_COLUMNS = (
    _time("from", "From"),
    *(_number(name, TITLES.get(name, name.title())) for name in VOLUME_COUNTS),
)


async def _volume(bucket: str, kernel: Kernel, asked: Asked) -> AsyncIterator[Rows]:
    found = await volume.volume(kernel, asked, bucket)
    yield [
        [datetime.fromisoformat(item["from"]), *(item[camel(name)] for name in VOLUME_COUNTS)]
        for item in found["items"]
    ]


def table_of(report: str, bucket: str) -> Table:
    """Return a report as a table. `bucket` is the volume's."""
    return volume_table(bucket) if report == "volume" else TABLES[report]


def volume_table(bucket: str) -> Table:
    """Return the volume as a table."""
    return Table(f"Volume by {bucket}", VOLUME_COLUMNS, partial(_volume, bucket))


TABLES: Mapping[str, Table] = {
    "finished-conversations": Table("Finished conversations", FINISHED_COLUMNS, _finished),
    "kpis": Table("Figures", KPI_COLUMNS, _kpis),
    "operators": Table("Operators", OPERATOR_COLUMNS, _operators),
    "tabulations": Table(
        "Tabulations",
        (_text("tabulation", "Tabulation"), *GROUP_COLUMNS),
        partial(_grouped, kpis.by_tabulation, lambda item: [_name(item["tabulation"])]),
    ),
    "service-instances": Table(
        "Numbers",
        (_text("serviceInstance", "Number"), *GROUP_COLUMNS),
        partial(_grouped, kpis.by_instance, lambda item: [_name(item["serviceInstance"])]),
    ),
    "campaigns": Table(
        "Campaigns",
        (_text("laneId", "Campaign"), _text("serviceInstance", "Number"), *GROUP_COLUMNS),
        partial(_grouped, kpis.by_lane, lambda item: [item["laneId"], _name(item["serviceInstance"])]),
    ),
}
