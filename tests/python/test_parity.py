"""Every operator against torch: shape, dtype, values, indices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import authority
import strategies
from operators import ALL, EXACT, FLOATS, INDEXED, INTEGERS, OPERATORS, Call, Operator, of


def check_shape_and_dtype(call: Call, actual: Any, expected: Any) -> None:
    values = actual[0] if isinstance(actual, tuple) else actual
    assert isinstance(actual, tuple) == isinstance(expected, tuple)
    assert values.shape == (expected[0] if isinstance(expected, tuple) else expected).shape
    assert values.dtype == call.input.dtype.newbyteorder("=")
    assert values.flags.c_contiguous
    assert values.flags.writeable


def check_equal(actual: Any, expected: Any) -> None:
    """Equal numbers, NaN equal to NaN, zeros of the same sign."""
    actual, expected = authority.as_numbers(actual), authority.as_numbers(expected)
    np.testing.assert_array_equal(actual, expected)
    if actual.dtype.kind == "f":
        known = ~np.isnan(actual)
        np.testing.assert_array_equal(np.signbit(actual)[known], np.signbit(expected)[known])


def check_within_bound(call: Call, actual: Any, expected: Any) -> None:
    numbers = authority.as_numbers(actual).astype(np.result_type(expected, np.float64))
    limit = authority.bound(call, expected)
    distance = np.maximum(np.abs((numbers - expected).real), np.abs((numbers - expected).imag))
    assert (distance <= limit).all(), f"{call}: {np.nanmax(distance / limit)} of the bound"


def check(call: Call) -> None:
    actual, expected = call(), authority.exact(call)
    check_shape_and_dtype(call, actual, expected)
    if isinstance(actual, tuple):
        assert actual[1].dtype == np.int64
        np.testing.assert_array_equal(actual[1], expected[1])
        actual, expected = actual[0], expected[0]
    dtype = authority.plain(call.input).dtype
    if dtype.kind in "iub":
        check_equal(actual, authority.narrowed(expected, dtype))
    elif call.operator.family in EXACT:
        check_equal(actual, expected.astype(dtype))
    else:
        check_within_bound(call, actual, expected)


LINEAR_AND_EXACT = [operator for operator in OPERATORS.values() if operator.family != "lp_pool"]


@pytest.mark.parametrize("operator", LINEAR_AND_EXACT, ids=str)
@given(data=st.data())
def test_float32(operator: Operator, data: st.DataObject) -> None:
    check(data.draw(strategies.calls(operator, "float32")))


@pytest.mark.parametrize("operator", LINEAR_AND_EXACT, ids=str)
@given(data=st.data())
def test_any_dtype(operator: Operator, data: st.DataObject) -> None:
    check(data.draw(strategies.calls(operator, data.draw(st.sampled_from(operator.dtypes)))))


@pytest.mark.parametrize("operator", of(*EXACT), ids=str)
@given(data=st.data())
def test_nan_infinities_zeros_and_ties(operator: Operator, data: st.DataObject) -> None:
    check(data.draw(strategies.calls(operator, data.draw(st.sampled_from(operator.dtypes)), "special")))


@pytest.mark.parametrize("operator", of(*INDEXED, "max_unpool", "avg_pool", "conv", "conv_transpose"), ids=str)
@given(data=st.data())
def test_same_as_torch_in_its_own_dtypes(operator: Operator, data: st.DataObject) -> None:
    """Shape, dtype and indices of torch itself, not of its wide version."""
    call = data.draw(strategies.calls(operator, data.draw(st.sampled_from(operator.dtypes))))
    if operator.family == "conv":
        call = authority.without_our_words(call)
    refusal: BaseException | None
    try:
        expected = authority.torch_call(call)
    except authority.REFUSALS as error:
        refusal = error
    else:
        refusal = None
    if refusal is not None:
        assert authority.has_no_kernel(refusal) or call.input.dtype.kind in "iub", refusal
        return
    actual = call()
    check_shape_and_dtype(call, actual, expected)
    if isinstance(actual, tuple):
        np.testing.assert_array_equal(actual[1], expected[1])
    if operator.family in EXACT:
        check_equal(*(result[0] if isinstance(result, tuple) else result for result in (actual, expected)))


@pytest.mark.parametrize("operator", [*OPERATORS.values()], ids=str)
@settings(max_examples=5)
@given(data=st.data())
def test_every_dtype_is_taken_or_refused_with_a_cast(operator: Operator, data: st.DataObject) -> None:
    for dtype in ALL:
        call = data.draw(strategies.calls(operator, dtype))
        if dtype in operator.dtypes:
            assert call() is not None
        else:
            with pytest.raises(TypeError, match="astype"):
                call()


@pytest.mark.parametrize("operator", of("lp_pool"), ids=str)
@given(data=st.data())
def test_power_mean(operator: Operator, data: st.DataObject) -> None:
    """The last power amplifies the rounding of the sum, so the result must lie between two powers."""
    call = data.draw(strategies.calls(operator, data.draw(st.sampled_from(FLOATS))))
    actual, expected = call(), authority.torch_call(authority.widened(call))
    check_shape_and_dtype(call, actual, expected)
    numbers = authority.as_numbers(actual)
    if math.isinf(call.parameters["norm_type"]):
        np.testing.assert_array_equal(numbers, expected.astype(numbers.dtype))
        return
    low, high, either_sign = authority.power_mean_limits(call)
    right = (low <= numbers) & (numbers <= high) | np.isnan(numbers) & (np.isnan(expected) | either_sign)
    assert right.all(), f"{call}: {numbers[~right]} instead of {expected[~right]}"


@pytest.mark.parametrize("operator", of("lp_pool"), ids=str)
@settings(max_examples=10)
@given(data=st.data())
def test_power_mean_of_integers_is_float32(operator: Operator, data: st.DataObject) -> None:
    """As torch's with an exponent that is a float; with an int torch truncates the mean on the way."""
    call = data.draw(strategies.calls(operator, data.draw(st.sampled_from((*INTEGERS, "bool")))))
    norm = call.parameters["norm_type"]
    if math.isinf(norm):
        return
    actual = call()
    assert actual.dtype == np.float32
    as_floats = call.with_arrays(input=authority.plain(call.input).astype(np.float32))
    np.testing.assert_array_equal(actual, as_floats())
