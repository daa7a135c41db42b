"""The figures: how columns of the finished conversations are spread, over all or by what they have in common."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from elsehu.clock import isoformat
from elsehu.kernel import Kernel
from elsehu.reporting.asking import Asked, prepare
from elsehu.reporting.facts import FIGURES, OWN_FIGURES
from elsehu.reporting.finished import seconds
from elsehu.reporting.schemas import camel

SHARES = ("p50", "p90", "p95")
SPREAD = """count({0}) AS {1}_count, round(avg({0}))::bigint AS {1}_mean,
       percentile_disc(ARRAY[0.5, 0.9, 0.95]) WITHIN GROUP (ORDER BY {0}) AS {1}_shares"""
SUMS = ("messages_in", "messages_out", "replies", "transfers", "reopenings")
SUMMED = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in SUMS)
ALL = "SELECT count(*) AS finished, {summed}, {spread} FROM report_conversations r WHERE {where}"
GROUPED = """
SELECT g.*, {shown} FROM (
    SELECT r.{by} AS by, count(*) AS finished, {summed}, {spread} FROM report_conversations r WHERE {where} GROUP BY 1
) g {join} ORDER BY g.finished DESC, g.by
"""
OPERATORS = """
SELECT g.*, u.name FROM (
    SELECT p.operator_id AS by, count(*) FILTER (WHERE p.is_last) AS finished, count(*) FILTER (WHERE p.had) AS handled,
           sum(p.messages) AS messages, sum(p.responses) AS responses, {spread}
    FROM report_conversations r JOIN report_parts p ON p.conversation_id = r.id
    WHERE {where} GROUP BY 1
) g JOIN users u ON u.id = g.by ORDER BY g.handled DESC, g.messages DESC, g.by
"""


def spread_of(names: Iterable[str], suffix: str, table: str) -> str:
    """Return SQL for the distributions of columns on the clock with this suffix."""
    return ",\n       ".join(SPREAD.format(f"{table}.{name}{suffix}", name) for name in names)


def distribution(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return one distribution of a row as the API shows it."""
    shares = row[f"{name}_shares"] or [None] * len(SHARES)
    percentiles = dict(zip(SHARES, map(seconds, shares), strict=True))
    return {"count": row[f"{name}_count"], "mean": seconds(row[f"{name}_mean"]), **percentiles}


async def kpis(kernel: Kernel, asked: Asked) -> dict[str, Any]:
    """Return the figures of all finished conversations that are asked for."""
    await prepare(kernel, asked)
    filters = asked.filters()
    sql = ALL.format(summed=SUMMED, spread=spread_of(FIGURES, asked.suffix, "r"), where=filters.where())
    row = await kernel.db.fetch_row(sql, *filters.arguments)
    assert row is not None
    return {**asked.shown(), **_counts(row, asked)}


async def by_tabulation(kernel: Kernel, asked: Asked) -> dict[str, Any]:
    """Return the figures by tabulation, the most frequent first."""
    return await _grouped(kernel, asked, TABULATIONS)


async def by_instance(kernel: Kernel, asked: Asked) -> dict[str, Any]:
    """Return the figures by number, the busiest first."""
    return await _grouped(kernel, asked, INSTANCES)


async def by_lane(kernel: Kernel, asked: Asked) -> dict[str, Any]:
    """Return the figures by campaign, the busiest first."""
    return await _grouped(kernel, asked, LANES)


async def by_operator(kernel: Kernel, asked: Asked) -> dict[str, Any]:
    """Return each operator's own part, the busiest first."""
    await prepare(kernel, asked)
    filters = asked.filters()
    sql = OPERATORS.format(spread=spread_of(OWN_FIGURES, asked.suffix, "p"), where=filters.where())
    rows = await kernel.db.fetch(sql, *filters.arguments)
    return {**asked.shown(), "items": [_operator(row, asked) for row in rows]}


async def _grouped(kernel: Kernel, asked: Asked, group: "Group") -> dict[str, Any]:
    await prepare(kernel, asked)
    filters = asked.filters()
    parts = {"by": group.column, "shown": group.shown, "join": group.join, "where": filters.where()}
    sql = GROUPED.format(**parts, summed=SUMMED, spread=spread_of(FIGURES, asked.suffix, "r"))
    rows = await kernel.db.fetch(sql, *filters.arguments)
    return {**asked.shown(), "items": [{**group.view(row), **_counts(row, _of(asked, row, group))} for row in rows]}


def _of(asked: Asked, row: Mapping[str, Any], group: "Group") -> Asked:
    """Return what a group's own list is asked for by."""
    return asked if row["by"] is None else asked.of(**{group.parameter: row["by"]})


def _counts(row: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    return {
        "finished": row["finished"],
        **{camel(name): row[name] for name in SUMS},
        "conversations": asked.link(),
        "kpis": {camel(name): distribution(row, name) for name in FIGURES},
    }


def _lane(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "laneId": str(row["by"]),
        "owner": row["owner"],
        "serviceInstance": {"id": str(row["instance_id"]), "name": row["name"]},
        "createdAt": isoformat(row["created_at"]),
    }


def _operator(row: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    return {
        "operator": _named(row),
        **{name: row[name] for name in ("finished", "handled", "messages", "responses")},
        "conversations": asked.of(operator_id=row["by"]).link(),
        "handledConversations": asked.of(handled_by=row["by"]).link(),
        **{camel(name): distribution(row, name) for name in OWN_FIGURES},
    }


def _named(row: Mapping[str, Any]) -> dict[str, Any] | None:
    return None if row["by"] is None else {"id": str(row["by"]), "name": row["name"] or ""}


@dataclass(frozen=True, slots=True)
class Group:
    """What conversations have in common: their column, the parameter that asks for one, and how one is shown."""

    column: str
    parameter: str
    shown: str
    join: str
    view: Callable[[Mapping[str, Any]], dict[str, Any]]


TABULATIONS = Group(
    "tabulation_id",
    "tabulation_id",
    "t.name",
    "LEFT JOIN tabulations t ON t.id = g.by",
    lambda row: {"tabulation": _named(row)},
)
INSTANCES = Group(
    "instance_id",
    "service_instance_id",
    "i.name",
    "JOIN service_instances i ON i.id = g.by",
    lambda row: {"serviceInstance": _named(row)},
)
LANES = Group(
    "lane_id",
    "lane_id",
    "l.owner, l.created_at, l.instance_id, i.name",
    "JOIN message_lanes l ON l.id = g.by JOIN service_instances i ON i.id = l.instance_id",
    _lane,
)
