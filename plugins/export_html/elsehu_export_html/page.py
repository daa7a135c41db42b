"""The page around the charts. Nothing is loaded from anywhere: no script, no font, no picture."""

from collections.abc import Sequence
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from elsehu.plugin import Column, ColumnKind, Report, Section, SectionKind
from elsehu_export_html.charts import bars, grid, series
from elsehu_export_html.words import shown

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, "Segoe UI", Roboto, Arial, sans-serif; margin: 0;
       color: #1c2733; background: #f3f5f8; }
main { max-width: 1000px; margin: 0 auto; padding: 28px 24px 60px; }
header { border-bottom: 3px solid #1f5f99; margin-bottom: 22px; padding-bottom: 12px; }
h1 { font-size: 27px; margin: 0 0 6px; }
h2 { font-size: 17px; margin: 0 0 12px; }
dl { display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 0; color: #51606f; font-size: 13px; }
dl div { display: flex; gap: 6px; } dt::after { content: ":"; } dd { margin: 0; color: #1c2733; }
section { background: #fff; border: 1px solid #dde3ea; border-radius: 8px; padding: 16px 18px; margin: 0 0 18px;
          break-inside: avoid; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 14px; }
.card b { display: block; font-size: 23px; font-weight: 600; color: #14466f; font-variant-numeric: tabular-nums; }
.card span { color: #51606f; font-size: 13px; } .card small { display: block; color: #7a8794; font-size: 12px; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, Arial, sans-serif; }
.legend { margin: 4px 0 0; font-size: 13px; color: #51606f; }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin: 0 6px 0 14px; }
.wide { overflow-x: auto; break-inside: auto; }
table { border-collapse: collapse; font-size: 12px; width: 100%; }
th, td { text-align: left; padding: 4px 8px; border-bottom: 1px solid #e6eaef; white-space: nowrap; }
th { background: #eef2f7; position: sticky; top: 0; white-space: normal; vertical-align: bottom; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
footer { color: #7a8794; font-size: 12px; }
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  body { background: #fff; font-size: 11px; } main { max-width: none; padding: 0; }
  section { border-color: #bbb; } table { font-size: 8px; }
  th { position: static; } thead { display: table-header-group; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
"""


def head(report: Report) -> str:
    """Return the beginning of the page."""
    about = "".join(f"<div><dt>{escape(word)}</dt><dd>{escape(value)}</dd></div>" for word, value in report.about)
    title = escape(report.title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><main>'
        f"<header><h1>{title}</h1><dl>{about}</dl></header>"
    )


def section(one: Section) -> str:
    """Return a section of the summary, as a chart or as cards."""
    draw = {SectionKind.FIGURES: cards, SectionKind.BARS: bars, SectionKind.SERIES: series, SectionKind.GRID: grid}
    return f"<section><h2>{escape(one.title)}</h2>{draw[one.kind](one)}</section>"


def cards(one: Section) -> str:
    """Return single figures: the first value large, the others below it by their names."""
    made = []
    for item in one.items:
        first, *others = [shown(value, one.unit) for value in item.values]
        named = [f"{label} {value}" for label, value in zip(one.labels[1:], others, strict=True)]
        notes = "".join(f"<small>{escape(note)}</small>" for note in [*named, *item.notes])
        made.append(f'<div class="card"><span>{escape(item.label)}</span><b>{first}</b>{notes}</div>')
    return f'<div class="cards">{"".join(made)}</div>'


def table_head(columns: Sequence[Column]) -> str:
    """Return the beginning of the table."""
    titles = "".join(f"<th>{escape(column.title)}</th>" for column in columns)
    return f'<section class="wide"><table><thead><tr>{titles}</tr></thead><tbody>'


def table_rows(rows: Sequence[Sequence[Any]], columns: Sequence[Column], timezone: str) -> str:
    """Return rows of the table."""
    zone = ZoneInfo(timezone)
    kinds = [column.kind for column in columns]
    return "".join(f"<tr>{''.join(map(_cell, row, kinds, [zone] * len(kinds)))}</tr>" for row in rows)


def _cell(value: Any, kind: ColumnKind, zone: ZoneInfo) -> str:
    opening = '<td class="n">' if kind in (ColumnKind.NUMBER, ColumnKind.DURATION) else "<td>"
    return f"{opening}{shown(value, kind, zone) if value is not None else ''}</td>"


def tail(shown_rows: int, total: int) -> str:
    """Return the end of the page, which says so if the table was cut."""
    cut = f"The first {shown_rows:,} of {total:,} rows; a spreadsheet has all of them." if total > shown_rows else ""
    return f"</tbody></table></section><footer>{cut}</footer></main></body></html>"
