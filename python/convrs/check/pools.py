"""The references of the pools that slide or adapt."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .call import Call
from .formats import FORMATS, Format, gamma
from .result import Result, exact, stored, summed
from .windows import Axis, adaptive, counts, each, flat, fractional, outer, paddings, pooling, taps

POWER_ROUNDINGS = 4
"""A power function is taken to err by at most 2 ULP, the error of 4 roundings."""


def max_pool(call: Call) -> Result:
    """Reference of max_pool1d, max_pool2d and max_pool3d."""
    return _by_rule(_maximum, call)


def min_pool(call: Call) -> Result:
    """Reference of min_pool1d, min_pool2d and min_pool3d."""
    return _by_rule(_minimum, call)


def adaptive_max_pool(call: Call) -> Result:
    """Reference of adaptive_max_pool1d, adaptive_max_pool2d and adaptive_max_pool3d."""
    return _maximum(call.form, call.arrays["input"], _adapted(call))


def avg_pool(call: Call) -> Result:
    """Reference of avg_pool1d, avg_pool2d and avg_pool3d."""
    form, parameters, axes = call.form, call.parameters, _sliding(call)
    rule = parameters["rule"]
    included = parameters["count_include_pad"] and not rule.startswith("tensorflow")
    divisor = outer([axis.extent for axis in axes]) if included else counts(axes)
    override = parameters.get("divisor_override")
    if override is not None:
        divisor = np.full_like(divisor, override)
    result = _mean(form, call.arrays["input"], axes, divisor)
    if rule == "onnxruntime-legacy" and not included and override is None and form.precision and not form.complex:
        # 0 / 0.
        result = replace(result, values=np.where(counts(axes) == 0, np.nan, result.values))
    return result


def adaptive_avg_pool(call: Call) -> Result:
    """Reference of adaptive_avg_pool1d, adaptive_avg_pool2d and adaptive_avg_pool3d."""
    axes = _adapted(call)
    return _mean(call.form, call.arrays["input"], axes, counts(axes))


def lp_pool(call: Call) -> Result:
    """Reference of lp_pool1d, lp_pool2d and lp_pool3d: torch's (mean of x^p * elements of a window)^(1/p).

    By other rules it is (sum of |x|^p)^(1/p).
    """
    form, input, parameters = call.form, call.arrays["input"], call.parameters
    p = float(parameters["norm_type"])
    if form.complex:
        raise TypeError(f"input has dtype {form.name}, but powers are of real numbers")
    axes = _sliding(call)
    if math.isinf(p):
        # Torch negates in the dtype, where unsigned integers wrap around.
        sign = math.copysign(1, p)
        signed = form.rounded(np.asarray(sign * np.abs(input), input.dtype))
        found = _maximum(form, signed, axes).values
        # The norm of nothing is zero, a sum of no powers.
        largest = np.where(counts(axes) == 0, 0, found)
        return exact(form, np.asarray(largest if sign > 0 else sign * found, input.dtype))
    if not form.precision:
        form = FORMATS["float32"]
        input = form.rounded(input.astype(form.wide))
    accumulator = form.accumulator
    unit = accumulator.roundoff
    exponent = input.dtype.type(p)
    if parameters["rule"] != "torch":
        input = np.abs(input)
    terms = np.power(input, exponent)
    # A rounded exponent moves x^p by |p ln x| roundings.
    moved = np.where(input == 0, 0, np.abs(p * np.log(np.abs(input)))) * unit * np.abs(terms)
    # A window without elements has no sum to scale.
    taken = np.maximum(counts(axes), 1)
    scale = math.prod(each(parameters["kernel_size"], call.spatial)) / taken if parameters["rule"] == "torch" else 1.0
    powers = _sum(terms, axes) * scale
    magnitude = _sum(np.abs(terms), axes) * scale
    count = counts(axes)
    doubt = gamma(count + 1 + POWER_ROUNDINGS, unit) * magnitude + _sum(moved, axes) * scale
    doubt = doubt + (count * scale + 1) * accumulator.smallest
    values = np.power(powers, 1 / exponent)
    ends = [np.power(powers + side * doubt, 1 / exponent) for side in (-1, 1)]
    crossing = (np.abs(powers) <= doubt) & np.isfinite(doubt)
    ends.append(np.where(crossing, np.power(np.zeros_like(powers), 1 / exponent), values))
    # A sum that may be negative may give NaN; its bound is that of the sums that do not.
    bound = np.fmax.reduce([np.abs(end - values) for end in ends])
    largest = np.fmax.reduce([np.abs(end) for end in [*ends, values]])
    roundings = POWER_ROUNDINGS + np.where(powers == 0, 0, np.abs(np.log(np.abs(powers)) / p))
    bound = np.nan_to_num(bound + gamma(roundings, unit) * largest + accumulator.smallest, nan=0, posinf=np.inf)
    loose = crossing | (np.isfinite(magnitude) & (magnitude + doubt >= accumulator.overflow))
    return stored(form, values, bound, loose)


def fractional_max_pool(call: Call) -> Result:
    """Reference of fractional_max_pool2d and fractional_max_pool3d with given samples."""
    form, spatial, parameters = call.form, call.spatial, call.parameters
    input, samples = call.arrays["input"], call.arrays["_random_samples"]
    if samples is None:
        raise ValueError("the reference needs the _random_samples that the call used")
    sizes, kernels = input.shape[2:], each(parameters["kernel_size"], spatial)
    if parameters["output_size"] is None:
        ratios = each(parameters["output_ratio"], spatial)
        outputs = [int(size * ratio) for size, ratio in zip(sizes, ratios, strict=True)]
    else:
        outputs = each(parameters["output_size"], spatial)
    values = np.empty((*input.shape[:2], *outputs), input.dtype)
    indices = np.empty(values.shape, np.int64)
    for plane in np.ndindex(*input.shape[:2]):
        # Torch keeps the samples of two axes as (width, height), those of three as (depth, height, width).
        drawn = samples[plane][::-1] if spatial == 2 else samples[plane]
        axes = [
            fractional(_starts(form, size, kernel, count, sample), kernel, size)
            for size, kernel, count, sample in zip(sizes, kernels, outputs, drawn, strict=True)
        ]
        best = _maximum(form, input[plane][None, None], axes)
        assert best.indices is not None
        values[plane], indices[plane] = best.values[0, 0], best.indices[0, 0]
    return exact(form, values, indices)


def max_unpool(call: Call) -> Result:
    """Reference of max_unpool1d, max_unpool2d and max_unpool3d; of equal indices the last stays."""
    form, spatial, parameters = call.form, call.spatial, call.parameters
    input, indices = call.arrays["input"], call.arrays["indices"]
    kernel = each(parameters["kernel_size"], spatial)
    stride, padding = _stride(kernel, parameters, spatial), paddings(parameters["padding"], spatial)
    numbers = zip(input.shape[2:], kernel, stride, padding, strict=True)
    sizes = counted = [(size - 1) * step - sum(pad) + window for size, window, step, pad in numbers]
    whole = parameters["rule"] == "onnx"
    if parameters["output_size"] is not None:
        sizes = list(parameters["output_size"])[-spatial:]
        counted = counted if whole else sizes
    elements = math.prod(counted)
    values = np.zeros((*input.shape[:2], *sizes), input.dtype)
    if values.size == 0:
        return exact(form, values)
    for number, plane in enumerate(np.ndindex(*input.shape[:2])):
        places = indices[plane].ravel() - (number * elements if whole else 0)
        if ((places < 0) | (places >= elements)).any():
            raise ValueError(f"an index lies outside the {elements} elements of the output's planes")
        values[plane][np.unravel_index(places, counted)] = input[plane].ravel()
    return exact(form, values)


def _stride(kernel: list[int], parameters: Mapping[str, Any], spatial: int) -> list[int]:
    given = parameters["stride"]
    not_given = given is None or (isinstance(given, list | tuple) and not given)
    return kernel if not_given else each(given, spatial)


def _sliding(call: Call) -> Sequence[Axis]:
    spatial, parameters = call.spatial, call.parameters
    kernel = each(parameters["kernel_size"], spatial)
    stride = _stride(kernel, parameters, spatial)
    padding, dilation = paddings(parameters["padding"], spatial), each(parameters["dilation"], spatial)
    numbers = zip(call.arrays["input"].shape[2:], kernel, stride, padding, dilation, strict=True)
    return call.wanted([pooling(*sizes, parameters["ceil_mode"], parameters["rule"]) for sizes in numbers])


def _adapted(call: Call) -> Sequence[Axis]:
    outputs = each(call.parameters["output_size"], call.spatial)
    sizes = zip(call.arrays["input"].shape[2:], outputs, strict=True)
    return call.wanted([adaptive(size, count) for size, count in sizes])


def _starts(form: Format, size: int, kernel: int, outputs: int, sample: Any) -> NDArray[np.int64]:
    """Starts of the windows, computed as torch does in the precision of the input's format."""
    last = size - kernel
    place = form.rounded if form.precision else FORMATS["float64"].rounded
    steps, sample = np.arange(outputs - 1).astype(np.float64), np.asarray(sample, np.float64)
    alpha = place(place(np.asarray(float(last))) / place(np.asarray(float(max(outputs - 1, 1)))))
    starts = place(place(place(steps) + sample) * alpha).astype(np.int64) - place(sample * alpha).astype(np.int64)
    return np.append(np.minimum(starts, last), last)


