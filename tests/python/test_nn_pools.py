"""Pools as layers: the function's own bits, torch.nn's arguments, tensors, and threads."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import convrs
import strategies
from convrs import nn
from operators import Operator, bits, of

NAMES = {
    "max_pool": "MaxPool",
    "min_pool": "MinPool",
    "avg_pool": "AvgPool",
    "lp_pool": "LPPool",
    "adaptive_avg_pool": "AdaptiveAvgPool",
    "adaptive_max_pool": "AdaptiveMaxPool",
}
POOLS = of(*NAMES)


def layer_class(operator: Operator) -> Any:
    return getattr(nn, f"{NAMES[operator.family]}{operator.spatial}d")


@pytest.mark.parametrize("operator", POOLS, ids=str)
@given(data=st.data())
def test_a_pool_gives_the_bits_of_the_function(operator: Operator, data: st.DataObject) -> None:
    call = data.draw(strategies.calls(operator, data.draw(st.sampled_from(operator.dtypes)), "special"))
    layer = layer_class(operator)(**call.parameters)
    expected = call()
    assert bits(layer(call.input)) == bits(expected)
    values = expected[0] if isinstance(expected, tuple) else expected
    out = np.zeros_like(values)
    result = layer(call.input, out=out)
    assert (result[0] if isinstance(result, tuple) else result) is out
    assert bits(result) == bits(expected)


@pytest.mark.parametrize("operator", POOLS, ids=str)
def test_arguments_are_torchs_and_then_the_functions(operator: Operator) -> None:
    ours = inspect.signature(layer_class(operator)).parameters
    functions = inspect.signature(getattr(convrs, operator.name)).parameters
    assert set(ours) == set(functions) - {"input", "out"}
    assert all(parameter.default == functions[name].default for name, parameter in ours.items())
    positional = [name for name, parameter in ours.items() if parameter.kind is not parameter.KEYWORD_ONLY]
    family = NAMES[operator.family].replace("Min", "Max")
    theirs = inspect.signature(getattr(torch.nn, f"{family}{operator.spatial}d")).parameters
    assert positional == list(theirs)


@pytest.mark.parametrize("operator", of("max_pool", "min_pool", "avg_pool"), ids=str)
def test_a_rule_is_kept(operator: Operator) -> None:
    input = np.arange(6.0).reshape(1, 1, *[1] * (operator.spatial - 1), 6)
    kernel = [*[1] * (operator.spatial - 1), 3]
    parameters: dict[str, Any] = {"kernel_size": kernel, "stride": 2, "rule": "tensorflow-same"}
    expected = getattr(convrs, operator.name)(input, **parameters)
    assert expected.shape[-1] == 3
    np.testing.assert_array_equal(layer_class(operator)(**parameters)(input), expected)


def test_tensors_in_tensors_out() -> None:
    image = torch.randn(2, 3, 8, 8)
    values, indices = nn.MaxPool2d(3, 2, 1, return_indices=True)(image)
    expected = torch.nn.MaxPool2d(3, 2, 1, return_indices=True)(image)
    assert torch.equal(values, expected[0])
    assert torch.equal(indices, expected[1])
    assert isinstance(nn.AdaptiveAvgPool2d(1)(image), torch.Tensor)


def test_one_layer_for_every_shape_from_many_threads() -> None:
    layer = nn.AvgPool2d(3, stride=2, padding=1)
    inputs = [np.random.default_rng(size).standard_normal((size % 3, 2, size, size + 4)) for size in range(2, 40)]
    with ThreadPoolExecutor(4) as executor:
        for input, result in zip(inputs, executor.map(layer, inputs), strict=True):
            np.testing.assert_array_equal(result, convrs.avg_pool2d(input, 3, 2, 1))


def test_a_layer_says_what_it_does() -> None:
    assert repr(nn.AdaptiveMaxPool1d(4)) == "AdaptiveMaxPool1d(output_size=4, return_indices=False)"


def test_a_bad_argument_is_named_when_the_layer_is_called() -> None:
    with pytest.raises(ValueError, match="kernel_size"):
        nn.MaxPool2d(0)(np.ones((1, 4, 4)))
