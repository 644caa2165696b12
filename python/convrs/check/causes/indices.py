"""Indices of maxima that count otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..windows import each, paddings
from .evidence import Evidence, Hypothesis, Trial


def _counted(evidence: Evidence) -> Iterator[Trial]:
    expected = evidence.result.indices
    assert expected is not None
    sizes = evidence.call.arrays["input"].shape
    spatial = sizes[2:]
    plane = math.prod(spatial)
    image, channel = np.ogrid[: sizes[0], : sizes[1]]
    image, channel = (at.reshape(*at.shape, *[1] * len(spatial)) for at in (image, channel))
    places = np.unravel_index(expected, spatial)
    for words, indices in {
        "over the whole tensor": expected + (image * sizes[1] + channel) * plane,
        "over all channels of an image": expected + channel * plane,
        "with the channels last, as tensorflow": expected * sizes[1] + channel,
        "from 1": expected + 1,
        "down the columns (the first spatial axis is the fastest)": _place(places[::-1], spatial[::-1]),
        **_padded(evidence, places),
    }.items():
        yield words, replace(evidence.result, indices=indices)


def _place(places: Any, sizes: Any) -> NDArray[np.int64]:
    """Counted in C order."""
    index = np.zeros(places[0].shape, np.int64)
    for at, size in zip(places, sizes, strict=True):
        index = index * size + at
    return index


def _padded(evidence: Evidence, places: Any) -> dict[str, NDArray[np.int64]]:
    """Counted in the input with its padding."""
    padding = evidence.call.parameters.get("padding", "valid")
    if isinstance(padding, str):
        return {}
    pairs = paddings(padding, evidence.call.spatial)
    sizes = [size + sum(pair) for size, pair in zip(evidence.call.arrays["input"].shape[2:], pairs, strict=True)]
    moved = [at + pair[0] for at, pair in zip(places, pairs, strict=True)]
    return {"in the input with its padding": _place(moved, sizes)}


def _within_windows(evidence: Evidence) -> Iterator[Trial]:
    call, expected = evidence.call, evidence.result.indices
    if call.family not in ("max_pool", "min_pool") or isinstance(call.parameters["padding"], str):
        return
    assert expected is not None
    spatial, parameters = call.spatial, call.parameters
    kernel = each(parameters["kernel_size"], spatial)
    stride, dilation = each(parameters["stride"] or kernel, spatial), each(parameters["dilation"], spatial)
    within = []
    for axis, at in enumerate(np.unravel_index(expected, call.arrays["input"].shape[2:])):
        before, _ = paddings(parameters["padding"], spatial)[axis]
        starts = np.arange(expected.shape[axis + 2]) * stride[axis] - before
        within.append((at - starts.reshape(-1, *[1] * (spatial - axis - 1))) // dilation[axis])
    yield "", replace(evidence.result, indices=_place(within, kernel))


def _equal_elements(evidence: Evidence) -> Iterator[Trial]:
    """Where every index points at an element equal to the value, each is right but for ties."""
    actual, input = evidence.indices, evidence.call.arrays["input"]
    assert actual is not None
    planes = input.reshape(*input.shape[:2], -1)
    if planes.shape[2] and ((actual >= 0) & (actual < planes.shape[2])).all():
        found = np.take_along_axis(planes, actual.reshape(*actual.shape[:2], -1), 2).reshape(actual.shape)
        if np.array_equal(found, evidence.actual, equal_nan=True):
            yield "", replace(evidence.result, indices=actual)


INDICES = (
    Hypothesis("index base", "the indices count {}; torch counts within a plane in C order, from 0", _counted),
    Hypothesis(
        "index within the window",
        "the indices count within each window; add where the window begins: they count within the plane",
        _within_windows,
    ),
    Hypothesis(
        "another of equal elements",
        "every index points at an element equal to the maximum, but torch takes the first (of NaN the last); replace "
        "the best only if the next is larger",
        _equal_elements,
    ),
)
