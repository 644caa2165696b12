"""What torch refuses we refuse, with a message of our own; what torch takes we take; a table holds the exceptions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import authority
import strategies
from operators import OPERATORS, Call, Operator


def sequence(value: Any) -> bool:
    return isinstance(value, tuple | list)


def numbers(value: Any) -> list[Any]:
    return list(value) if sequence(value) else [value]


def spatial_shape(call: Call) -> tuple[int, ...]:
    return call.input.shape[-call.operator.spatial :]


WE_TAKE = {
    "fractional_max_pool2d takes one output_ratio for both axes, as fractional_max_pool3d does": lambda call: (
        call.operator.name == "fractional_max_pool2d" and isinstance(call.parameters.get("output_ratio"), float)
    ),
    "kernel_size and padding of a pool are lists of one as well, wherever the other pools take them": lambda call: (
        call.operator.family in ("lp_pool", "max_unpool")
        and any(sequence(value) and len(value) <= 1 for value in call.parameters.values())
    ),
    "integers, of which torch has no fractional pool; their samples are floats": lambda call: (
        call.operator.family == "fractional_max_pool" and call.input.dtype.kind == "i"
    ),
}
"""Calls that torch refuses and we do not."""


def bool_inside(value: Any) -> bool:
    return sequence(value) and any(isinstance(number, bool) for number in value)


WE_REFUSE = {
    "several dtypes: torch takes them with an empty batch, and any bias of a transposed convolution": lambda call: (
        len({array.dtype for name, array in call.arrays.items() if array is not None and name != "indices"}) > 1
    ),
    "a set, dict, text, range or array of sizes: torch takes them in some functions": lambda call: any(
        isinstance(value, set | dict | bytes | str | range | np.ndarray) for value in call.parameters.values()
    ),
    "an unpool's bools, floats and superfluous numbers, which torch does not look at": lambda call: (
        call.operator.family == "max_unpool"
        and any(
            isinstance(value, bool | float) or (name != "output_size" and len(numbers(value)) > call.operator.spatial)
            for name, value in call.parameters.items()
        )
    ),
    "a bool in a sequence: torch looks at the first number alone": lambda call: any(
        map(bool_inside, call.parameters.values())
    ),
    "a transposed convolution without outputs: torch takes it with some batches": lambda call: (
        call.operator.family == "conv_transpose" and 0 in authority.torch_call(call).shape
    ),
    "dilation 0 of a transposed convolution: torch takes it with one tap": lambda call: (
        call.operator.family == "conv_transpose" and any(number == 0 for number in numbers(call.parameters["dilation"]))
    ),
    "an adaptive mean of the wrong rank: torch takes it with one output": lambda call: (
        call.operator.family == "adaptive_avg_pool"
        and call.input.ndim not in (call.operator.spatial + 1, call.operator.spatial + 2)
    ),
    "a fractional pool without outputs whose kernel is larger than the input": lambda call: (
        call.operator.family == "fractional_max_pool" and 0 in numbers(call.parameters.get("output_size"))
    ),
    "an unpool of kernel_size or stride 0, or padding below 0; torch refuses some in 3-D alone": lambda call: (
        call.operator.family == "max_unpool"
        and any(
            isinstance(number, int) and number < least
            for name, least in (("kernel_size", 1), ("stride", 1), ("padding", 0))
            for number in numbers(call.parameters[name])
        )
    ),
    "the mean of an empty plane": lambda call: call.operator.family == "adaptive_avg_pool" and 0 in spatial_shape(call),
    "output_padding is checked for an empty batch too": lambda call: (
        call.operator.family == "conv_transpose" and call.input.shape[:1] == (0,)
    ),
    "a ratio is within (0, 1)": lambda call: (
        call.operator.family == "fractional_max_pool"
        and any(not 0 < ratio < 1 for ratio in numbers(call.parameters.get("output_ratio")) if isinstance(ratio, float))
    ),
}
"""Calls that torch takes by accident, and we do not."""


@pytest.mark.parametrize("operator", [*OPERATORS.values()], ids=str)
@settings(max_examples=settings().max_examples * 3)
@given(data=st.data())
def test_refused_by_both_or_by_none(operator: Operator, data: st.DataObject) -> None:
    call = data.draw(strategies.odd_calls(operator))
    try:
        expected = authority.torch_call(call)
    except authority.REFUSALS as error:
        refusal: BaseException | None = error
    else:
        refusal = None
    try:
        actual = call()
    except (TypeError, ValueError) as error:
        ours = str(error)
    else:
        ours = ""
    if ours:
        assert refusal is not None or any(rule(call) for rule in WE_REFUSE.values()), f"{call}: {ours}"
        return
    if refusal is not None:
        assert authority.has_no_kernel(refusal) or any(rule(call) for rule in WE_TAKE.values()), f"{call}: {refusal}"
        return
    values, right = (result[0] if isinstance(result, tuple) else result for result in (actual, expected))
    # A convolution without input channels is its bias; torch gives it no output channels.
    weight = call.arrays.get("weight")
    assert values.shape == right.shape or (weight is not None and weight.shape[1] == 0), call
