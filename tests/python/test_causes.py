"""The causes in verdicts: layers are broken in one way, by torch, and the verdict names that way and no other."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import convrs
import strategies
from breaks import ALSO, BOTH, BREAKS, CONVOLUTIONS, Array, Break, attempted, channel_axis, close, torchs
from convrs import check
from operators import Call, Operator, of

FEW = max(settings().max_examples // 13, 1)


def compared(actual: Array, call: Call) -> check.Verdict:
    parameters = {**call.parameters, "return_indices": False} if "max" in call.operator.family else call.parameters
    return check.compare(np.ascontiguousarray(actual), call.operator.name, **call.arrays, **parameters)


@pytest.mark.parametrize("way", BREAKS, ids=str)
@settings(max_examples=FEW, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_break_is_named(way: Break, data: st.DataObject) -> None:
    operator: Operator = data.draw(st.sampled_from(of(*way.families)))
    call = data.draw(strategies.calls(operator, "float32", layouts=False))
    actual = attempted(way, call)
    assume(actual is not None)
    assert actual is not None
    if operator.family in CONVOLUTIONS:
        # What is nearly all bias, or all one channel, may be explained in several ways.
        right = torchs(call)
        channels = right.shape[channel_axis(call)]
        assume(channels > 1 and right.size >= 6 * channels and len(np.unique(right)) > right.size / 2)
    else:
        # So may windows of one element.
        assume(min(call.input.shape[-operator.spatial :]) > 1 and len(np.unique(actual)) >= 4)
    found = compared(actual, call)
    assume(not found.agrees and found.wrong >= 4)
    names = [cause.name for cause in found.causes]
    assert way.name in names, found
    for name in {*names} - {way.name}:
        same = [other for other in (*BREAKS, *ALSO) if other.name == name]
        assert any(close(attempted(other, call), actual) for other in same), (name, str(found))


@pytest.mark.parametrize("operator", of(*BOTH), ids=str)
@settings(max_examples=FEW, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_nothing_explains_has_no_cause(operator: Operator, data: st.DataObject) -> None:
    call = data.draw(strategies.calls(operator, "float32", layouts=False))
    right = torchs(call)
    assume(right.size >= 4 and np.isfinite(right).all())
    noise = np.random.default_rng(0).uniform(0.1, 0.2, right.shape) * (np.abs(right).max() + 1)
    found = compared(right + noise.astype(np.float32), call)
    assert not found.agrees
    assert found.causes == (), found
    # One element, and by little.
    wrong = right.copy()
    wrong.flat[0] += 8 * check.rounding_bound(operator.name, **call.arrays, **call.parameters).flat[0] + 1e-6
    found = compared(wrong, call)
    assume(not found.agrees)
    assert found.causes == (), found


@pytest.mark.parametrize("place", [(0, 0, 0, 0), (1, 3, 3, 5), (0, 1, 1, 2), (1, 2, 2, 1), (0, 3, 0, 4)])
def test_a_cause_explains_every_element(place: tuple[int, ...]) -> None:
    """Not only those on which it is tried first."""
    kernel = np.random.default_rng(2).standard_normal((4, 3, 3, 3), np.float32)
    actual = convrs.conv2d(IMAGE, kernel[:, :, ::-1, ::-1])
    assert [cause.name for cause in check.compare(actual, "conv2d", IMAGE, kernel).causes] == ["kernel flipped"]
    actual[place] += 0.1
    assert check.compare(actual, "conv2d", IMAGE, kernel).causes == ()


IMAGE = np.random.default_rng(1).standard_normal((2, 3, 6, 8), np.float32)


@pytest.mark.parametrize(
    ("words", "counted"),
    [
        ("over the whole tensor", lambda indices: indices + np.arange(6).reshape(2, 3, 1, 1) * 48),
        ("over all channels of an image", lambda indices: indices + np.arange(3).reshape(3, 1, 1) * 48),
        ("with the channels last", lambda indices: indices * 3 + np.arange(3).reshape(3, 1, 1)),
        ("from 1", lambda indices: indices + 1),
        ("down the columns", lambda indices: indices % 8 * 6 + indices // 8),
        ("in the input with its padding", lambda indices: (indices // 8 + 1) * 10 + indices % 8 + 1),
    ],
)
def test_indices_that_count_otherwise(words: str, counted: Callable[[Array], Array]) -> None:
    values, indices = convrs.max_pool2d(IMAGE, 2, padding=1, return_indices=True)
    found = check.compare((values, counted(indices)), "max_pool2d", IMAGE, 2, padding=1, return_indices=True)
    (cause,) = found.causes
    assert cause.name == "index base"
    assert words in cause.text


def test_indices_within_the_window() -> None:
    values, indices = convrs.max_pool2d(IMAGE, 2, return_indices=True)
    within = indices // 8 % 2 * 2 + indices % 8 % 2
    found = check.compare((values, within), "max_pool2d", IMAGE, 2, return_indices=True)
    assert [cause.name for cause in found.causes] == ["index within the window"]


def test_the_last_of_equal_elements() -> None:
    image = np.ones((1, 1, 4, 4), np.float32)
    values, indices = convrs.max_pool2d(image, 2, return_indices=True)
    found = check.compare((values, indices + 5), "max_pool2d", image, 2, return_indices=True)
    assert [cause.name for cause in found.causes] == ["another of equal elements"]


def test_whole_numbers_that_saturate() -> None:
    image, kernel = np.full((1, 1, 9), 100, np.int8), np.arange(3, dtype=np.int8).reshape(1, 1, 3)
    found = check.compare(np.full((1, 1, 7), 127, np.int8), "conv1d", image, kernel)
    assert "saturated" in [cause.name for cause in found.causes]


def test_nan_that_is_passed_over() -> None:
    image = np.array([[[1, np.nan, 3, 4, np.nan, 6]]], np.float32)
    found = check.compare(np.array([[[1, 4, 6]]], np.float32), "max_pool1d", image, 2)
    assert "NaN or infinity" in [cause.name for cause in found.causes]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((1,), "images 1 (of 2)"),
        ((slice(None), 2), "channels 2 (of 4)"),
        ((..., -1), "width 5 (of 6)"),
        ((..., slice(0, None, 3), slice(None)), "height 0 and 3 (of 4)"),
        ((..., slice(1, None, 2)), "width 1 to 5 by 2 (of 6)"),
        ((slice(None), slice(1, None)), "channels 1 to 3 (of 4)"),
    ],
)
def test_the_places_of_wrong_elements(place: Any, words: str) -> None:
    kernel = np.random.default_rng(2).standard_normal((4, 3, 3, 3), np.float32)
    actual = convrs.conv2d(IMAGE, kernel)
    actual[place] = 0
    found = check.compare(actual, "conv2d", IMAGE, kernel)
    assert found.places == f"{words}; every one is 0: never written?"
    assert f"where: {words}" in str(found)
    assert not found.causes


def test_a_large_layer_is_quick() -> None:
    """Hypotheses are tried on few outputs: all of them take no longer than a few references."""
    generator = np.random.default_rng(3)
    image, kernel = (generator.standard_normal(size, np.float32) for size in ((1, 64, 112, 112), (64, 64, 3, 3)))
    begin = time.perf_counter()
    check.reference("conv2d", image, kernel, padding=1)
    once = time.perf_counter() - begin
    actual = convrs.conv2d(image, np.flip(kernel, (2, 3)), padding=1)
    begin = time.perf_counter()
    found = check.compare(actual, "conv2d", image, kernel, padding=1)
    assert time.perf_counter() - begin < 10 * once
    assert [cause.name for cause in found.causes] == ["kernel flipped"]
