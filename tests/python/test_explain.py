"""An explanation ends at the kernel's bits, and says where each number comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import authority
import convrs
import strategies
from operators import INDEXED, OPERATORS, Call, Operator

EVERY = [*OPERATORS.values()]


def bits(number: Any) -> object:
    """What tells two numbers apart, in whatever dtype they are shown."""
    number = authority.as_numbers(np.asarray(number))
    if number.dtype.kind in "fc":
        number = number.astype(np.complex128 if number.dtype.kind == "c" else np.float64)
        if np.isnan(number):
            return "NaN"
    return number.tobytes()


@pytest.mark.parametrize("operator", EVERY, ids=str)
@settings(max_examples=max(settings().max_examples // 2, 1))
@given(data=st.data())
def test_the_kernels_bits(operator: Operator, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(operator.dtypes))
    call = data.draw(strategies.calls(operator, dtype, data.draw(st.sampled_from(["plain", "special"]))))
    actual = call()
    values = actual[0] if isinstance(actual, tuple) else actual
    if not values.size:
        return
    index = tuple(data.draw(st.integers(0, size - 1)) for size in values.shape)
    explanation = convrs.explain(operator.name, **call.arrays, **call.parameters, index=index)
    assert explanation.agrees, f"{call} at {index}: {explanation.result} is not {values[index]}"
    assert bits(explanation.actual) == bits(values[index])
    assert bits(explanation.result) == bits(values[index])
    assert str(explanation)
    check_taps(call, explanation)
    if isinstance(actual, tuple) and explanation.winner is not None and explanation.winner.input is not None:
        spatial = explanation.winner.input[-operator.spatial :]
        assert np.ravel_multi_index(spatial, call.input.shape[-operator.spatial :]) == actual[1][index]


def check_taps(call: Call, explanation: convrs.explanation.Explanation) -> None:
    """Every tap holds the elements at its indices."""
    weight = call.arrays.get("weight")
    for tap in explanation.taps:
        if tap.input is not None and call.operator.family not in INDEXED:
            assert bits(tap.value) == bits(call.input[tap.input])
        if tap.weight_index is not None:
            assert weight is not None
            assert bits(tap.weight) == bits(weight[tap.weight_index])


SIGNAL = np.arange(16, dtype=np.float32).reshape(1, 1, 16)
TAPS = np.array([[[0.1, 0.2, 0.3]]], np.float32)


def test_a_convolution_in_words() -> None:
    explanation = convrs.explain("conv1d", SIGNAL, TAPS, padding=1, index=(0, 0, 0))
    assert [tap.padded for tap in explanation.taps] == [True, False, False]
    assert [tap.weight_index for tap in explanation.taps] == [(0, 0, 0), (0, 0, 1), (0, 0, 2)]
    assert [tap.input for tap in explanation.taps[1:]] == [(0, 0, 0), (0, 0, 1)]
    text = str(explanation)
    for piece in ("conv1d", "0.3", "padding", "16"):
        assert piece in text


def test_a_maximum_in_words() -> None:
    explanation = convrs.explain(convrs.max_pool1d, SIGNAL, 2, index=(0, 0, 3))
    assert explanation.winner is not None
    assert explanation.winner.input == (0, 0, 7)
    assert explanation.actual == 7


def test_a_mean_names_its_divisor() -> None:
    ceil = convrs.explain("avg_pool1d", SIGNAL[..., :5], 2, ceil_mode=True, index=(0, 0, 2))
    assert ceil.divisor == 1
    assert convrs.explain("avg_pool1d", SIGNAL, 3, padding=1, index=(0, 0, 0)).divisor == 3
    assert convrs.explain("avg_pool1d", SIGNAL, 3, padding=1, count_include_pad=False, index=(0, 0, 0)).divisor == 2


@pytest.mark.parametrize("shape", [(1, 17), (1, 40), (3, 100), (70, 20), (130, 3), (1, 2049), (2, 5000)])
@pytest.mark.parametrize("op", ["avg_pool2d", "lp_pool2d", "max_pool2d"])
def test_wide_and_tall_windows(op: str, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).standard_normal((1, 1, shape[0], shape[1] + 2)).astype(np.float32)
    norm = (3,) if op == "lp_pool2d" else ()
    explanation = convrs.explain(op, np.abs(image), *norm, shape, 1, index=(0, 0, 0, 1))
    assert explanation.agrees
    if op == "avg_pool2d":
        assert len(explanation.columns) == shape[1]
        assert "the same bits" in str(explanation)


def test_no_taps_and_powers_of_negative_numbers_in_words() -> None:
    none = convrs.explain("conv_transpose1d", np.ones((1, 1, 2)), np.ones((1, 1, 1)), stride=2, index=(0, 0, 1))
    assert none.equation == "no products = 0"
    powers = convrs.explain("lp_pool1d", np.array([[[-0.5, 2.0]]]), 2, 2, index=(0, 0, 0))
    assert powers.equation.startswith("((-0.5)^2 + 2^2)")


def test_negative_indices_count_from_the_end() -> None:
    last = convrs.explain("conv1d", SIGNAL, TAPS, index=(0, 0, -1))
    assert last.index == (0, 0, 13)


@pytest.mark.parametrize("index", [(0, 0, 14), (0, 1, 0), (0, 0), (0, 0, 0, 0), (0, 0, -15)])
def test_no_such_element(index: tuple[int, ...]) -> None:
    with pytest.raises(IndexError):
        convrs.explain("conv1d", SIGNAL, TAPS, index=index)


def test_refusals_are_the_operators() -> None:
    with pytest.raises(ValueError, match="stride must be at least 1"):
        convrs.explain("conv1d", SIGNAL, TAPS, stride=0, index=(0, 0, 0))
    with pytest.raises(ValueError, match="conv9d"):
        convrs.explain("conv9d", SIGNAL, TAPS, index=(0, 0, 0))
