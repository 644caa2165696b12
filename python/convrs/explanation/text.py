"""Explanations as plain text, as a rule not wider than 100 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .model import Axis, Cell, Explanation, Plane, Tap

WIDTH = 100
DIGITS, COMPLEX_DIGITS, ALL_DIGITS = 9, 5, 17
"""Significant digits of a number, of the parts of a complex one, and those that lose nothing."""
SHORT = 6
"""Most terms of an equation that are shown."""
FIRST, LAST = 12, 4
"""Taps of a long window that are shown."""


def explained(explanation: Explanation) -> str:
    """The whole text."""
    head = f"{explanation.op}: {located('output', explanation.index)} = {shown(explanation.result, ALL_DIGITS)}"
    arrays = f"output shape {explanation.shape}, {explanation.dtype}"
    if explanation.accumulator != explanation.dtype:
        arrays += f", computed in {explanation.accumulator}"
    sections = [
        [head, _wrapped(explanation.equation), f"  {arrays}"],
        sized(explanation.axes),
        *([pictured(plane)] for plane in explanation.planes),
        tabled(explanation.taps, by_column=len(explanation.axes) > 1 and bool(explanation.columns)),
        ["Result", *(_wrapped(step) for step in explanation.steps), _wrapped(_verdict(explanation))],
    ]
    if explanation.planes:
        sections[2][0] = f"Window on the input ({_legend(explanation.planes)})\n" + sections[2][0]
    if explanation.notes:
        sections.append(["Notes", *(_wrapped(note) for note in explanation.notes)])
    return "\n\n".join("\n".join(section) for section in sections if section)


def shown(value: Any, digits: int = DIGITS) -> str:
    """A number with as few digits as tell it apart from its neighbours in its dtype, and not more than `digits`."""
    if value is None:
        return "-"
    if np.iscomplexobj(value):
        sign = "-" if np.signbit(value.imag) else "+"
        part = digits if digits > DIGITS else COMPLEX_DIGITS
        return f"({shown(value.real, part)}{sign}{shown(abs(value.imag), part)}i)"
    if not isinstance(value, float | np.floating) or not np.isfinite(value):
        return str(value)
    if value != 0 and not 1e-4 <= abs(float(value)) < 1e9:
        return np.format_float_scientific(value, precision=digits - 1, trim="-")
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-")


def located(array: str, index: Iterable[int] | None) -> str:
    """An element by its index."""
    return "padding" if index is None else f"{array}[{', '.join(map(str, index))}]"


def listed(terms: Sequence[str], separator: str) -> str:
    """The terms, of many the first and the last ones."""
    if len(terms) <= SHORT:
        return separator.join(terms)
    return separator.join([*terms[: SHORT - 2], "...", terms[-1]])


def sized(axes: Sequence[Axis]) -> list[str]:
    """The formula of every axis above its numbers."""
    lines = ["Sizes"]
    name_width = max(len(axis.name) for axis in axes)
    formula = None
    for axis in axes:
        names = re.findall(r"{(\w+)}", axis.formula)
        widths = {name: max(len(name), *(len(_number(each, name)) for each in axes)) for name in names}
        if axis.formula != formula:
            formula = axis.formula
            header = formula.format(**{name: name.rjust(widths[name]) for name in names})
            lines.append(f"  {'':{name_width}}  {header}")
        numbers = formula.format(**{name: _number(axis, name).rjust(widths[name]) for name in names})
        lines.append(f"  {axis.name:{name_width}}  {numbers} {axis.result}")
    lines += [_wrapped(f"{axis.name}: {note}") for axis in axes for note in axis.notes]
    return lines


def pictured(plane: Plane) -> str:
    """The input around the window."""
    texts = [[_cell(cell) for cell in line] for line in plane.cells]
    width = max(len(text) for text in [*(text for line in texts for text in line), *map(str, plane.columns)])
    labels = [f"row {row}" for row in plane.rows] or [""]
    margin = max(len(label) for label in [*labels, "column"])
    lines = [f"  {plane.title}"]
    lines.append(
        f"  {'column':>{margin}}  " + " ".join(_centred(str(column), width) for column in plane.columns).rstrip()
    )
    for label, line in zip(labels, texts, strict=True):
        lines.append(f"  {label:>{margin}}  " + " ".join(_centred(text, width) for text in line).rstrip())
    return "\n".join(lines) if max(map(len, lines)) <= WIDTH else f"  {plane.title}: too wide to draw"


def tabled(taps: Sequence[Tap], *, by_column: bool) -> list[str]:
    """One line a tap, of long windows the first and the last ones."""
    if not taps:
        return ["Taps: none"]
    weighted = any(tap.weight_index is not None for tap in taps)
    powers = not weighted and any(tap.product is not None and tap.product != tap.value for tap in taps)
    noted = any(tap.note for tap in taps)
    running = any(tap.running is not None for tap in taps)
    header = ["tap", "input", "value", *(["weight", "value", "product"] if weighted else ["term"] if powers else [])]
    header += (["so far"] if running else []) + ([""] if noted else [])
    rows = [header]
    hidden = len(taps) - FIRST - LAST
    for number, tap in enumerate(taps):
        if hidden > 1 and FIRST <= number < FIRST + hidden:
            continue
        row = [str(number), _source(tap), shown(tap.value)]
        if weighted:
            row += [located("weight", tap.weight_index), shown(tap.weight), shown(tap.product)]
        elif powers:
            row.append(shown(tap.product))
        rows.append(row + ([shown(tap.running)] if running else []) + ([tap.note] if noted else []))
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    text_columns = {header.index("input"), *([header.index("weight")] if weighted else [])}
    text_columns |= {len(header) - 1} if noted else set()
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    if hidden > 1:
        lines.insert(FIRST + 1, f"  ... {hidden} more taps ...")
    order = "column by column, each summed up first" if by_column else "in the order in which the kernel takes them"
    return [f"Taps, {order}", *lines]


def _verdict(explanation: Explanation) -> str:
    if explanation.agrees:
        return f"{explanation.op} itself returns {shown(explanation.actual, ALL_DIGITS)}: the same bits"
    return f"{explanation.op} itself returns {shown(explanation.actual, ALL_DIGITS)}, which is NOT what these taps give"


def _source(tap: Tap) -> str:
    position = f"({', '.join(map(str, tap.position))})"
    if tap.input is None:
        return f"{'outside' if tap.value is None else 'padding'} {position}"
    return f"{located('input', tap.input)} for padding {position}" if tap.padded else located("input", tap.input)


def _legend(planes: Sequence[Plane]) -> str:
    cells = [cell for plane in planes for line in plane.cells for cell in line]
    parts = ["[ ] taps"]
    if any(cell.kind == "padding" and cell.value is not None for cell in cells):
        parts.append("( ) padding")
    if any(cell.kind == "padding" and cell.value is None for cell in cells):
        parts.append(". padding, not read")
    if any(cell.kind == "outside" and cell.tap for cell in cells):
        parts.append("x beyond the padding")
    return ", ".join(parts)


def _cell(cell: Cell) -> str:
    if cell.kind == "outside":
        text = "x" if cell.tap else " "
    elif cell.kind == "padding":
        text = "." if cell.value is None else f"({shown(cell.value)})"
    else:
        text = shown(cell.value)
    return f"[{text}]" if cell.tap else f" {text} "


def _centred(text: str, width: int) -> str:
    return text.rjust(width - (width - len(text)) // 2).ljust(width)


def _number(axis: Axis, name: str) -> str:
    number = axis.numbers.get(name, "")
    return f"{number:.6g}" if isinstance(number, float) else str(number)


def _wrapped(line: str) -> str:
    return textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
