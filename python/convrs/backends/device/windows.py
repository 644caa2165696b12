"""Windows of pools as tensors of places, taken from the tables that the kernels use, and what lies in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from ... import _convrs
from .problem import Problem

__all__ = ["Axis", "adaptive_axes", "first_places", "number_of_elements", "outer", "sliding_axes", "windows"]

Table: TypeAlias = list[list[tuple[int, int, int, int, int]]]
"""For each axis, for each output: start, first covered element, covered elements, their distance, counted ones."""


@dataclass(frozen=True)
class Axis:
    """The windows along one axis of (batch, channels, ...)."""

    dim: int
    """The axis."""
    places: Tensor
    """(outputs, taps): the element of every tap, any element where the tap is outside."""
    inside: Tensor
    """(outputs, taps): whether the tap is inside the input."""
    first: Tensor
    """(outputs,): the first element at or after where the window begins."""
    taps: Tensor
    """(outputs,): how many taps are inside."""
    counted: Tensor
    """(outputs,): how many elements count where padding counts."""


def sliding_axes(problem: Problem, within_input: bool) -> list[Axis]:
    """The axes of a pool that slides, on the input's device.

    Args:
        problem: the call.
        within_input: whether the kernel must fit the input without its padding, as torch's 3-D means want it.
    """
    given = problem.parameters
    table = _convrs.sliding_windows(
        problem.spatial,
        problem.input.shape[2:],
        given["kernel_size"],
        given["stride"],
        given["padding"],
        given["dilation"],
        given["ceil_mode"],
        given["rule"],
        within_input,
    )
    return _axes(table, problem.input)


def adaptive_axes(problem: Problem) -> list[Axis]:
    """The axes of an adaptive pool, on the input's device."""
    output_size = problem.parameters["output_size"]
    return _axes(_convrs.adaptive_windows(problem.spatial, problem.input.shape[2:], output_size), problem.input)


def _axes(table: Table, input: Tensor) -> list[Axis]:
    device = input.device
    axes = []
    for dim, (rows, size) in enumerate(zip(table, input.shape[2:], strict=True), 2):
        _, first, taps, step, counted = torch.tensor(rows, dtype=torch.int64).reshape(-1, 5).to(device).unbind(1)
        number = torch.arange(max((row[2] for row in rows), default=0) or 1, device=device)
        places = (first[:, None] + number * step[:, None]).clamp(0, size - 1)
        axes.append(Axis(dim, places, number < taps[:, None], first, taps, counted))
    return axes


def windows(input: Tensor, axis: Axis, fill: float) -> Tensor:
    """What lies in the windows along an axis: its outputs, and their taps on a new axis behind; `fill` outside."""
    front, behind = input.shape[: axis.dim], input.shape[axis.dim + 1 :]
    taken = input.index_select(axis.dim, axis.places.flatten()).reshape(*front, *axis.places.shape, *behind)
    return taken.masked_fill(~axis.inside.reshape(*axis.inside.shape, *[1] * len(behind)), fill)


def outer(columns: Sequence[Tensor]) -> Tensor:
    """The product of one number an axis, for every combination of outputs."""
    product = columns[0]
    for column in columns[1:]:
        product = product[..., None] * column
    return product


def number_of_elements(axes: Sequence[Axis]) -> Tensor:
    """For every output its elements inside the input."""
    return outer([axis.taps for axis in axes])


def first_places(axes: Sequence[Axis], sizes: Sequence[int]) -> Tensor:
    """For every output the place in the plane, in C order, of the first element of each axis."""
    place = torch.zeros((), dtype=torch.int64, device=axes[0].first.device)
    for axis, behind in zip(axes, range(len(axes) - 1, -1, -1), strict=True):
        place = place + axis.first.reshape(-1, *[1] * behind) * math.prod(sizes[len(axes) - behind :])
    return place
