"""Results that something was done to afterwards: activations, factors and offsets, channels in another order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..result import Result
from .evidence import Evidence, Hypothesis, Trial, fits

Array = NDArray[Any]

SLOPE = 1.13
"""No activation here is steeper: SiLU's slope is at most 1.0999, GELU's 1.1289."""


def _sigmoid(values: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-values)))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "ReLU": lambda values: np.maximum(values, 0),
    "ReLU6": lambda values: np.clip(values, 0, 6),
    "leaky ReLU with a slope of 0.01": lambda values: np.where(values < 0, values / 100, values),
    "leaky ReLU with a slope of 0.1": lambda values: np.where(values < 0, values / 10, values),
    "leaky ReLU with a slope of 0.2": lambda values: np.where(values < 0, values / 5, values),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "SiLU": lambda values: values * _sigmoid(values),
    "hardswish": lambda values: values * np.clip(values + 3, 0, 6) / 6,
    "GELU": lambda values: values * (1 + np.vectorize(math.erf, otypes=[float])(values / math.sqrt(2))) / 2,
    "GELU by tanh": lambda values: values * (1 + np.tanh(math.sqrt(2 / math.pi) * (values + 0.044715 * values**3))) / 2,
}


def _activation(evidence: Evidence) -> Iterator[Trial]:
    if not _real(evidence):
        return
    sample = evidence.sample
    for name, function in ACTIVATIONS.items():
        if fits(sample.actual, _activated(sample.result, function)):
            yield name, _activated(evidence.result, function)


def _activated(result: Result, function: Callable[[Array], Array]) -> Result:
    with np.errstate(all="ignore"):
        values = function(result.values)
    # The function itself may err by a few units in the last place.
    own = 16 * result.format.roundoff * (np.abs(values) + np.abs(result.values))
    return replace(result, values=values, bound=np.where(np.isfinite(values), SLOPE * result.bound + own, 0))


def _real(evidence: Evidence) -> bool:
    """Whether elements can be compared as real numbers."""
    form = evidence.result.format
    return evidence.comparable and form.precision > 0 and not form.complex


def _by_channel(array: Array) -> Array:
    return np.moveaxis(array, 1, 0).reshape(array.shape[1], -1)


FEW = 4
"""Fewer wrong elements than these, or for a factor fewer different ones, are explained by two numbers too easily."""


def _fitted(evidence: Evidence, channels: bool, shift: Array | float, factor: bool, offset: bool) -> Result | None:
    """The reference times a factor plus an offset, one of each for all or for each channel.

    Both follow from the two elements that are farthest apart, or with a factor alone from the largest one, and they are
    as uncertain as these are. `shift` is left out of the factor.
    """
    form = evidence.result.format
    whole = evidence.result.values - shift
    parts = [whole, evidence.actual - shift, evidence.result.bound, evidence.difference.wrong]
    values, actual, bound, wrong = (_by_channel(part) if channels else part.reshape(1, -1) for part in parts)
    different = 1 + np.count_nonzero(np.diff(np.sort(values)), axis=1)
    count = np.minimum(wrong.sum(1), different) if factor else wrong.sum(1)
    if (wrong.any(1) & (count < FEW)).any() or not (np.isfinite(values).all() and np.isfinite(actual).all()):
        return None
    rows = np.arange(len(values))
    high = values.argmax(1) if offset else np.abs(values).argmax(1)
    low = values.argmin(1) if factor else bound.argmin(1)
    ends = [(array[rows, high], array[rows, low]) for array in (values, actual, bound)]
    (most, least), (found_most, found_least), (doubt_most, doubt_least) = ends
    doubt_most, doubt_least = (
        doubt + form.roundoff * np.abs(found) for doubt, found in ((doubt_most, found_most), (doubt_least, found_least))
    )
    if not offset:
        least, found_least, doubt_least = (np.zeros(len(values)) for _ in range(3))
    with np.errstate(all="ignore"):
        span = most - least
        scale = np.where(span == 0, 1, (found_most - found_least) / span) if factor else np.ones(len(values))
        doubt = np.where(span == 0, 0, (doubt_most + doubt_least) / np.abs(span)) if factor else np.zeros(len(values))
    if factor and (scale == 0).any():
        return None
    added = found_least - scale * least
    ones = [1] * (whole.ndim - 2)
    scale, doubt, added, least, doubt_least = (
        row.reshape(1, -1, *ones) for row in (scale, doubt, added, least, doubt_least)
    )
    fitted = scale * whole + added + shift
    uncertain = np.abs(scale) * (evidence.result.bound + doubt_least) + doubt * np.abs(whole - least)
    return replace(evidence.result, values=fitted, bound=uncertain + 2 * form.roundoff * np.abs(fitted))


def _bias_of(evidence: Evidence) -> Array | None:
    bias = evidence.call.arrays.get("bias")
    return None if bias is None else bias.reshape(1, -1, *[1] * evidence.call.spatial)


def _factor(evidence: Evidence) -> Iterator[Trial]:
    if not _real(evidence):
        return
    for shift, words in ((0.0, ""), (_bias_of(evidence), " before the bias was added")):
        if shift is not None:
            fitted = _fitted(evidence, False, shift, True, False)
            if fitted is not None:
                place = np.unravel_index(np.argmax(np.abs(evidence.result.values - shift)), evidence.actual.shape)
                base = np.broadcast_to(shift, evidence.actual.shape)[place]
                factor = (evidence.actual[place] - base) / (evidence.result.values[place] - base)
                yield f"{factor:.6g}{words}", fitted


def _for_each_channel(factor: bool, offset: bool) -> Callable[[Evidence], Iterator[Trial]]:
    def trials(evidence: Evidence) -> Iterator[Trial]:
        if _real(evidence) and evidence.call.family in ("conv", "conv_transpose"):
            fitted = _fitted(evidence, True, 0.0, factor, offset)
            if fitted is not None:
                yield "", fitted

    return trials


def _permuted_channels(evidence: Evidence) -> Iterator[Trial]:
    if not evidence.comparable:
        return
    places: Any = (..., *np.ix_(*evidence.crop.kept))
    arrays = (evidence.actual, evidence.result.values, evidence.result.bound)
    actual, values, bound = (_by_channel(array[places]) for array in arrays)
    if actual.shape[1] < 3 or not evidence.result.format.precision:
        return
    order = []
    for row in actual:
        fits = np.flatnonzero((np.abs(row - values) <= bound).all(1))
        if len(fits) != 1:
            return
        order.append(int(fits[0]))
    shown = ", ".join(map(str, order[:8])) + (", ..." if len(order) > 8 else "")
    yield shown, evidence.result.map(lambda array: array[:, order])


RESULTS = (
    Hypothesis(
        "activation",
        "{} was applied to the numbers; compare what comes before it, or apply it to the reference too",
        _activation,
    ),
)

FITTED = (
    Hypothesis(
        "output channels in another order",
        "the channels are the reference's number {}; put weight and bias, or the result, in the same order",
        _permuted_channels,
    ),
    Hypothesis(
        "scaled",
        "all numbers are multiplied by {}; look for a normalisation of the input (1/255), a quantisation scale, or a "
        "mean taken for a sum",
        _factor,
    ),
    Hypothesis(
        "another bias",
        "each channel is off by a number of its own; compare the biases, their order and their sign",
        _for_each_channel(False, True),
    ),
    Hypothesis(
        "scaled by channel",
        "each channel is multiplied by a number of its own; look for quantisation scales by channel, or for the weight "
        "of a BatchNorm",
        _for_each_channel(True, False),
    ),
    Hypothesis(
        "scaled and shifted by channel",
        "each channel is multiplied by a number and shifted by another, as by a BatchNorm; fold it into the weight and "
        "the bias of both, or of neither (convrs.nn has from_weights(..., batch_norm=...))",
        _for_each_channel(True, True),
    ),
)