def _by_rule(extremum: Callable[[Format, NDArray[Any], Sequence[Axis]], Result], call: Call) -> Result:
    """A sliding maximum or minimum, with what rules say of NaN, windows without elements, and indices."""
    form, spatial, input, rule = call.form, call.spatial, call.arrays["input"], call.parameters["rule"]
    axes = _sliding(call)
    real = np.issubdtype(input.dtype, np.floating)
    # The least finite number of the format, or the largest for a minimum.
    least = np.asarray((1 if extremum is _minimum else -1) * (form.largest if real else 0), input.dtype)
    if rule.startswith("tensorflow") and real:
        better = input < least if extremum is _minimum else input > least
        input = np.where(better, input, least)
    result = extremum(form, input, axes)
    assert result.indices is not None
    values, indices = result.values, result.indices
    if real and (rule == "onnxruntime-legacy" or rule.startswith("tensorflow")):
        values = np.where(counts(axes) == 0, least, values)
    batch, channels = (
        np.arange(size).reshape(-1, *[1] * rank)
        for size, rank in zip(input.shape[:2], (spatial + 1, spatial), strict=True)
    )
    if rule.startswith("onnx"):
        indices = indices + (batch * input.shape[1] + channels) * math.prod(input.shape[2:])
    elif rule.startswith("tensorflow"):
        indices = indices * input.shape[1] + channels
    return replace(result, values=values, indices=indices)


