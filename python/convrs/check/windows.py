"""Which input elements an output sees along one axis, by size arithmetic independent of the kernels'."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Axis:
    """Tap t of output o reads `positions[t, o]`, if `inside[t, o]`."""

    positions: NDArray[np.int64]
    inside: NDArray[np.bool_]
    first: NDArray[np.int64]
    """For each output the first position of its window at or after the beginning of the input."""
    extent: NDArray[np.int64]
    """For each output the elements of its window in input and padding together."""

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return int(self.positions.shape[1])

    def only(self, outputs: NDArray[np.int64]) -> Axis:
        """The axis with these outputs alone."""
        return Axis(self.positions[:, outputs], self.inside[:, outputs], self.first[outputs], self.extent[outputs])


@dataclass(frozen=True)
class Tap:
    """One tap of all outputs."""

    number: tuple[int, ...]
    index: tuple[Any, ...]
    """Picks its element for every output from the spatial axes of an input, somewhere else where it is outside."""
    inside: NDArray[np.bool_]
    flat: NDArray[np.int64]
    """The element's place in its plane, counted in C order."""

    def weight(self, kernels: NDArray[Any]) -> NDArray[Any]:
        """The tap's element of every kernel, the kernel's axes being the last."""
        index: Any = (..., *self.number)
        element: NDArray[Any] = kernels[index]
        return element

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """The tap's element of (batch, channels, spatial axes) for every output, any element where it is outside."""
        if 0 in array.shape:
            return np.zeros(array.shape[:2] + self.inside.shape, array.dtype)
        element: NDArray[Any] = array[self.index]
        return element


def taps(axes: Sequence[Axis], sizes: Sequence[int]) -> Iterator[Tap]:
    """The taps of a window in C order; `sizes` are the spatial sizes of the input."""
    for number in itertools.product(*(range(len(axis.positions)) for axis in axes)):
        chosen = [axis.positions[tap] for axis, tap in zip(axes, number, strict=True)]
        index = np.ix_(*(np.clip(at, 0, max(size - 1, 0)) for at, size in zip(chosen, sizes, strict=True)))
        inside = np.ix_(*(axis.inside[tap].astype(np.intp) for axis, tap in zip(axes, number, strict=True)))
        yield Tap(number, (..., *index), reduce(np.multiply, inside).astype(np.bool_), flat(chosen, sizes))


def flat(positions: Sequence[NDArray[np.int64]], sizes: Sequence[int]) -> NDArray[np.int64]:
    """Place in the plane, in C order, for every combination of positions along the axes."""
    place = np.zeros((1,) * len(sizes), np.int64)
    for at, size in zip(np.ix_(*positions), sizes, strict=True):
        place = place * size + at
    return place


def outer(columns: Sequence[NDArray[Any]]) -> Any:
    """The product of one number an axis, for every combination of outputs."""
    return reduce(np.multiply, np.ix_(*columns))


def counts(axes: Sequence[Axis]) -> Any:
    """For every output its taps inside the input."""
    return outer([axis.inside.sum(axis=0) for axis in axes])


def each(value: Any, spatial: int) -> list[Any]:
    """One value for each spatial axis."""
    values = list(value) if isinstance(value, Sequence | np.ndarray) else [value]
    if len(values) not in (1, spatial):
        raise ValueError(f"{value} must be one value, or one for each of {spatial}")
    return values * spatial if len(values) == 1 else values


def paddings(value: Any, spatial: int) -> list[Any]:
    """Padding of each spatial axis: a text or a (before, after) pair."""
    if isinstance(value, str):
        return [value] * spatial
    return [tuple(each(pair, 2)) for pair in each(value, spatial)]


