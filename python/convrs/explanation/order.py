"""The order in which the kernels combine the elements of a window: src/pool/terms.rs and order.rs once more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .model import Axis

Combine = Callable[[Any, Any], Any]

CHAIN, ROWS = 8, 9
"""Of windows that slide: the longest chain, and the most rows of all planes that are one chain."""
RUN, BLOCK, PARTIALS = 64, 2048, 16
"""Of all others: chains along a column, columns of a block, chains among these."""


def slide(axes: Sequence[Axis]) -> bool:
    """Whether the windows are equal, at equal distances, and share enough (`Slide::new` in src/pool/slide.rs)."""
    strides = [_stride(axis) for axis in axes]
    if None in strides or all(axis.output == 1 for axis in axes):
        return False
    spans = [(len(axis.window) - 1) * int(axis.numbers.get("dilation", 1)) + 1 for axis in axes]
    kernels = [1, 1, *(len(axis.window) for axis in axes)]
    rows = ([1, *spans])[-2] if kernels[-3] * kernels[-2] > ROWS else 1
    return kernels[-3] <= ROWS and (strides[-1] or 1) <= 64 and max(kernels[-2:]) <= 8192 and rows * spans[-1] <= 16384


def column(axes: Sequence[Axis], values: Sequence[Any], combine: Combine) -> Any:
    """One column of a window, from its first plane and row on; None stands for padding, or a column of nothing else."""
    if not slide(axes):
        return in_runs([value for value in values if value is not None], combine)
    if len(values) <= ROWS:
        return chained(values, combine)
    rows = len(axes[-2].window)
    return in_quarters([chained(values[row::rows], combine) for row in range(rows)], combine)


def across(axes: Sequence[Axis], columns: Sequence[Any], combine: Combine) -> Any:
    """The columns of a window, None for one of padding alone.

    Where windows slide, in quarters. Else, of a block of 2048 columns, column j goes to partial value j mod 16, and
    those are combined from left to right; the blocks are combined in runs.
    """
    if slide(axes):
        return in_quarters(columns, combine)
    columns = [value for value in columns if value is not None]
    blocks = [columns[start : start + BLOCK] for start in range(0, len(columns), BLOCK)]
    return in_runs([_partials(block, combine) for block in blocks], combine)


def in_quarters(values: Sequence[Any], combine: Combine) -> Any:
    """Up to 8 from left to right. Of more, four quarters element by element, these in quarters again, then the rest."""
    if len(values) <= CHAIN:
        return chained(values, combine)
    quarter = len(values) // 4
    quarters = [chained(values[first : 4 * quarter : quarter], combine) for first in range(quarter)]
    return chained([in_quarters(quarters, combine), *values[4 * quarter :]], combine)


def in_runs(values: Sequence[Any], combine: Combine) -> Any:
    """The values combined in runs of 64, what these come to in runs again, and so on; None if there are none."""
    while len(values) > RUN:
        values = [chained(values[start : start + RUN], combine) for start in range(0, len(values), RUN)]
    return chained(values, combine)


def chained(values: Iterable[Any], combine: Combine) -> Any:
    """The values combined from the first to the last; None is no value."""
    best = None
    for value in values:
        if value is not None:
            best = value if best is None else combine(best, value)
    return best


def _partials(block: Sequence[Any], combine: Combine) -> Any:
    return chained((chained(block[lane::PARTIALS], combine) for lane in range(PARTIALS)), combine)


def _stride(axis: Axis) -> int | None:
    """The distance of an axis's windows, None where it varies."""
    if "kernel" in axis.numbers:
        return int(axis.numbers["stride"]) if "stride" in axis.numbers else None
    return axis.input // axis.output if axis.output and axis.input % axis.output == 0 else None
