"""Pools that take the maximum or the minimum of a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from . import geometry
from .arithmetic import element
from .call import Call
from .model import Axis, Explanation, Tap
from .picture import drawn
from .text import listed, located, shown
from .windows import joined, sliding
from .windows import taps as window_taps


def max_pool(call: Call) -> Explanation:
    """Explains max_pool1d, max_pool2d and max_pool3d."""
    return _extremum(call, sliding(call))


def min_pool(call: Call) -> Explanation:
    """Explains min_pool1d, min_pool2d and min_pool3d."""
    return _extremum(call, sliding(call), smallest=True)


def adaptive_max_pool(call: Call) -> Explanation:
    """Explains adaptive_max_pool1d, adaptive_max_pool2d and adaptive_max_pool3d."""
    (outputs,) = call.each("output_size")
    numbers = zip(call.names, call.place, call.sizes, outputs, strict=True)
    return _extremum(call, [geometry.adaptive(*axis) for axis in numbers])


def fractional_max_pool(call: Call) -> Explanation:
    """Explains fractional_max_pool2d and fractional_max_pool3d."""
    (kernel,) = call.each("kernel_size")
    drawn_for = call.arrays["_random_samples"]
    plane = (*(call.batch or (0,)), call.channel)
    samples = [float(element(drawn_for, (*plane, axis))) for axis in range(call.spatial)]
    if call.spatial == 2:
        # Torch keeps the samples of two axes as (width, height).
        samples.reverse()
    outputs = call.actual.shape[-call.spatial :]
    roundings = [call.arithmetic.coordinate] * call.spatial
    numbers = zip(call.names, call.place, call.sizes, kernel, outputs, samples, roundings, strict=True)
    return _extremum(call, [geometry.fractional(*axis) for axis in numbers])


def larger(best: Any, value: Any) -> Any:
    """Torch's maximum of two: the first of equals, the last NaN."""
    return value if value > best or value != value else best


def smaller(best: Any, value: Any) -> Any:
    """The minimum of two: the first of equals, the last NaN."""
    return value if value < best or value != value else best


def _extremum(call: Call, axes: Sequence[Axis], *, smallest: bool = False) -> Explanation:
    name, better, better_of = ("min", "smaller", smaller) if smallest else ("max", "larger", larger)
    begin = _begin(call.arithmetic.dtype, smallest)
    best: Any = begin
    winner = None
    taps = []
    for tap in window_taps(call, axes):
        if tap.padded:
            taps.append(replace(tap, running=best, note="skipped"))
            continue
        wins = bool((tap.value < best if smallest else tap.value > best) or tap.value != tap.value)
        note = ("NaN always wins" if tap.value != tap.value else better) if wins else ""
        if not wins and tap.value == best and winner is not None:
            note = "equal: the first stays" if winner.note else f"not {better} than the start"
        best = tap.value if wins else best
        taps.append(replace(tap, running=best, note=note))
        # Without any better one, the first tap gives the index.
        if wins or winner is None:
            winner = taps[-1]
    if winner is None:
        return call.explanation(
            axes=axes,
            taps=taps,
            planes=drawn(call, axes, call.channel, mode=None),
            result=best,
            equation=f"{name}() = {shown(best)}",
            steps=[f"no tap lies inside the input: {shown(best)}"],
        )
    # Where the signs of zeros tie, the order decides; without indices the kernel goes column by column.
    result = winner.value if call.indices is not None else joined(call, axes, lambda value: value, better_of)
    inside = [tap.value for tap in taps if not tap.padded]
    flat = int(np.ravel_multi_index(winner.position, call.sizes))
    steps = [
        f"start at {shown(begin)}; a tap wins if it is {better} than the best so far, or NaN",
        f"the winner is {located('input', winner.input)} = {shown(winner.value)}, index {flat} in its plane",
        *_reasons(inside, winner),
    ]
    notes = []
    if call.indices is not None:
        given = int(call.indices[call.index])
        notes.append(f"the index that {call.op} returns is {given}: " + ("the same" if given == flat else "it differs"))
    return call.explanation(
        axes=axes,
        taps=taps,
        planes=drawn(call, axes, call.channel, mode=None),
        winner=winner,
        result=result,
        equation=f"{name}({listed([shown(value) for value in inside], ', ')}) = {shown(result)}",
        steps=steps,
        notes=notes,
    )


def _reasons(values: Sequence[Any], winner: Tap) -> list[str]:
    missing = sum(1 for value in values if value != value)
    if missing:
        return [f"{missing} NaN among {len(values)}: a NaN beats every number, and the last one gives the index"]
    equal = sum(1 for value in values if value == winner.value)
    return [f"{equal} taps are equal: the first gives the index"] if equal > 1 else []


def _begin(dtype: str, smallest: bool) -> Any:
    if dtype == "bool":
        return np.bool_(smallest)
    kind = np.dtype("float32" if dtype == "bfloat16" else dtype)
    if kind.kind == "f":
        return kind.type(np.inf if smallest else -np.inf)
    limits = np.iinfo(kind)
    return kind.type(limits.max if smallest else limits.min)
