"""The windows of a pool, axis by axis."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _convrs, functional
from ..check.reference import name_of
from ..check.windows import each

NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""Names of the spatial axes by their number."""

SLIDING = ("max_pool", "min_pool", "avg_pool", "lp_pool")
"""Pools whose windows slide, without "1d", "2d" or "3d"."""


@dataclass(frozen=True)
class Window:
    """What one output covers along one axis."""

    output: int
    """Index of the output."""
    start: int
    """Where the window begins; negative in the padding before the input, whose first element is 0."""
    stop: int
    """Where it ends, this position not included; beyond the input's size in the padding after it."""
    taps: range
    """The input elements it covers."""
    clipped: int
    """Its taps outside the input: in the padding, or beyond it in ceil mode."""
    divisor: int | None
    """The axis' factor in the divisor of a mean; None for pools that divide by nothing."""


@dataclass(frozen=True)
class AxisWindows(Sequence[Window]):
    """The windows along one axis, one for each output. Print it to read it."""

    name: str
    """"length", "height", "width" or "depth"."""
    input: int
    """Elements of the input."""
    windows: tuple[Window, ...]
    """The windows."""

    def __getitem__(self, index: Any) -> Any:
        return self.windows[index]

    def __len__(self) -> int:
        return len(self.windows)

    def __str__(self) -> str:
        rows = [("output", "window", "input", "clipped", "divisor")]
        for window in self.windows:
            taps, step = window.taps, window.taps.step
            inside = f"{taps[0]} to {taps[-1]}" + (f" by {step}" if step > 1 else "") if taps else "none"
            divisor = "" if window.divisor is None else str(window.divisor)
            whole = f"{window.start} to {window.stop - 1}"
            rows.append((str(window.output), whole, inside, str(window.clipped), divisor))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{self.name}: {self.input} elements, {len(self)} outputs"]
        lines += [
            "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join(lines)


def windows(
    op: str | Callable[..., Any], input_size: int | Sequence[int], *arguments: Any, **parameters: Any
) -> tuple[AxisWindows, ...]:
    """The windows of a pool: for every output along every axis the input it covers, the divisor, and the clipped taps.

    Args:
        op: the name of a pool of `convrs`, or the function: maximum, minimum, mean and power mean, sliding, adaptive
            or fractional.
        input_size: the spatial sizes of the input, a number or one for each axis.
        *arguments: the arguments of the pool after its input.
        **parameters: the same by keyword, `rule` among them. A fractional pool needs `_random_samples`, those of one
            plane: one number for each axis; their dtype is the one in which windows are placed.

    Returns:
        One table for each spatial axis.

    Raises:
        ValueError: no such pool, or the pool refuses a value.
        TypeError: the pool has no such parameter, or refuses a kind.

    Source:
        The windows are those that the kernels use. Adaptive ones overlap unevenly, and exporters have no operator for
        them (pytorch#64806); fractional ones are those of Graham, Fractional Max-Pooling, arXiv:1412.6071.

    Example:
        >>> print(*windows("avg_pool1d", 7, 3, stride=3, padding=1, ceil_mode=True))
        length: 7 elements, 3 outputs
          output   window   input  clipped  divisor
               0  -1 to 1  0 to 1        1        3
               1   2 to 4  2 to 4        0        3
               2   5 to 7  5 to 6        1        3
        >>> [list(window.taps) for window in windows("adaptive_avg_pool1d", 5, 3)[0]]
        [[0, 1], [1, 2, 3], [3, 4]]
    """
    name, spatial, family = pool(op)
    signature = inspect.signature(getattr(functional, name))
    bound = signature.bind(None, *arguments, **parameters)
    bound.apply_defaults()
    return table(family, spatial, input_size, bound.arguments)


def table(family: str, spatial: int, input_size: Any, given: Mapping[str, Any]) -> tuple[AxisWindows, ...]:
    """The windows of a pool whose parameters are all given."""
    if family in SLIDING:
        limited = spatial == 3 and (family == "avg_pool" or (family == "lp_pool" and np.isfinite(given["norm_type"])))
        axes = _convrs.sliding_windows(
            spatial,
            input_size,
            given["kernel_size"],
            given["stride"],
            given["padding"],
            given["dilation"],
            given["ceil_mode"],
            given["rule"],
            limited,
        )
        kernels = each(given["kernel_size"], spatial)
    elif family.startswith("adaptive"):
        axes = _convrs.adaptive_windows(spatial, input_size, given["output_size"])
        kernels = [None] * spatial
    else:
        if given["_random_samples"] is None:
            raise ValueError("_random_samples is None, which draws new windows in every call: give those of a plane")
        samples = np.asarray(given["_random_samples"])
        if samples.size != spatial:
            raise ValueError(
                f"_random_samples has shape {samples.shape}: it must have {spatial} numbers, those of a plane"
            )
        sizes = (given["kernel_size"], given["output_size"], given["output_ratio"])
        axes = _convrs.fractional_windows(spatial, input_size, *sizes, samples.reshape(1, 1, spatial))
        kernels = each(given["kernel_size"], spatial)
    counted = _counted(family, given)
    inputs = each(input_size, spatial)
    return tuple(
        AxisWindows(name, int(size), tuple(_window(output, row, kernel, counted) for output, row in enumerate(rows)))
        for name, size, kernel, rows in zip(NAMES[spatial], inputs, kernels, axes, strict=True)
    )


def pool(op: str | Callable[..., Any]) -> tuple[str, int, str]:
    """Name, number of axes, and name without them."""
    name = name_of(op, [name for name in functional.__all__ if re.fullmatch(r".*_pool[123]d", name)])
    return name, int(name[-2]), name[:-2]


def _counted(family: str, given: Mapping[str, Any]) -> str:
    """What is counted for the divisor: "padded" or "inside" elements, or nothing."""
    if family == "avg_pool" and given.get("divisor_override") is None:
        included = given["count_include_pad"] and not given["rule"].startswith("tensorflow")
        return "padded" if included else "inside"
    return "inside" if family == "adaptive_avg_pool" or (family == "lp_pool" and given["rule"] == "torch") else ""


def _window(output: int, row: tuple[int, int, int, int, int], kernel: int | None, counted: str) -> Window:
    start, first, taps, step, extent = row
    wanted = taps if kernel is None else int(kernel)
    covered = range(first, first + taps * step, step)
    divisor = {"padded": extent, "inside": taps}.get(counted)
    return Window(output, start, start + (wanted - 1) * step + 1, covered, wanted - taps, divisor)
