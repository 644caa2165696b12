"""Pools that add a window up: means and power means."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from . import geometry, order
from .arithmetic import Arithmetic, cast, divided, plus, power
from .call import Call
from .maxima import larger
from .model import Axis, Explanation, Tap
from .picture import drawn
from .text import listed, shown
from .windows import columns, joined, sliding


def avg_pool(call: Call) -> Explanation:
    """Explains avg_pool1d, avg_pool2d and avg_pool3d."""
    axes = sliding(call)
    inside = [sum(step.place is not None for step in axis.window) for axis in axes]
    override = call.parameters.get("divisor_override")
    if override is not None:
        return _mean(call, axes, override, f"divisor_override = {override}")
    if call.parameters["count_include_pad"]:
        return _mean(
            call, axes, *_product([axis.extent for axis in axes], "elements of the window in input and padding")
        )
    return _mean(call, axes, *_product(inside, "elements of the window in the input (count_include_pad=False)"))


def adaptive_avg_pool(call: Call) -> Explanation:
    """Explains adaptive_avg_pool1d, adaptive_avg_pool2d and adaptive_avg_pool3d."""
    (outputs,) = call.each("output_size")
    axes = [geometry.adaptive(*axis) for axis in zip(call.names, call.place, call.sizes, outputs, strict=True)]
    return _mean(call, axes, *_product([axis.extent for axis in axes], "elements of the window"))


def lp_pool(call: Call) -> Explanation:
    """Explains lp_pool1d, lp_pool2d and lp_pool3d."""
    (kernel,) = call.each("kernel_size")
    norm, axes = float(call.parameters["norm_type"]), sliding(call)
    if math.isinf(norm):
        return _extreme(call, axes, -1 if norm < 0 else 1)
    # Integers are powered as float32.
    arithmetic = call.arithmetic if call.arithmetic.real else Arithmetic("float32")
    taps, sums, total = _summed(call, axes, lambda value: power(cast(value, arithmetic.accumulator), norm), arithmetic)
    count, full = sum(not tap.padded for tap in taps), math.prod(kernel)
    scaled = divided(total, max(count, 1), arithmetic.accumulator) * cast(full, arithmetic.accumulator)
    result = arithmetic.narrow(power(scaled, 1 / norm))
    steps = [
        f"sum of the {count} powers x^{norm:g} = {shown(total)}",
        f"/ {count} taps inside the input * {full} elements of a full window = {shown(scaled)}",
        f"to the power of 1 / {norm:g} = {shown(result)}",
    ]
    values = [shown(tap.value) for tap in taps if not tap.padded]
    powers = listed([f"({value})^{norm:g}" if value[0] == "-" else f"{value}^{norm:g}" for value in values], " + ")
    powers = powers if count == full else f"({powers}) / {count} * {full}"
    return call.explanation(
        axes=axes,
        taps=taps,
        planes=drawn(call, axes, call.channel, mode=None),
        accumulator=arithmetic.accumulator,
        columns=sums,
        divisor=count,
        result=result,
        equation=f"({powers})^(1/{norm:g}) = {shown(result)}",
        steps=steps,
        notes=["the power is of x, not of |x|, as in torch: a negative sum gives NaN"] if total < 0 else [],
    )


def _product(factors: Sequence[int], meaning: str) -> tuple[int, str]:
    count = math.prod(factors)
    numbers = " * ".join(map(str, factors))
    return max(count, 1), f"the divisor {numbers}{f' = {count}' if len(factors) > 1 else ''}: {meaning}"


def _summed(
    call: Call, axes: Sequence[Axis], lift: Callable[[Any], Any], arithmetic: Arithmetic
) -> tuple[list[Tap], list[Any], Any]:
    """The taps column by column, each with the sum of its chain so far if a column is summed up in chains; the sums of
    the columns; the sum of all."""

    def add(a: Any, b: Any) -> Any:
        return plus(a, b, arithmetic.total)

    taps, sums = [], []
    for column in columns(call, axes):
        values = [None if tap.padded else lift(tap.value) for tap in column]
        chains = not order.slide(axes) or len(values) <= order.ROWS
        running: Any = None
        seen = 0
        for tap, value in zip(column, values, strict=True):
            if value is None:
                taps.append(replace(tap, running=running, note="skipped"))
                continue
            if chains:
                running = value if seen % order.RUN == 0 else add(running, value)
            seen += 1
            taps.append(replace(tap, product=value, running=running))
        sums.append(order.column(axes, values, add))
    total = order.across(axes, sums, add)
    return taps, [sum for sum in sums if sum is not None], cast(0, arithmetic.total) if total is None else total


def _mean(call: Call, axes: Sequence[Axis], divisor: int, meaning: str) -> Explanation:
    arithmetic = call.arithmetic
    taps, sums, total = _summed(call, axes, lambda value: cast(value, arithmetic.total), arithmetic)
    # From zero on, so that a sum of negative zeros is a positive one.
    total = plus(cast(0, arithmetic.total), total, arithmetic.total)
    quotient = divided(total, divisor, arithmetic.total)
    result = np.bool_(quotient != 0) if arithmetic.dtype == "bool" else arithmetic.narrow(quotient)
    steps = []
    if len(axes) > 1 and len(sums) > 1:
        steps.append(f"the columns of the window: {listed([shown(value) for value in sums], ' + ')} = {shown(total)}")
    else:
        steps.append(f"sum = {shown(total)}")
    steps += [meaning, f"{shown(total)} / {divisor} = {shown(quotient)}"]
    if arithmetic.dtype == "bool":
        steps.append(f"as bool, whether it is not 0: {shown(result)}")
    elif arithmetic.total != arithmetic.dtype:
        how = "rounded" if arithmetic.real else "cut"
        steps.append(f"{how} from {arithmetic.total} to {arithmetic.dtype}: {shown(result)}")
    terms = listed([shown(tap.value) for tap in taps if not tap.padded], " + ") or "no taps"
    return call.explanation(
        axes=axes,
        taps=taps,
        planes=drawn(call, axes, call.channel, mode=None),
        accumulator=arithmetic.total,
        columns=sums,
        divisor=divisor,
        result=result,
        equation=f"({terms}) / {divisor} = {shown(result)}",
        steps=steps,
        notes=[] if arithmetic.real or arithmetic.complex else ["a quotient of integers is rounded toward zero"],
    )


def _extreme(call: Call, axes: Sequence[Axis], sign: int) -> Explanation:
    """The limits of the power mean: the largest |x|, or the smallest, taken as the largest -|x|."""
    arithmetic = call.arithmetic

    def size(value: Any) -> Any:
        return cast(abs(value if arithmetic.real else int(value)), arithmetic.accumulator)

    parts = columns(call, axes)
    best = joined(call, axes, lambda value: _signed(size(value), sign, arithmetic), larger)
    result = arithmetic.narrow(abs(best)) if arithmetic.real else _signed(best, sign, arithmetic)
    taps = [replace(tap, product=None if tap.padded else size(tap.value)) for part in parts for tap in part]
    name = "largest" if sign > 0 else "smallest"
    terms = [f"|{shown(tap.value)}|" for tap in taps if not tap.padded]
    return call.explanation(
        axes=axes,
        taps=taps,
        planes=drawn(call, axes, call.channel, mode=None),
        result=result,
        equation=f"{'max' if sign > 0 else 'min'}({listed(terms, ', ')}) = {shown(result)}",
        steps=[f"the power mean with exponent {'' if sign > 0 else '-'}inf is the {name} |x|: {shown(result)}"],
    )


def _signed(value: Any, sign: int, arithmetic: Arithmetic) -> Any:
    if arithmetic.real:
        return value if sign > 0 else -value
    return cast(sign * int(value), arithmetic.dtype)
