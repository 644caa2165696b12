"""What an explanation holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from . import text


@dataclass(frozen=True)
class Step:
    """One tap of a window along one axis."""

    kernel: int
    """Which element of the kernel."""
    position: int
    """Where it lies, counted from the first input element; negative in the padding before it."""
    place: int | None
    """The input element it reads there; None where it reads none."""


@dataclass(frozen=True)
class Axis:
    """One spatial axis: its size formula and the window of the explained element."""

    name: str
    """"length", "height", "width" or "depth"."""
    input: int
    """Elements of the input."""
    output: int
    """Elements of the output."""
    index: int
    """Index of the explained element."""
    formula: str
    """Where its size or its window comes from, with a {name} for each number."""
    numbers: Mapping[str, int | float]
    """The numbers of the formula."""
    result: str
    """What the formula gives."""
    window: tuple[Step, ...]
    """The taps, in the kernel's order."""
    extent: int
    """Elements of the window inside input and padding."""
    padding: tuple[int, int] = (0, 0)
    """Padding before and after the input."""
    notes: tuple[str, ...] = ()
    """What is special about this axis."""


@dataclass(frozen=True)
class Tap:
    """One element of the input that the explained element sees, or one element of padding."""

    position: tuple[int, ...]
    """Where it lies in the spatial axes of the input; negative in the padding before it."""
    input: tuple[int, ...] | None
    """Index of the input element it reads; None for padding that holds none."""
    padded: bool
    """Whether it lies outside the input."""
    value: Any
    """The element, or the zero of the padding; None where the operator skips it."""
    weight_index: tuple[int, ...] | None = None
    """Index of the weight element it is multiplied with."""
    weight: Any = None
    """That element."""
    product: Any = None
    """What it adds: value * weight, or for power means the power; rounded."""
    running: Any = None
    """The sum or the maximum so far; of pools that sum, the sum of the column, or of its latest 64 taps."""
    note: str = ""
    """What is special about this tap."""


@dataclass(frozen=True)
class Cell:
    """One element of a picture."""

    value: Any
    """The element; None where nothing is read."""
    kind: Literal["input", "padding", "outside"]
    """"outside" lies beyond the padding."""
    tap: bool
    """Whether the window takes it."""


@dataclass(frozen=True)
class Plane:
    """The input around a window, in one channel at one depth."""

    title: str
    """Which plane it is."""
    rows: tuple[int, ...]
    """Positions along the height; empty for one spatial axis."""
    columns: tuple[int, ...]
    """Positions along the width."""
    cells: tuple[tuple[Cell, ...], ...]
    """The elements, row by row."""


@dataclass(frozen=True)
class Explanation:
    """One number taken apart. Print it to read it."""

    op: str
    """Name of the operator."""
    index: tuple[int, ...]
    """Which element of the output, counted from 0."""
    shape: tuple[int, ...]
    """Shape of the output."""
    dtype: str
    """The dtype of the arrays."""
    accumulator: str
    """The dtype in which the element is computed."""
    axes: tuple[Axis, ...]
    """The spatial axes."""
    taps: tuple[Tap, ...]
    """Every tap, in the kernel's order."""
    planes: tuple[Plane, ...]
    """The window on the input, drawn for its first channel; empty where it is too large to draw."""
    columns: tuple[Any, ...]
    """For pools that sum: the sums of the window's columns. Up to 8 are added up in this order; how more are, says
    `convrs.explanation.order`."""
    bias: Any
    """The bias, or None."""
    divisor: int | None
    """What a sum is divided by, or None."""
    winner: Tap | None
    """The tap that is the maximum, or the one that an unpool writes; else None."""
    steps: tuple[str, ...]
    """From the taps to the result, in words."""
    equation: str
    """The element in one line."""
    result: Any
    """The element, computed from the taps."""
    actual: Any
    """The element that the operator returns."""
    agrees: bool
    """Whether both are the same, bit by bit (a NaN is a NaN)."""
    notes: tuple[str, ...] = ()
    """What else is worth knowing."""

    def __str__(self) -> str:
        return text.explained(self)
