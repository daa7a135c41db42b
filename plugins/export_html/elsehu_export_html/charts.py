"""Charts as inline SVG: drawn for a page of this width, readable in grey, each with its values as words too."""

from collections.abc import Sequence
from html import escape
from math import ceil, log10

from elsehu.plugin import ColumnKind, Section, SectionItem
from elsehu_export_html.words import shown

WIDTH = 920
INK = ("#1f5f99", "#e0912f", "#4a8f5b", "#8a5a9e")
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 10, 34
HEIGHT = 240
BAR, GAP, NAMES = 22, 8, 220
CELL = 26


def series(section: Section) -> str:
    """Return columns in order of time: those of one moment side by side."""
    most = _round_up(max((value or 0) for item in section.items for value in item.values))
    step = (WIDTH - LEFT - RIGHT) / len(section.items)
    width = max(step * 0.8 / len(section.labels), 0.6)
    columns = [
        _column(LEFT + step * place + step * 0.1 + width * number, width, value / most,
                f"{item.label}: {shown(value, section.unit)} {label}", ink=INK[number])
        for place, item in enumerate(section.items)
        for number, (value, label) in enumerate(zip(item.values, section.labels, strict=True))
        if value
    ]  # fmt: skip
    axes = _lines(most, section.unit) + _moments(section.items, step)
    return _svg(HEIGHT, section.title, axes + "".join(columns)) + _legend(section.labels)


def bars(section: Section) -> str:
    """Return horizontal bars, each with its name and value."""
    most = max((item.values[0] or 0) for item in section.items) or 1
    room = WIDTH - NAMES - 110
    drawn = "".join(_bar(place, item, section.unit, room / most) for place, item in enumerate(section.items))
    return _svg(len(section.items) * (BAR + GAP) + GAP, section.title, drawn)


def grid(section: Section) -> str:
    """Return a field of cells, the darker the more."""
    most = max((value or 0) for item in section.items for value in item.values) or 1
    width = (WIDTH - LEFT - RIGHT) / len(section.labels)
    hours = "".join(
        _text(LEFT + width * (place + 0.5), 14, label, "middle") for place, label in enumerate(section.labels)
    )
    cells = "".join(
        _cell((LEFT + width * column, 20 + CELL * row, width), value or 0, most, f"{item.label} {label}")
        for row, item in enumerate(section.items)
        for column, (value, label) in enumerate(zip(item.values, section.labels, strict=True))
    )
    days = "".join(_text(LEFT - 8, 38 + CELL * row, item.label, "end") for row, item in enumerate(section.items))
    return _svg(24 + CELL * len(section.items), section.title, hours + days + cells)


def _svg(height: float, title: str, content: str) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
    return f"{head}{content}</svg>"


def _column(x: float, width: float, share: float, words: str, *, ink: str) -> str:
    height = share * (HEIGHT - TOP - BOTTOM)
    place = f'x="{x:.1f}" y="{HEIGHT - BOTTOM - height:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} fill="{ink}"><title>{escape(words)}</title></rect>'


def _bar(place: int, item: SectionItem, unit: ColumnKind, scale: float) -> str:
    y, length = GAP + place * (BAR + GAP), max((item.values[0] or 0) * scale, 1)
    name = item.label if len(item.label) <= 30 else item.label[:29] + "…"
    rect = f'<rect x="{NAMES}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{INK[0]}"></rect>'
    value = _text(NAMES + length + 8, y + BAR * 0.7, shown(item.values[0], unit), "start")
    return _text(NAMES - 10, y + BAR * 0.7, name, "end") + rect + value


def _cell(place: tuple[float, float, float], value: float, most: float, words: str) -> str:
    x, y, width = place
    share = value / most
    box = f'x="{x + 1:.1f}" y="{y + 1:.0f}" width="{width - 2:.1f}" height="{CELL - 2}" rx="2"'
    rect = f'<rect {box} fill="{INK[0]}" fill-opacity="{0.05 + 0.95 * share:.2f}">'
    ink = "#fff" if share > 0.5 else "#334"
    number = _text(x + width / 2, y + 17, f"{value:.0f}", "middle", ink) if value else ""
    return f"{rect}<title>{escape(words)}: {value:.0f}</title></rect>{number}"


def _lines(most: float, unit: ColumnKind) -> str:
    marks = [most * part / 4 for part in range(5)]
    ys = [HEIGHT - BOTTOM - mark / most * (HEIGHT - TOP - BOTTOM) for mark in marks]
    lines = "".join(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dde3ea"/>' for y in ys)
    numbers = [shown(mark if mark % 1 else int(mark), unit) for mark in marks]
    return lines + "".join(_text(LEFT - 8, y + 4, number, "end") for y, number in zip(ys, numbers, strict=True))


def _moments(items: Sequence[SectionItem], step: float) -> str:
    """Name as many moments as have room."""
    every = ceil(len(items) / 9)
    chosen = [(place, item.label) for place, item in enumerate(items) if place % every == 0]
    return "".join(_text(LEFT + step * (place + 0.5), HEIGHT - 12, label, "middle") for place, label in chosen)


def _legend(labels: Sequence[str]) -> str:
    keys = (f'<span class="key" style="background:{ink}"></span>{escape(label)}'
            for ink, label in zip(INK, labels, strict=False))  # fmt: skip
    return f'<p class="legend">{" ".join(keys)}</p>'


def _text(x: float, y: float, text: str, anchor: str, ink: str = "#445") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{ink}">{escape(text)}</text>'


def _round_up(value: float) -> float:
    """Return the next number that four lines divide well."""
    if value <= 4:
        return 4
    unit = float(10 ** int(log10(value)))
    return next(unit * step for step in (1, 2, 4, 8, 10, 20) if unit * step >= value)
