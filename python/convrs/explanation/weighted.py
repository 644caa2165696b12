"""Convolutions: input elements times weights, added up."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..check.windows import paddings
from . import geometry
from .arithmetic import cast, element, plus, same
from .call import Call
from .model import Axis, Explanation, Tap
from .picture import drawn
from .text import listed, shown

FUSED = (
    "the kernel adds each product before it is rounded (fused multiply-add); the products shown are rounded, so that "
    "some sum here differs from theirs in its last digits"
)


def conv(call: Call) -> Explanation:
    """Explains conv1d, conv2d and conv3d."""
    weight, parameters = call.arrays["weight"], call.parameters
    stride, dilation = call.each("stride", "dilation")
    padding = paddings(parameters["padding"], call.spatial)
    mode = parameters["padding_mode"]
    modes = [mode] * call.spatial
    numbers = zip(call.names, call.place, call.sizes, weight.shape[2:], stride, dilation, padding, modes, strict=True)
    axes = [geometry.convolution(*axis) for axis in numbers]
    group = call.channel // (weight.shape[0] // parameters["groups"])
    channels = range(group * weight.shape[1], (group + 1) * weight.shape[1])
    rows = [(call.channel, number) for number in range(weight.shape[1])]
    notes = (
        []
        if mode == "zeros"
        else [f'padding_mode="{mode}": the padding repeats input elements, those given by the index']
    )
    return _weighted(call, axes, channels, rows, mode, notes)


def conv_transpose(call: Call) -> Explanation:
    """Explains conv_transpose1d, conv_transpose2d and conv_transpose3d."""
    weight = call.arrays["weight"]
    parameters = call.each("stride", "dilation", "padding", "output_padding")
    numbers = zip(call.names, call.place, call.sizes, weight.shape[2:], *parameters, strict=True)
    axes = [geometry.transposed(*axis) for axis in numbers]
    group, column = divmod(call.channel, weight.shape[1])
    count = weight.shape[0] // call.parameters["groups"]
    channels = range(group * count, (group + 1) * count)
    return _weighted(call, axes, channels, [(channel, column) for channel in channels], "zeros", [])


def _weighted(
    call: Call, axes: Sequence[Axis], channels: range, rows: Sequence[tuple[int, int]], mode: str, notes: list[str]
) -> Explanation:
    """Input channels `channels` times the weights whose indices begin with `rows`."""
    arithmetic, weight = call.arithmetic, call.arrays["weight"]
    total = cast(0, arithmetic.accumulator)
    taps: list[Tap] = []
    fused = False
    for channel, row in zip(channels, rows, strict=True):
        for steps in itertools.product(*(axis.window for axis in axes)):
            position = tuple(step.position for step in steps)
            places = tuple(step.place for step in steps if step.place is not None)
            read = (*call.batch, channel, *places) if len(places) == len(steps) else None
            if read is None and call.op.startswith("conv_transpose"):
                # Nothing is there to be multiplied: an infinite weight gives no NaN.
                continue
            value = arithmetic.zero if read is None else element(call.input, read)
            at = (*row, *(step.kernel for step in steps))
            factor = element(weight, at)
            product, before = arithmetic.product(value, factor), total
            total = arithmetic.multiply_add(value, factor, before)
            fused |= arithmetic.real and not same(total, plus(before, product, arithmetic.accumulator))
            taps.append(
                Tap(
                    position=position,
                    input=read,
                    padded=any(not 0 <= at < axis.input for at, axis in zip(position, axes, strict=True)),
                    value=value,
                    weight_index=at,
                    weight=factor,
                    product=product,
                    running=total,
                )
            )
    operation = "or" if arithmetic.dtype == "bool" else "sum"
    steps_taken = [f"{operation} of the {len(taps)} products = {shown(total)}"]
    terms = [f"{shown(tap.value)} * {shown(tap.weight)}" for tap in taps]
    bias = None
    if "bias" in call.arrays:
        bias = element(call.arrays["bias"], (call.channel,))
        total = plus(total, cast(bias, arithmetic.accumulator), arithmetic.accumulator)
        steps_taken.append(f"+ bias[{call.channel}] = {shown(bias)} gives {shown(total)}")
        terms.append(shown(bias))
    result = arithmetic.narrow(total)
    if arithmetic.accumulator != arithmetic.dtype:
        steps_taken.append(f"rounded from {arithmetic.accumulator} to {arithmetic.dtype}: {shown(result)}")
    if call.parameters["groups"] > 1:
        notes.append(
            f"groups={call.parameters['groups']}: output channel {call.channel} sees the input channels "
            f"{channels.start} to {channels.stop - 1} alone"
        )
    if fused:
        notes.append(FUSED)
    return call.explanation(
        axes=axes,
        taps=taps,
        planes=drawn(call, axes, channels.start, mode=mode, channels=len(channels)) if taps else (),
        bias=bias,
        result=result,
        equation=f"{listed(terms, ' + ') or 'no products'} = {shown(result)}",
        steps=steps_taken,
        notes=notes,
    )
