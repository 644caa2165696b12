"""The grid of sweep.py: slices through the space of convolutions, each a table over two quantities."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# A larger problem shows nothing that a smaller one of the same slice does not, and takes long.
MOST_PRODUCTS = 13e9

SIZES = (7, 14, 28, 56, 112, 224, 572)
CHANNELS = (3, 17, 32, 64, 100, 129, 256, 512)
KERNELS = (1, 3, 5, 7, 11)
ONE_AXIS = ((1, 3), (1, 7), (1, 11), (3, 1), (7, 1), (11, 1))
STRIDES = (1, 2, 3, 4)


@dataclass(frozen=True)
class Problem:
    """A 2-D convolution on square maps, padded so that at stride 1 the map keeps its size."""

    batch: int = 1
    inputs: int = 64
    outputs: int = 64
    size: int = 56
    kernel: tuple[int, int] = (3, 3)
    stride: int = 1
    dilation: int = 1
    groups: int = 1

    @property
    def padding(self) -> tuple[int, int]:
        height, width = (self.dilation * (taps - 1) // 2 for taps in self.kernel)
        return height, width

    @property
    def params(self) -> dict[str, Any]:
        names = ("stride", "padding", "dilation", "groups")
        return {name: getattr(self, name) for name in names}

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.batch, self.inputs, self.size, self.size

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.outputs, self.inputs // self.groups, *self.kernel

    @property
    def output_size(self) -> tuple[int, int]:
        height, width = (
            (self.size + 2 * padding - self.dilation * (taps - 1) - 1) // self.stride + 1
            for padding, taps in zip(self.padding, self.kernel, strict=True)
        )
        return height, width

    @property
    def products(self) -> int:
        """Multiply-adds on real elements: a tap in the padding is no work, so skipping it earns nothing."""
        inside = [self.taps_inside(axis) for axis in range(2)]
        return self.batch * self.outputs * self.inputs // self.groups * math.prod(inside)

    def taps_inside(self, axis: int) -> int:
        """Pairs of an output and a tap along one axis that meet an element of the input."""
        outputs = np.arange(self.output_size[axis])[:, None] * self.stride
        positions = outputs + np.arange(self.kernel[axis]) * self.dilation - self.padding[axis]
        return int(np.count_nonzero((positions >= 0) & (positions < self.size)))

    @property
    def is_measured(self) -> bool:
        divides = self.inputs % self.groups == 0 and self.outputs % self.groups == 0
        return divides and min(self.output_size) > 0 and self.products <= MOST_PRODUCTS


def with_kernel(problem: Problem, kernel: int | tuple[int, int]) -> Problem:
    return replace(problem, kernel=kernel if isinstance(kernel, tuple) else (kernel, kernel))


# What a row or a column of a table changes in a problem.
CHANGES: dict[str, Callable[[Problem, Any], Problem]] = {
    "map": lambda problem, size: replace(problem, size=size),
    "channels": lambda problem, count: replace(problem, inputs=count, outputs=count),
    "depthwise": lambda problem, count: replace(problem, inputs=count, outputs=count, groups=count),
    "in": lambda problem, count: replace(problem, inputs=count),
    "out": lambda problem, count: replace(problem, outputs=count),
    "kernel": with_kernel,
    "stride": lambda problem, stride: replace(problem, stride=stride),
    "dilation": lambda problem, dilation: replace(problem, dilation=dilation),
    "batch": lambda problem, batch: replace(problem, batch=batch),
    "groups": lambda problem, groups: replace(problem, groups=groups),
}


@dataclass(frozen=True)
class Slice:
    """Problems that differ from a base in two quantities."""

    title: str
    base: Problem
    row_name: str
    rows: Sequence[Any]
    column_name: str
    columns: Sequence[Any]

    def problem(self, row: Any, column: Any) -> Problem:
        return CHANGES[self.column_name](CHANGES[self.row_name](self.base, row), column)


BASE = Problem()
POINT = Problem(kernel=(1, 1))
SMALL = Problem(size=28)
SMALL_POINT = Problem(size=28, kernel=(1, 1))
TINY = Problem(size=14)
FIRST = Problem(size=112, stride=2)
DEPTHWISE = Problem(inputs=128, outputs=128, groups=128)

SLICES = (
    Slice("3x3", BASE, "map", SIZES, "channels", CHANNELS),
    Slice("1x1", POINT, "map", SIZES, "channels", CHANNELS),
    Slice("64 channels", BASE, "map", SIZES, "kernel", KERNELS),
    Slice("64 channels, one axis", BASE, "map", SIZES, "kernel", ONE_AXIS),
    Slice("28x28", SMALL, "kernel", KERNELS, "channels", CHANNELS),
    Slice("3x3, 28x28", SMALL, "in", CHANNELS, "out", CHANNELS),
    Slice("1x1, 28x28", SMALL_POINT, "in", CHANNELS, "out", CHANNELS),
    Slice("64 channels, 56x56", BASE, "stride", STRIDES, "kernel", KERNELS),
    Slice("3x3, 64 channels", BASE, "stride", STRIDES, "map", SIZES),
    Slice("64 channels, 56x56", BASE, "dilation", (1, 2), "kernel", KERNELS[1:]),
    Slice("3x3, 14x14", TINY, "batch", (1, 8), "channels", CHANNELS),
    Slice("stride 2, 64 outputs, 112x112", FIRST, "in", (1, 2, 3, 4, 8), "kernel", KERNELS[1:]),
    Slice("3x3, 28x28", SMALL, "groups", (1, 2, 4, 8, 16, 32), "channels", (32, 64, 100, 128, 256, 512)),
    Slice("depthwise, 128 channels", DEPTHWISE, "map", SIZES, "kernel", KERNELS),
    Slice("depthwise, 128 channels, one axis", DEPTHWISE, "map", SIZES, "kernel", ONE_AXIS),
    Slice("depthwise, 128 channels, 56x56", DEPTHWISE, "stride", STRIDES, "kernel", KERNELS),
    Slice("3x3", BASE, "map", SIZES, "depthwise", CHANNELS),
)
