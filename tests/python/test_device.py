"""What torch computes: every operator against the reference, by torch's CPU in the place of a GPU."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import authority
import convrs
import strategies
from convrs import check
from operators import OPERATORS, Call, Operator, of

SUMS = ("conv", "conv_transpose", "avg_pool", "adaptive_avg_pool", "fold")
"""Families whose sums of 16-bit floats are torch's own: its CPU rounds some on the way; test_cuda.py has its GPU's."""

HOLES = "not implemented for"
"""Torch's CPU has no 3-D averages of 16-bit floats; its GPU has."""


def dtypes_of(operator: Operator) -> list[str]:
    return [name for name in operator.dtypes if operator.family not in SUMS or "float16" not in name]


def by_torch(call: Call) -> Any:
    """The result of torch on tensors, as NumPy arrays."""
    tensors = {name: None if array is None else authority.to_torch(array) for name, array in call.arrays.items()}
    parameters = {name: authority.without_numpy(value) for name, value in call.parameters.items()}
    with convrs.use_backend("torch"):
        result = getattr(convrs, call.operator.name)(**tensors, **parameters)
    return tuple(map(authority.from_torch, result)) if isinstance(result, tuple) else authority.from_torch(result)


def agrees(call: Call) -> None:
    try:
        actual = by_torch(call)
    except (RuntimeError, TypeError, ValueError) as error:
        if not is_refused(call, error):
            raise
        return
    arrays = {name: None if array is None else authority.plain(array) for name, array in call.arrays.items()}
    verdict = check.compare(actual, call.operator.name, **arrays, **call.parameters)
    assert verdict.agrees, f"{call}\n{verdict}"


def is_refused(call: Call, error: Exception) -> bool:
    dtype, name = str(authority.plain(call.input).dtype), call.operator.name
    if "computed on the CPU alone" in str(error):
        return "fractional" in name or ("avg" in name and dtype == "uint64")
    if strategies.DOES_NOT_FIT in str(error):
        return True
    return HOLES in str(error) and name in ("avg_pool3d", "lp_pool3d") and dtype in ("float16", "bfloat16")


@pytest.mark.parametrize("operator", [*OPERATORS.values()], ids=str)
@given(data=st.data())
def test_every_operator_is_the_reference(operator: Operator, data: st.DataObject) -> None:
    agrees(data.draw(strategies.calls(operator, data.draw(st.sampled_from(dtypes_of(operator))), layouts=False)))


@pytest.mark.parametrize("operator", of("max_pool", "min_pool", "avg_pool", "lp_pool"), ids=str)
@given(data=st.data())
def test_every_rule_is_the_reference(operator: Operator, data: st.DataObject) -> None:
    agrees(data.draw(strategies.ruled_calls(operator, layouts=False)))
