"""Means and power means of windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor

from ..cpu import Function
from .extrema import maxima
from .numbers import as_dtype, is_whole, lowest, wide
from .problem import Problem, refused
from .windows import Axis, adaptive_axes, number_of_elements, outer, sliding_axes, windows
from .words import each, in_torchs_words

__all__ = ["adaptive_avg_pool", "avg_pool", "lp_pool"]

NARROW = (torch.float16, torch.bfloat16)


def avg_pool(function: Function, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Tensor:
    """avg_pool1d and so on."""
    input: Tensor = tensors["input"]
    given = in_torchs_words(parameters, ["rule", "dilation"]) if input.is_floating_point() else None
    if given is not None:
        mean: Tensor = getattr(functional, function.__name__)(input, **given)
        return mean
    problem = Problem.of(function, tensors, parameters, int(function.__name__[-2]) + 2)
    rule, override = parameters["rule"], parameters.get("divisor_override")
    axes = sliding_axes(problem, within_input=problem.spatial == 3)
    padding_counts = parameters["count_include_pad"] and not rule.startswith("tensorflow")
    elements = number_of_elements(axes)
    divisor = outer([axis.counted for axis in axes]) if padding_counts else elements
    if override is not None:
        divisor = torch.full_like(divisor, override)
    result = _mean(problem.input, axes, divisor)
    if rule == "onnxruntime-legacy" and not padding_counts and override is None and input.is_floating_point():
        # 0 / 0.
        result = result.masked_fill(elements == 0, math.nan)
    return problem.back(result)


def adaptive_avg_pool(function: Function, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Tensor:
    """adaptive_avg_pool1d and so on."""
    input: Tensor = tensors["input"]
    if input.is_floating_point():
        mean: Tensor = getattr(functional, function.__name__)(input, **parameters)
        return mean
    problem = Problem.of(function, tensors, parameters, int(function.__name__[-2]) + 2)
    axes = adaptive_axes(problem)
    return problem.back(_mean(problem.input, axes, number_of_elements(axes)))


def lp_pool(function: Function, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Tensor:
    """lp_pool1d and so on. 16-bit floats are summed in float32, where torch's powers would overflow."""
    input: Tensor = tensors["input"]
    plain = input.is_floating_point() and input.dtype not in NARROW
    given = in_torchs_words(parameters, ["rule", "dilation", "padding"]) if plain else None
    if given is not None:
        power_mean: Tensor = getattr(functional, function.__name__)(input, **given)
        return power_mean
    problem = Problem.of(function, tensors, parameters, int(function.__name__[-2]) + 2)
    norm = float(parameters["norm_type"])
    if math.isinf(norm):
        return problem.back(_largest_magnitude(problem, norm))
    axes = sliding_axes(problem, within_input=problem.spatial == 3)
    as_torch = parameters["rule"] == "torch"
    accumulated = input.dtype if input.dtype == torch.float64 else torch.float32
    powers = problem.input.to(accumulated)
    powers = (powers if as_torch else powers.abs()).pow(norm)
    total = _sum(powers, axes)
    if as_torch:
        # A window that is cut at the border counts as if it were whole.
        kernel = math.prod(each(parameters["kernel_size"], problem.spatial))
        total = total * (kernel / number_of_elements(axes).clamp(min=1)).to(accumulated)
    return problem.back(total.pow(1 / norm).to(problem.dtype))


def _largest_magnitude(problem: Problem, norm: float) -> Tensor:
    """The norms of infinity: the largest magnitude, or the smallest."""
    axes, dtype = sliding_axes(problem, within_input=False), problem.dtype
    sign = math.copysign(1, norm)
    if dtype.is_floating_point:
        # Without elements the search ends where it began; the norm of nothing is zero.
        least = 0.0 if sign > 0 else -math.inf
        return maxima(sign * problem.input.to(dtype).abs(), axes, least, False)[0].abs()

    def wrapped(tensor: Tensor) -> Tensor:
        return wide(as_dtype(tensor, dtype))

    # Magnitudes and their opposites are taken in the dtype, where they wrap around.
    opposite = int(sign)
    signed = wrapped(opposite * wrapped(wide(problem.input).abs()))
    found = opposite * maxima(signed, axes, lowest(dtype), False)[0]
    if sign > 0:
        found = found.masked_fill(number_of_elements(axes) == 0, 0)
    return as_dtype(found, dtype)


def _sum(input: Tensor, axes: Sequence[Axis]) -> Tensor:
    """The sums over all windows, one axis after the other."""
    for axis in reversed(axes):
        input = windows(input, axis, 0).sum(axis.dim + 1)
    return input


def _mean(input: Tensor, axes: Sequence[Axis], divisor: Tensor) -> Tensor:
    """Sums over windows, divided; 0 for a window without elements. Whole numbers round toward zero."""
    dtype = input.dtype
    if dtype == torch.uint64:
        raise refused("a mean of uint64", "torch does not divide it")
    divisor = divisor.masked_fill(number_of_elements(axes) == 0, 1)
    if is_whole(dtype):
        return as_dtype(torch.div(_sum(wide(input), axes), divisor, rounding_mode="trunc"), dtype)
    total = _sum(input.float() if dtype in NARROW else input, axes)
    return (total / divisor).to(dtype)
