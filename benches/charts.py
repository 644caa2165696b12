"""The two charts of the benches as SVG text, written by hand: no plotting library is needed to run or to read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

FONT = 'font-family="sans-serif" font-size="12"'
OURS, BEHIND, FUNCTIONAL, LINE = "#2a7f62", "#c0504d", "#444444", "#999999"
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def text(x: float, y: float, content: str, anchor: str = "start", color: str = "black") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{escape(content)}</text>'


def line(x: float, top: float, bottom: float, width: float = 0.5) -> str:
    return f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="{LINE}" stroke-width="{width}"/>'


def box(x: float, y: float, width: float, height: float, fill: str, stroke: str = "none") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} fill="{fill}" stroke="{stroke}" stroke-width="2"/>'


def document(width: float, height: float, parts: Sequence[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    background = box(0, 0, width, height, "white")
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {FONT}>', background, *parts, "</svg>\n"])


@dataclass(frozen=True)
class Bar:
    """One line of the bar chart; a length of None leaves the bar out, a dot of None the dot."""

    group: str
    label: str
    length: float | None
    dot: float | None
    note: str


def bars(title: Sequence[str], rows: Sequence[Bar], bar_means: str, dot_means: str) -> str:
    """Horizontal bars that start at 1 on a logarithmic axis: to the right ahead, to the left behind."""
    values = [value for row in rows for value in (row.length, row.dot) if value is not None]
    low, high = min([0.5, *values]) / 1.1, max([2.0, *values]) * 1.1
    left, plot, step, top = 250, 560, 18, 30 + 16 * len(title)

    def place(value: float) -> float:
        return left + plot * math.log(value / low) / math.log(high / low)

    parts, y, groups = [], float(top), []
    for row in rows:
        if row.group not in groups:
            groups.append(row.group)
            y += step
            parts.append(text(12, y + 12, row.group, color=FUNCTIONAL))
            y += step
        parts.append(text(left - 8, y + 12, row.label, "end"))
        if row.length is not None:
            start, end = sorted((place(1), place(row.length)))
            parts.append(box(start, y + 2, end - start, step - 5, OURS if row.length >= 1 else BEHIND))
        if row.dot is not None:
            parts.append(f'<circle cx="{place(row.dot):.1f}" cy="{y + 8.5}" r="4" fill="white" stroke="{FUNCTIONAL}"/>')
        parts.append(text(left + plot + 10, y + 12, row.note))
        y += step
    for tick in TICKS:
        if low <= tick <= high:
            parts.insert(0, line(place(tick), top, y, 2 if tick == 1 else 0.5))
            parts.append(text(place(tick), y + 16, f"{tick:g}", "middle"))
    head = [text(12, 22 + 16 * index, content) for index, content in enumerate(title)]
    parts += [text(left, y + 36, f"bars: {bar_means}"), text(left, y + 52, f"circles: {dot_means}")]
    return document(left + plot + 220, y + 64, head + parts)


@dataclass(frozen=True)
class HeatMap:
    """A table of shares, None where nothing was measured, and the cells (row, column) that are flagged."""

    title: str
    row_name: str
    column_name: str
    rows: Sequence[object]
    columns: Sequence[object]
    shares: Sequence[Sequence[float | None]]
    flagged: frozenset[tuple[int, int]]

    def as_text(self) -> str:
        """Percent a cell, "!" behind a flagged one, "." where nothing was measured."""

        def cell(row: int, column: int) -> str:
            share = self.shares[row][column]
            number = "." if share is None else f"{100 * share:.0f}"
            return f"{number:>6}" + ("!" if (row, column) in self.flagged else " ")

        corner = f"{self.row_name} \\ {self.column_name}"
        width = max(len(corner), *(len(str(row)) for row in self.rows))
        lines = [self.title, f"{corner:>{width}}" + "".join(f"{column!s:>6} " for column in self.columns)]
        for index, row in enumerate(self.rows):
            lines.append(f"{row!s:>{width}}" + "".join(cell(index, column) for column in range(len(self.columns))))
        return "\n".join(lines)


def heat(share: float) -> str:
    """White at nothing, green at all of the peak or more."""
    part = min(max(share, 0.0), 1.0)
    red, green, blue = (round(255 + (end - 255) * part) for end in (42, 157, 110))
    return f"#{red:02x}{green:02x}{blue:02x}"


def heat_maps(title: Sequence[str], maps: Sequence[HeatMap]) -> str:
    """All maps one below the other in two columns; a flagged cell has a red frame."""
    side, height, left = 48, 24, 130
    width = left + side * max(len(each.columns) for each in maps) + 30
    parts = [text(12, 22 + 16 * index, content) for index, content in enumerate(title)]
    ends = [30.0 + 16 * len(title)] * 2
    for each in maps:
        column = ends.index(min(ends))
        parts += heat_map(each, column * width + left, ends[column], side, height)
        ends[column] += height * len(each.rows) + 70
    return document(2 * width, max(ends), parts)


def heat_map(each: HeatMap, x: float, y: float, side: float, height: float) -> list[str]:
    """One map: its title, the names of its axes, its cells."""
    parts = [text(x, y + 14, each.title), text(x - 8, y + 34, f"{each.row_name} \\ {each.column_name}", "end")]
    top = y + 42
    for number, name in enumerate(each.columns):
        parts.append(text(x + side * (number + 0.5), top - 8, str(name), "middle"))
    for row, name in enumerate(each.rows):
        parts.append(text(x - 8, top + height * row + 16, str(name), "end"))
        for column, share in enumerate(each.shares[row]):
            if share is not None:
                place = (x + side * column + 1, top + height * row + 1)
                frame = BEHIND if (row, column) in each.flagged else "none"
                parts.append(box(*place, side - 2, height - 2, heat(share), frame))
                parts.append(text(place[0] + side / 2 - 1, place[1] + 15, f"{100 * share:.0f}", "middle"))
    return parts
