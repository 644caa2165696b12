"""The taps of a pool's window."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from ..check.windows import paddings
from . import geometry, order
from .arithmetic import element
from .call import Call
from .model import Axis, Step, Tap


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


def joined(call: Call, axes: Sequence[Axis], lift: Callable[[Any], Any], combine: Callable[[Any, Any], Any]) -> Any:
    """The taps inside the input as one value, in the kernels' order; None without a tap."""
    parts = [[None if tap.padded else lift(tap.value) for tap in column] for column in columns(call, axes)]
    return order.across(axes, [order.column(axes, part, combine) for part in parts], combine)


def _tap(call: Call, steps: Sequence[Step]) -> Tap:
    places = tuple(step.place for step in steps if step.place is not None)
    read = (*call.batch, call.channel, *places) if len(places) == len(steps) else None
    return Tap(
        position=tuple(step.position for step in steps),
        input=read,
        padded=read is None,
        value=None if read is None else element(call.input, read),
    )
