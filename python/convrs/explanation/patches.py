"""Operators that move elements: unfold, fold and the unpools."""

from __future__ import annotations

import itertools

import numpy as np

from . import geometry
from .arithmetic import cast, element, plus
from .call import Call
from .model import Explanation, Tap
from .picture import drawn
from .text import listed, located, shown


def unfold(call: Call) -> Explanation:
    """Explains unfold: every element is one of the input's, or padding."""
    kernel, stride, dilation, padding = call.each("kernel_size", "stride", "dilation", "padding")
    column, number = call.index[int(call.batched) :]
    channel, *tap = (int(at) for at in np.unravel_index(column, (call.input.shape[-3], *kernel)))
    width = (call.sizes[1] + 2 * padding[1] - dilation[1] * (kernel[1] - 1) - 1) // stride[1] + 1
    numbers = zip(call.names, divmod(number, width), tap, call.sizes, kernel, stride, dilation, padding, strict=True)
    axes = [geometry.block(*axis) for axis in numbers]
    steps = [axis.window[0] for axis in axes]
    places = tuple(step.place for step in steps if step.place is not None)
    read = (*call.batch, channel, *places) if len(places) == 2 else None
    value = call.arithmetic.zero if read is None else element(call.input, read)
    moved = Tap(position=tuple(step.position for step in steps), input=read, padded=read is None, value=value)
    source = "padding" if read is None else located("input", read)
    return call.explanation(
        axes=axes,
        taps=[moved],
        planes=drawn(call, axes, channel, mode="zeros"),
        result=value,
        equation=f"{source} = {shown(value)}",
        steps=[
            f"row {column} = (channel {channel} * {kernel[0]} + tap {tap[0]}) * {kernel[1]} + tap {tap[1]}",
            f"column {number} = block {axes[0].index} * {width} + block {axes[1].index}",
            f"the element is {source} = {shown(value)}",
        ],
    )


def fold(call: Call) -> Explanation:
    """Explains fold: the taps of all blocks that cover a pixel, added up."""
    names = ("output_size", "kernel_size", "stride", "dilation", "padding")
    numbers = zip(call.names, call.place, *call.each(*names), strict=True)
    axes = [geometry.folding(*axis) for axis in numbers]
    arithmetic = call.arithmetic
    (kernel,) = call.each("kernel_size")
    total = cast(0, arithmetic.accumulator)
    taps = []
    for y, x in itertools.product(*(axis.window for axis in axes)):
        row = (call.channel * kernel[0] + y.kernel) * kernel[1] + x.kernel
        read = (*call.batch, row, y.position * axes[1].input + x.position)
        value = element(call.input, read)
        total = plus(total, cast(value, arithmetic.accumulator), arithmetic.accumulator)
        note = f"tap ({y.kernel}, {x.kernel}) of block ({y.position}, {x.position})"
        taps.append(Tap(position=read[-2:], input=read, padded=False, value=value, running=total, note=note))
    result = arithmetic.narrow(total)
    operation = "or" if arithmetic.dtype == "bool" else "sum"
    steps = [f"{operation} of the {len(taps)} elements = {shown(total)}"]
    if arithmetic.accumulator != arithmetic.dtype:
        steps.append(f"rounded from {arithmetic.accumulator} to {arithmetic.dtype}: {shown(result)}")
    return call.explanation(
        axes=axes,
        taps=taps,
        result=result,
        equation=f"{listed([shown(tap.value) for tap in taps], ' + ') or 'no block'} = {shown(result)}",
        steps=steps,
    )


def max_unpool(call: Call) -> Explanation:
    """Explains max_unpool1d, max_unpool2d and max_unpool3d."""
    kernel, padding = call.each("kernel_size", "padding")
    wanted = call.parameters["output_size"]
    sizes = [None] * call.spatial if wanted is None else list(wanted)[-call.spatial :]
    numbers = zip(call.names, call.place, call.sizes, kernel, call.stride(), padding, sizes, strict=True)
    axes = [geometry.unpooling(*axis) for axis in numbers]
    indices, plane = call.arrays["indices"], (*call.batch, call.channel)
    flat = int(np.ravel_multi_index(call.place, call.actual.shape[-call.spatial :]))
    taps = []
    for found in np.argwhere(indices[plane] == flat):
        position = tuple(int(at) for at in found)
        read = (*plane, *position)
        note = f"{located('indices', read)} = {flat}"
        taps.append(Tap(position=position, input=read, padded=False, value=element(call.input, read), note=note))
    winner = taps[-1] if taps else None
    result = winner.value if winner else call.arithmetic.zero
    place = f"the element is number {flat} of its plane"
    if winner is None:
        steps = [f"{place}; no index is {flat}, so it is 0"]
    else:
        steps = [f"{place}; {located('input', winner.input)} = {shown(result)} has that index"]
    if len(taps) > 1:
        steps.append(f"{len(taps)} elements have it: the last one stays")
    source = located("input", winner.input) if winner else "no index"
    return call.explanation(
        axes=axes, taps=taps, winner=winner, result=result, equation=f"{source} = {shown(result)}", steps=steps
    )
