"""Unpools, unfold and fold: elements that are moved, and added where they meet."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor

from ..cpu import Function
from .numbers import as_dtype, as_signed, is_whole, wide
from .problem import Problem
from .words import each, in_torchs_words

__all__ = ["fold", "max_unpool", "unfold"]


def max_unpool(function: Function, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Tensor:
    """max_unpool1d and so on."""
    input: Tensor = tensors["input"]
    given = in_torchs_words(parameters, ["rule"]) if input.is_floating_point() else None
    if given is not None:
        unpooled: Tensor = getattr(functional, function.__name__)(**tensors, **given)
        return unpooled
    problem = Problem.of(function, tensors, parameters, int(function.__name__[-2]) + 2)
    batch, channels, *sizes = problem.input.shape[0], *problem.sizes
    if math.prod(problem.sizes) == 0:
        # In an empty plane no index is looked at.
        return problem.back(input.new_empty((batch, *problem.sizes)))
    values = as_signed(problem.input).flatten(2).flatten(0, 1)
    indices: Tensor = tensors["indices"]
    places = (indices[None] if problem.alone else indices).flatten(2).flatten(0, 1)
    counted = sizes
    if parameters["rule"] == "onnx":
        # Counted over the whole array, as if no output size were given.
        counted = list(Problem.of(function, tensors, {**parameters, "output_size": None}, len(sizes) + 2).sizes[1:])
        places = places - torch.arange(len(places), device=places.device)[:, None] * math.prod(counted)
    if bool(((places < 0) | (places >= math.prod(counted))).any()):
        raise ValueError(f"an index lies outside the {math.prod(counted)} elements of the output's planes")
    if counted != sizes:
        places = _moved(places, counted, sizes)
    planes = values.new_zeros((batch * channels, math.prod(sizes))).scatter_(1, places, values)
    return problem.back(planes.view(input.dtype).reshape(batch, channels, *sizes))


def unfold(function: Function, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Tensor:
    """unfold."""
    input: Tensor = tensors["input"]
    if not is_whole(input.dtype):
        unfolded: Tensor = functional.unfold(input, **parameters)
        return unfolded
    problem = Problem.of(function, tensors, parameters, 4)
    kernel, dilation, padding, stride = _sizes(parameters)
    elements = as_signed(problem.input)
    elements = functional.pad(elements, [side for side in reversed(padding) for _ in range(2)])
    for dim, (taps, far, step) in enumerate(zip(kernel, dilation, stride, strict=True), 2):
        elements = elements.unfold(dim, far * (taps - 1) + 1, step)[..., ::far]
    blocks = elements.permute(0, 1, 4, 5, 2, 3).reshape(len(elements), *problem.sizes)
    return problem.back(blocks.view(input.dtype))


def fold(function: Function, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Tensor:
    """fold."""
    input: Tensor = tensors["input"]
    if not is_whole(input.dtype):
        folded: Tensor = functional.fold(input, **parameters)
        return folded
    problem = Problem.of(function, tensors, parameters, 3)
    kernel, dilation, padding, stride = _sizes(parameters)
    channels, *sizes = problem.sizes
    whole = [size + 2 * side for size, side in zip(sizes, padding, strict=True)]
    counts = [
        (size - far * (taps - 1) - 1) // step + 1
        for size, taps, far, step in zip(whole, kernel, dilation, stride, strict=True)
    ]
    blocks = wide(problem.input).reshape(-1, channels, *kernel, *counts)
    image = blocks.new_zeros((len(problem.input), channels, *whole))
    for taps in itertools.product(*map(range, kernel)):
        reached = [
            slice(tap * far, tap * far + (count - 1) * step + 1, step)
            for tap, far, count, step in zip(taps, dilation, counts, stride, strict=True)
        ]
        image[:, :, reached[0], reached[1]] += blocks[:, :, taps[0], taps[1]]
    inside = [slice(side, side + size) for side, size in zip(padding, sizes, strict=True)]
    return problem.back(as_dtype(image[:, :, inside[0], inside[1]].contiguous(), input.dtype))


def _moved(places: Tensor, counted: list[int], sizes: list[int]) -> Tensor:
    """Places in planes of the sizes `counted`, as places in planes of other sizes."""
    moved = torch.zeros_like(places)
    axes = zip(torch.unravel_index(places, counted), sizes, strict=True)
    for along, size in axes:
        moved = moved * size + along
    return moved


def _sizes(parameters: Mapping[str, Any]) -> list[list[int]]:
    return [each(parameters[name], 2) for name in ("kernel_size", "dilation", "padding", "stride")]
