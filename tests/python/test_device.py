"""What torch computes: every operator against the reference, by torch's CPU in the place of a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
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


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint16", "bool"])
@pytest.mark.parametrize("sizes", [None, (6, 8), (7, 9)])
@pytest.mark.parametrize("lead", [(2, 3), (3,)])
def test_an_unpool_by_onnx_counts_over_the_whole_array(dtype: str, sizes: Any, lead: tuple[int, ...]) -> None:
    generator = np.random.default_rng(1)
    shape = (*lead, 3, 4)
    planes = np.arange(np.prod(lead)).reshape(*lead, 1, 1) * 48
    places = np.stack([generator.permutation(48)[:12] for _ in range(planes.size)]).reshape(shape) + planes
    arrays = {"input": strategies.values(generator, shape, dtype), "indices": places}
    call = Call(OPERATORS["max_unpool2d"], arrays, {"kernel_size": 2, "output_size": sizes, "rule": "onnx"})
    np.testing.assert_array_equal(by_torch(call), call())
    with pytest.raises(ValueError, match="an index lies outside the 48 elements"):
        by_torch(call.with_arrays(indices=places + 48))


def test_what_only_the_kernels_compute_is_refused() -> None:
    image = torch.ones(1, 1, 4, 4, dtype=torch.uint64)
    with convrs.use_backend("torch"):
        with pytest.raises(TypeError, match=r"a mean of uint64 is computed on the CPU alone.*input\.cpu\(\)"):
            convrs.avg_pool2d(image, 2)
        with pytest.raises(TypeError, match=r"a fractional pool of torch\.uint64.*input\.cpu\(\)"):
            convrs.fractional_max_pool2d(image, 2, output_size=2)
        with pytest.raises(TypeError, match=r"weight has dtype torch\.int8, but input has torch\.int64"):
            convrs.conv1d(torch.ones(1, 1, 4, dtype=torch.int64), torch.ones(1, 1, 2, dtype=torch.int8))
        # The kernels' own refusals.
        with pytest.raises(ValueError, match="leave it 0"):
            convrs.max_pool2d(image, 2, rule="tensorflow-same", padding=1)
        with pytest.raises(ValueError, match='padding_mode is "wrap"'):
            convrs.conv1d(torch.ones(1, 1, 4), torch.ones(1, 1, 2), padding_mode="wrap")
