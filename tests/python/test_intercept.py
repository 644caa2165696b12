"""`convrs.torch.intercept`: a torch program whose convolutions and pools are ours."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given, settings
from hypothesis import strategies as st

import authority
import convrs
import strategies
from convrs.torch import intercept
from operators import OPERATORS, Operator, of

SIGNAL = torch.randn(2, 3, 20)


@pytest.mark.parametrize(
    "operator", [*of(*{operator.family for operator in OPERATORS.values()} - {"min_pool"})], ids=str
)
@settings(max_examples=max(settings().max_examples // 8, 1))
@given(data=st.data())
def test_every_function_is_ours(operator: Operator, data: st.DataObject) -> None:
    call = data.draw(strategies.calls(operator, "float32", layouts=False))
    tensors = {name: None if array is None else authority.to_torch(array) for name, array in call.arrays.items()}
    parameters = {name: authority.without_numpy(value) for name, value in call.parameters.items()}
    if "padding_mode" in parameters:
        del parameters["padding_mode"]
        parameters["padding"] = 1 if not isinstance(parameters["padding"], int) else parameters["padding"]
    try:
        torchs = getattr(functional, operator.name)(**tensors, **parameters)
    except authority.REFUSALS:
        return
    try:
        ours = getattr(convrs, operator.name)(**tensors, **parameters)
    except (TypeError, ValueError):
        ours = None
    with intercept() as taken:
        found = getattr(functional, operator.name)(**tensors, **parameters)
    assert taken.calls == ({} if ours is None else {operator.name: 1})
    results = [
        result if isinstance(result, tuple) else (result,) for result in (found, torchs if ours is None else ours)
    ]
    for one, other in zip(*results, strict=True):
        assert torch.equal(one.nan_to_num(7), other.nan_to_num(7))


def test_modules_and_native_names() -> None:
    layers = torch.nn.Conv1d(3, 4, 3, padding=2, padding_mode="circular"), torch.nn.MaxPool1d(2), torch.nn.AvgPool1d(2)
    model = torch.nn.Sequential(*layers, torch.nn.AdaptiveMaxPool1d(3, return_indices=True))
    with torch.no_grad():
        theirs = model(SIGNAL)
        with intercept() as taken:
            ours = model(SIGNAL)
            torch.conv1d(SIGNAL, layers[0].weight)
            torch.max_pool1d(SIGNAL, 2)
            assert isinstance(functional.max_pool1d_with_indices(SIGNAL, 2), tuple)
    assert taken.calls == {"conv1d": 2, "max_pool1d": 3, "avg_pool1d": 1, "adaptive_max_pool1d": 1}
    assert torch.allclose(ours[0], theirs[0], atol=1e-6)
    assert torch.equal(ours[1], theirs[1])


def test_gradients_go_through() -> None:
    grads = []
    for mode in (intercept(), torch.no_grad()):
        signal, weight = SIGNAL.clone().requires_grad_(), torch.ones(2, 3, 3, requires_grad=True)
        with mode if isinstance(mode, intercept) else torch.enable_grad():
            torch.autograd.backward([functional.avg_pool1d(functional.conv1d(signal, weight), 3).square().sum()])
        grads.append([signal.grad, weight.grad])
        if isinstance(mode, intercept):
            assert mode.calls == {"conv1d": 1, "avg_pool1d": 1}
    for ours, theirs in zip(*grads, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "program",
    [
        lambda: functional.max_pool1d(SIGNAL.to("meta"), 2),
        lambda: functional.conv1d(SIGNAL.long(), torch.ones(1, 3, 3, dtype=torch.int64)),
        lambda: torch.func.vmap(lambda signal: functional.max_pool1d(signal, 2))(SIGNAL),
    ],
    ids=["meta", "integers", "vmap"],
)
def test_the_rest_is_torchs(program: Any) -> None:
    theirs = program()
    with intercept() as taken:
        ours = program()
    assert not taken.calls
    assert ours.device == theirs.device
    assert ours.shape == theirs.shape
    if ours.device.type == "cpu":
        assert torch.equal(ours, theirs)


def test_a_program_raises_what_it_raised() -> None:
    with pytest.raises(RuntimeError) as theirs:
        functional.conv1d(SIGNAL, torch.ones(2, 4, 3))
    with intercept() as taken, pytest.raises(RuntimeError) as ours:
        functional.conv1d(SIGNAL, torch.ones(2, 4, 3))
    assert str(ours.value) == str(theirs.value)
    assert not taken.calls


def test_nothing_is_left_behind() -> None:
    with intercept() as taken:
        pass
    functional.max_pool1d(SIGNAL, 2)
    assert not taken.calls
