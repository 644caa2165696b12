"""The verdicts: never a false alarm on right results, and wrong ones are found."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import authority
import convrs
import strategies
from convrs import check
from operators import EXACT, OPERATORS, Call, Operator, of

EVERY = [*OPERATORS.values()]
HALF = max(settings().max_examples // 2, 1)


def verdict(actual: Any, call: Call) -> check.Verdict:
    return check.compare(actual, call.operator.name, **call.arrays, **call.parameters)


def check_numbers(found: check.Verdict) -> None:
    numbers = (found.max_abs, found.max_rel, found.max_ulp, found.share, found.bound)
    assert not any(math.isnan(number) or number < 0 for number in numbers), found
    assert "nan" not in str(found).split("got")[0].lower()


@pytest.mark.parametrize("operator", EVERY, ids=str)
@settings(max_examples=HALF)
@given(data=st.data())
def test_our_results_agree(operator: Operator, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(operator.dtypes))
    call = data.draw(strategies.calls(operator, dtype, data.draw(st.sampled_from(["plain", "special"]))))
    actual = call()
    found = verdict(actual, call)
    assert found.agrees, found
    assert found.causes == ()
    assert found.places == ""
    check_numbers(found)
    if operator.family in EXACT or dtype == "bool" or (dtype[:3] in ("int", "uin") and operator.family != "lp_pool"):
        assert found.kind == "exact", found
    check.assert_agrees(actual, getattr(convrs, operator.name), **call.arrays, **call.parameters)


@pytest.mark.parametrize("operator", EVERY, ids=str)
@settings(max_examples=HALF)
@given(data=st.data())
def test_torchs_results_agree(operator: Operator, data: st.DataObject) -> None:
    """Another summation order, float32: rounding and no more."""
    call = data.draw(strategies.calls(operator, "float32"))
    torchs = authority.without_our_words(call) if operator.family == "conv" else call
    found = verdict(authority.torch_call(torchs), call)
    assert found.agrees, found


@pytest.mark.parametrize("operator", EVERY, ids=str)
@settings(max_examples=HALF)
@given(data=st.data())
def test_one_wrong_element_is_found(operator: Operator, data: st.DataObject) -> None:
    call = data.draw(strategies.calls(operator, data.draw(st.sampled_from(operator.dtypes))))
    actual = call()
    values = authority.plain(actual[0] if isinstance(actual, tuple) else actual)
    before = authority.as_numbers(values)
    if not values.size or not np.isfinite(before).all():
        return
    place = data.draw(st.integers(0, values.size - 1))
    index = tuple(int(at) for at in np.unravel_index(place, values.shape))
    whole = values.dtype.kind in "iub"
    values[index] = values[index] ^ 1 if whole else values[index] * 2 + 1
    wrong = (values, actual[1]) if isinstance(actual, tuple) else values
    found = verdict(wrong, call)
    bound = check.rounding_bound(operator.name, **call.arrays, **call.parameters)
    if whole or abs(authority.as_numbers(values)[index] - before[index]) > 2 * bound[index]:
        assert found.kind == "beyond rounding"
        assert found.index == index
        assert str(index) in str(found)
        check_numbers(found)
        with pytest.raises(AssertionError) as caught:
            check.assert_agrees(wrong, operator.name, **call.arrays, **call.parameters)
        assert str(caught.value) == str(found)


@pytest.mark.parametrize("operator", of("conv", "conv_transpose", "avg_pool", "adaptive_avg_pool", "fold"), ids=str)
@settings(max_examples=HALF)
@given(data=st.data())
def test_the_bound_is_the_one_of_these_tests(operator: Operator, data: st.DataObject) -> None:
    """gamma_(K+1) sum |x| |w|, computed twice, apart from each other; of the taps inside the input it may be less."""
    call = data.draw(strategies.calls(operator, data.draw(st.sampled_from(["float32", "float64", "float16"]))))
    values = authority.exact(call)
    ours, theirs = authority.bound(call, values), check.rounding_bound(operator.name, **call.arrays, **call.parameters)
    assert theirs.dtype == np.float64
    assert theirs.shape == values.shape
    assert (theirs <= ours * 1.01).all()
    if operator.family in ("conv", "conv_transpose"):
        accumulator = "float32" if call.input.dtype.itemsize < 8 else "float64"
        assert (theirs >= authority.ROUNDOFF[accumulator] * authority.magnitudes(call) * 0.99).all()


X = np.array([[[1, 2, 4, 8]]], np.float32)
W = np.array([[[0.1, 0.2]]], np.float32)


def test_kinds() -> None:
    right = convrs.conv1d(X, W)
    assert check.compare(right.astype(np.float64).astype(np.float32), "conv1d", X, W).kind in ("exact", "rounding")
    assert check.compare(np.nextafter(right, np.float32(9)), "conv1d", X, W).kind in ("exact", "rounding")
    assert check.compare(right * np.float32(1.0001), "conv1d", X, W).kind == "beyond rounding"
    assert check.compare(convrs.conv1d(X, X), "conv1d", X, X).kind == "exact"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda right: right[..., :-1],
        lambda right: right.astype(np.float64),
        lambda right: right.astype(np.float16),
        lambda right: right * np.nan,
        lambda right: right * np.inf,
        lambda right: np.zeros_like(right),
        lambda right: -right,
        lambda right: (right, right),
    ],
    ids=["shape", "wider", "narrower", "NaN", "inf", "zeros", "sign", "pair"],
)
def test_what_is_never_rounding(wrong: Any) -> None:
    found = check.compare(wrong(convrs.conv1d(X, W)), "conv1d", X, W)
    assert found.kind == "beyond rounding"
    check_numbers(found)


def test_zeros_and_infinities_in_the_reference() -> None:
    image = np.array([[[0, 0, np.inf, -np.inf, np.nan, 0, 0]]], np.float32)
    actual = convrs.conv1d(image, W)
    found = check.compare(actual, "conv1d", image, W)
    assert found.agrees
    check_numbers(found)
    actual[0, 0, 0] = 1e-30
    found = check.compare(actual, "conv1d", image, W)
    assert not found.agrees
    check_numbers(found)


def test_indices_count() -> None:
    values, indices = convrs.max_pool1d(X, 2, return_indices=True)
    check.assert_agrees((values, indices), "max_pool1d", X, 2, return_indices=True)
    assert not check.compare((values, indices - 1), "max_pool1d", X, 2, return_indices=True).agrees
    assert not check.compare((values, indices.astype(np.int32)), "max_pool1d", X, 2, return_indices=True).agrees
    assert not check.compare(values, "max_pool1d", X, 2, return_indices=True).agrees


def test_the_ceil_divisor_of_other_runtimes_is_no_rounding() -> None:
    image = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
    wrong = np.array([[[[14 / 9, 10 / 3, 4 / 3], [19 / 3, 11, 4], [3, 5, 16 / 9]]]], np.float32)
    found = check.compare(wrong, "avg_pool2d", image, 3, stride=2, padding=1, ceil_mode=True)
    assert found.kind == "beyond rounding"
    assert found.wrong == 5


def test_tensors() -> None:
    image, kernel = torch.from_numpy(X), torch.from_numpy(W)
    check.assert_agrees(torch.nn.functional.conv1d(image, kernel), "conv1d", image, kernel)
    check.assert_agrees(torch.nn.functional.conv1d(image, kernel), convrs.conv1d, X, W)
    halves = [tensor.bfloat16() for tensor in (image, kernel)]
    check.assert_agrees(torch.nn.functional.conv1d(*halves), "conv1d", *halves)


@pytest.mark.parametrize(
    ("op", "arguments", "parameters", "kind"),
    [
        ("max_pool1d", (2,), {"padding": 2}, ValueError),
        ("max_pool1d", (2,), {"stride": 0}, ValueError),
        ("max_pool1d", (2,), {"stride": 1.5}, TypeError),
        ("conv1d", (W,), {"padding_mode": "wrap"}, ValueError),
        ("avg_pool2d", (2,), {"divisor_override": 0}, ValueError),
    ],
)
def test_illegal_calls_get_no_verdict(
    op: str, arguments: tuple[Any, ...], parameters: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=next(iter(parameters))):
        check.compare(X, op, X, *arguments, **parameters)


def test_the_bound_of_a_long_mean_is_quick() -> None:
    samples = np.ones((1, 1, 2**20), np.float32)
    begin = time.perf_counter()
    bound = check.rounding_bound("adaptive_avg_pool1d", samples, 1)
    assert time.perf_counter() - begin < 2
    assert 2**20 * 2.0**-24 < bound.item() < 2**20 * 2.0**-23


@pytest.mark.parametrize(
    ("op", "text"),
    [
        ("conv4d", "op is 'conv4d': the nearest is 'conv3d'"),
        ("Conv2d", "op is 'Conv2d': the nearest is 'conv2d'"),
        ("torch.nn.functional.max_pool1d", "the nearest is 'max_pool1d'"),
        ("linear", "op is 'linear': it must be one of adaptive_avg_pool1d, "),
    ],
)
def test_an_unknown_operator(op: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        check.compare(X, op, X, W)


def test_an_argument_is_missing() -> None:
    with pytest.raises(TypeError, match="conv1d: missing a required argument: 'weight'"):
        check.compare(X, "conv1d", X)


def test_a_tensor_without_numbers() -> None:
    assert check.compare(torch.ones(1, 2, 3, device="meta"), "conv1d", X, W).message == (
        "actual lives on meta, where tensors have no numbers"
    )


def test_no_false_alarm_in_three_summation_orders() -> None:
    generator = np.random.default_rng(0)
    for _ in range(100):
        channels = int(generator.integers(1, 40))
        image = (
            generator.standard_normal((1, channels, 9)) * 10.0 ** generator.integers(-9, 9, (1, channels, 9))
        ).astype(np.float32)
        weight = generator.standard_normal((1, channels, 3)).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(image[0], 3, axis=1).transpose(1, 0, 2).reshape(7, -1)
        products = windows * weight.reshape(1, -1)
        for order in (slice(None), slice(None, None, -1), generator.permutation(products.shape[1])):
            total = np.cumsum(products[:, order], axis=1, dtype=np.float32)[:, -1]
            check.assert_agrees(total.reshape(1, 1, 7), "conv1d", image, weight)
