"""The taps of a pool's window."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..check.windows import paddings
from . import geometry
from .arithmetic import element
from .call import Call
from .model import Axis, Step, Tap

RUN, BLOCK, PARTIALS = 64, 2048, 16
"""How the kernels cut a window (src/pool/order.rs)."""


def sliding(call: Call) -> list[Axis]:
    """The axes of a pool whose windows slide."""
    kernel, dilation = call.each("kernel_size", "dilation")
    padding, ceil_modes = (
        paddings(call.parameters["padding"], call.spatial),
        [call.parameters["ceil_mode"]] * call.spatial,
    )
    sizes = (call.sizes, kernel, call.stride(), padding, dilation, ceil_modes)
    return [geometry.pooling(*axis) for axis in zip(call.names, call.place, *sizes, strict=True)]


def taps(call: Call, axes: Sequence[Axis]) -> list[Tap]:
    """The taps of a window in C order; those outside the input have no value."""
    return [_tap(call, steps) for steps in itertools.product(*(axis.window for axis in axes))]


def columns(call: Call, axes: Sequence[Axis]) -> list[list[Tap]]:
    """The taps of a window column by column, as the kernels reduce it."""
    *rows, width = (axis.window for axis in axes)
    return [[_tap(call, (*steps, step)) for steps in itertools.product(*rows)] for step in width]


def joined(columns: Sequence[Sequence[Tap]], lift: Callable[[Any], Any], combine: Callable[[Any, Any], Any]) -> Any:
    """The taps inside the input as one value, in the kernels' order; None without a tap."""
    values = [in_runs([lift(tap.value) for tap in column if not tap.padded], combine) for column in columns]
    return across([value for value in values if value is not None], combine)


def across(columns: Sequence[Any], combine: Callable[[Any, Any], Any]) -> Any:
    """The columns' values combined in the kernels' order (src/pool/order.rs); None without a column.

    Of a block of 2048 columns, column j goes to partial value j mod 16, and those are combined from left to right; so
    16 columns and fewer are simply taken from left to right. The blocks are combined in runs.
    """
    blocks = [columns[start : start + BLOCK] for start in range(0, len(columns), BLOCK)]
    values = [
        reduced((reduced(block[lane::PARTIALS], combine) for lane in range(PARTIALS) if lane < len(block)), combine)
        for block in blocks
    ]
    return in_runs(values, combine)


def in_runs(values: Sequence[Any], combine: Callable[[Any, Any], Any]) -> Any:
    """The values combined in runs of 64, what these come to in runs again, and so on; None if there are none."""
    while len(values) > RUN:
        values = [reduced(values[start : start + RUN], combine) for start in range(0, len(values), RUN)]
    return reduced(values, combine)


def reduced(values: Iterable[Any], combine: Callable[[Any, Any], Any]) -> Any:
    """The values combined from the first to the last; None if there are none."""
    best = None
    for value in values:
        best = value if best is None else combine(best, value)
    return best


def _tap(call: Call, steps: Sequence[Step]) -> Tap:
    places = tuple(step.place for step in steps if step.place is not None)
    read = (*call.batch, call.channel, *places) if len(places) == len(steps) else None
    return Tap(
        position=tuple(step.position for step in steps),
        input=read,
        padded=read is None,
        value=None if read is None else element(call.input, read),
    )