def _minimum(form: Format, input: NDArray[Any], axes: Sequence[Axis]) -> Result:
    """The maximum in the opposite order."""
    if form.complex:
        raise TypeError(f"{form.name} has no order, so no minimum")
    if np.issubdtype(input.dtype, np.floating):
        best = _maximum(form, -input, axes)
        return replace(best, values=-best.values)
    # Of signed integers the opposite order is that of -1 - x.
    name = form.name
    top = 1 if name == "bool" else np.iinfo(name).max if name.startswith("u") else -1
    best = _maximum(form, np.asarray(top, input.dtype) - input, axes)
    return replace(best, values=np.asarray(top, input.dtype) - best.values)


def _maximum(form: Format, input: NDArray[Any], axes: Sequence[Axis]) -> Result:
    """Torch's maximum: a value replaces the best if it is larger or NaN, beginning with -inf."""
    if form.complex:
        raise TypeError(f"{form.name} has no order, so no maximum")
    real = np.issubdtype(input.dtype, np.floating)
    lowest = -np.inf if real else 0 if form.name == "bool" else np.iinfo(form.name).min
    shape = (*input.shape[:2], *(axis.outputs for axis in axes))
    best = np.full(shape, lowest, input.dtype)
    indices = np.broadcast_to(flat([axis.first for axis in axes], input.shape[2:]), shape).copy()
    for tap in taps(axes, input.shape[2:]):
        element = tap.of(input)
        wins = tap.inside & ((element > best) | np.isnan(element))
        best = np.where(wins, element, best)
        indices = np.where(wins, tap.flat, indices)
    return exact(form, best, indices)


def _sum(input: NDArray[Any], axes: Sequence[Axis]) -> NDArray[Any]:
    """The sums over all windows, one axis after the other."""
    total = input
    for number, axis in enumerate(axes, 2):
        total = np.moveaxis(_sums_of_rows(np.moveaxis(total, number, -1), axis), -1, number)
    return total


def _sums_of_rows(rows: NDArray[Any], axis: Axis) -> NDArray[Any]:
    """The sums over all windows of the last axis: tap by tap, or where there are more taps than outputs by output."""
    total = np.zeros((*rows.shape[:-1], axis.outputs), rows.dtype)
    if len(axis.positions) > axis.outputs:
        for output in range(axis.outputs):
            total[..., output] = rows[..., axis.positions[axis.inside[:, output], output]].sum(axis=-1)
    else:
        for positions, inside in zip(axis.positions, axis.inside, strict=True):
            total[..., inside] += rows[..., positions[inside]]
    return total


def _mean(form: Format, input: NDArray[Any], axes: Sequence[Axis], divisor: NDArray[np.int64]) -> Result:
    """Sums over the windows, divided; a window without elements gives 0. Integers round toward zero."""
    count = counts(axes)
    divisor = np.where(count == 0, 1, divisor)
    total = _sum(input, axes)
    if not form.precision:
        return exact(form, _quotient(total, divisor.astype(total.dtype)))
    # A term passes count - 1 additions and a division, or a product with the rounded reciprocal.
    return summed(form, total / divisor, _sum(np.abs(input), axes) / np.abs(divisor), count + 1, 2)


def _quotient(total: NDArray[Any], divisor: NDArray[Any]) -> NDArray[Any]:
    inexact = (total % divisor != 0) & ((total < 0) != (divisor < 0))
    return np.asarray(total // divisor + inexact.astype(total.dtype))
