"""Maxima and minima of windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor

from ..cpu import Function
from .numbers import disordered, highest, lowest, ordered
from .problem import Problem, refused
from .windows import Axis, adaptive_axes, first_places, number_of_elements, sliding_axes, windows
from .words import in_torchs_words

__all__ = ["adaptive_max_pool", "extremum_pool", "fractional_max_pool", "maxima"]


def extremum_pool(function: Function, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """max_pool1d, min_pool1d and so on."""
    input: Tensor = tensors["input"]
    name = function.__name__
    given = in_torchs_words(parameters, ["rule"]) if input.is_floating_point() else None
    if given is None:
        return _extrema(Problem.of(function, tensors, parameters, int(name[-2]) + 2))
    if name.startswith("max"):
        return getattr(functional, name)(input, **given)
    result = getattr(functional, name.replace("min", "max"))(-input, **given)
    return (-result[0], result[1]) if isinstance(result, tuple) else -result


def adaptive_max_pool(function: Function, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """adaptive_max_pool1d and so on."""
    input: Tensor = tensors["input"]
    if input.is_floating_point():
        return getattr(functional, function.__name__)(input, **parameters)
    problem = Problem.of(function, tensors, parameters, int(function.__name__[-2]) + 2)
    values, places = maxima(
        ordered(problem.input), adaptive_axes(problem), lowest(input.dtype), parameters["return_indices"]
    )
    values = problem.back(disordered(values, input.dtype))
    return values if places is None else (values, problem.back(places))


def fractional_max_pool(function: Function, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """fractional_max_pool2d and fractional_max_pool3d."""
    if not tensors["input"].is_floating_point():
        raise refused(f"a fractional pool of {tensors['input'].dtype}", "every plane would have windows of its own")
    return getattr(functional, function.__name__)(**tensors, **parameters)


def _extrema(problem: Problem) -> Any:
    """A sliding pool by any rule, of any dtype that has an order."""
    given, rule, dtype = problem.parameters, problem.parameters["rule"], problem.input.dtype
    smallest, real = problem.function.__name__.startswith("min"), dtype.is_floating_point
    axes = sliding_axes(problem, within_input=False)
    input = problem.input if real else ordered(problem.input)
    # Of whole numbers the opposite order is that of -1 - x.
    least: float = -math.inf if real else ~highest(dtype) if smallest else lowest(dtype)
    if smallest:
        input = -input if real else ~input
    if real and rule.startswith("tensorflow"):
        # There the search begins at a finite number, which neither NaN nor an infinity replaces.
        least = torch.finfo(dtype).min
        input = torch.where(input > least, input, least)
    values, places = maxima(input, axes, least, given["return_indices"])
    if real and rule == "onnxruntime-legacy":
        values = values.masked_fill(number_of_elements(axes) == 0, torch.finfo(dtype).min)
    if smallest:
        values = -values if real else ~values
    values = problem.back(values if real else disordered(values, dtype))
    return values if places is None else (values, problem.back(_rebased(places, rule, problem.input)))


def maxima(input: Tensor, axes: Sequence[Axis], least: float, with_places: bool) -> tuple[Tensor, Tensor | None]:
    """The largest element of each window, `least` where it has none, and where in its plane it stands.

    Of equal elements it is the first, of NaN the last, both in C order; so the last axis goes first.
    """
    sizes = input.shape[2:]
    place = None
    if with_places:
        place = torch.arange(math.prod(sizes), device=input.device).reshape(sizes).expand(input.shape)
    for axis in reversed(axes):
        candidates = windows(input, axis, least)
        input = candidates.amax(axis.dim + 1)
        if place is not None:
            outside = -1
            standing = windows(place, axis, outside)
            place = standing.gather(axis.dim + 1, _winners(candidates, input, standing != outside, axis.dim + 1))
            place = place.squeeze(axis.dim + 1)
    if place is not None:
        place = torch.where(place < 0, first_places(axes, sizes), place)
    return input, place


def _winners(candidates: Tensor, best: Tensor, inside: Tensor, dim: int) -> Tensor:
    """Which candidate along an axis is the one that is named."""
    best = best.unsqueeze(dim)
    count = candidates.shape[dim]
    order = torch.arange(1, count + 1, device=candidates.device).reshape(-1, *[1] * (candidates.dim() - dim - 1))
    # A NaN wins over whatever came before, a number only over smaller ones.
    rank = torch.where(best.isnan(), order, count + 1 - order)
    wins = inside & ((candidates == best) | (candidates.isnan() & best.isnan()))
    return (rank * wins).argmax(dim, keepdim=True)


def _rebased(places: Tensor, rule: str, input: Tensor) -> Tensor:
    """Places in a plane, counted as a rule counts them."""
    batch, channels, *sizes = input.shape
    behind = [1] * len(sizes)
    channel = torch.arange(channels, device=places.device).reshape(-1, *behind)
    if rule.startswith("onnx"):
        image = torch.arange(batch, device=places.device).reshape(-1, 1, *behind)
        return places + (image * channels + channel) * math.prod(sizes)
    return places * channels + channel if rule.startswith("tensorflow") else places