def convolution(size: int, kernel: int, stride: int, dilation: int, padding: Any, mode: str) -> Axis:
    """The axis of a convolution. Padding is a (before, after) pair or a text."""
    span = dilation * (kernel - 1) + 1
    before, after = sides(size, span, stride, padding)
    outputs = _positive((size + before + after - span) // stride + 1)
    positions = np.arange(outputs) * stride - before + np.arange(kernel)[:, None] * dilation
    if mode == "reflect":
        positions = size - 1 - np.abs(size - 1 - np.abs(positions))
    elif mode == "replicate":
        positions = np.clip(positions, 0, size - 1)
    elif mode == "circular":
        positions = positions % size
    return _axis(positions, size)


def transposed(size: int, kernel: int, stride: int, dilation: int, padding: int, output_padding: int) -> Axis:
    """The axis of a transposed convolution: input i and tap t reach output i * stride - padding + t * dilation."""
    outputs = _positive((size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1)
    steps = np.arange(outputs) + padding - np.arange(kernel)[:, None] * dilation
    positions = steps // stride
    return _axis(positions, size, steps % stride == 0)


def pooling(
    size: int, kernel: int, stride: int, padding: Any, dilation: int, ceil_mode: bool, rule: str = "torch"
) -> Axis:
    """The axis of a sliding pool. Padding is a (before, after) pair or a text.

    In ceil mode a window must start in the input or in the padding before it, but not by every rule.
    """
    span = dilation * (kernel - 1) + 1
    if rule.startswith("tensorflow"):
        padding = rule.removeprefix("tensorflow-")
    before, after = sides(size, span, stride, padding)
    spare = size + before + after - span
    outputs = _positive((-(-spare // stride) if ceil_mode else spare // stride) + 1)
    dropped = {"onnxruntime-legacy": False, "coreml": before + after > 0}.get(rule, True)
    if ceil_mode and dropped and (outputs - 1) * stride >= size + before:
        outputs -= 1
    starts = np.arange(outputs) * stride - before
    first = np.where(starts < 0, starts % dilation, starts)
    positions = starts + np.arange(kernel)[:, None] * dilation
    extent = np.sum(positions < size + after, axis=0)
    if rule in ("onnxruntime-legacy", "coreml"):
        extent = np.full_like(extent, kernel)
    return _axis(positions, size, first=first, extent=extent)


def sides(size: int, span: int, stride: int, padding: Any) -> tuple[int, int]:
    """Padding before and after an axis, for windows of `span` elements."""
    if padding in ("same", "same_lower"):
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
        less, more = total // 2, total - total // 2
        return (less, more) if padding == "same" else (more, less)
    before, after = (0, 0) if padding == "valid" else padding
    return before, after


def adaptive(size: int, outputs: int | None) -> Axis:
    """The axis of an adaptive pool: output o sees floor(o * size / outputs) up to ceil((o + 1) * size / outputs)."""
    outputs = size if outputs is None else outputs
    starts = [output * size // outputs for output in range(outputs)]
    ends = [-(-(output + 1) * size // outputs) for output in range(outputs)]
    return _windows(np.array(starts, np.int64), np.array(ends, np.int64), size)


def fractional(starts: NDArray[np.int64], kernel: int, size: int) -> Axis:
    """The axis of a fractional pool."""
    return _windows(starts, starts + kernel, size)


def _windows(starts: NDArray[np.int64], ends: NDArray[np.int64], size: int) -> Axis:
    offsets = np.arange(int((ends - starts).max(initial=0)))[:, None]
    return _axis(starts + offsets, size, offsets < ends - starts, starts, ends - starts)


def _axis(
    positions: NDArray[np.int64],
    size: int,
    among: Any = True,
    first: NDArray[np.int64] | None = None,
    extent: NDArray[np.int64] | None = None,
) -> Axis:
    outputs = np.zeros(positions.shape[1], np.int64)
    inside = (positions >= 0) & (positions < size) & among
    return Axis(positions, inside, outputs if first is None else first, outputs if extent is None else extent)


def _positive(outputs: int) -> int:
    if outputs < 1:
        raise ValueError(f"the output would have {outputs} elements on an axis")
    return outputs
