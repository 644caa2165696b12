"""Gradients of CPU tensors: against differences in float64, and beside torch's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

import authority
import convrs
import strategies
from convrs import nn
from operators import OPERATORS, Call, Operator

SIGNAL = torch.arange(24.0).reshape(1, 2, 12)
WEIGHT = torch.arange(12.0).reshape(2, 2, 3)


def differentiable(call: Call) -> bool:
    """Small, and without what torch has no derivative of on other devices either."""
    return 0 < call.input.size <= 120 and all(array is None or array.size for array in call.arrays.values())


def tensors_of(call: Call) -> dict[str, torch.Tensor | None]:
    """Numbers far enough apart that a difference changes no maximum, and positive: a norm has no derivative at zero."""
    generator = np.random.default_rng(0)
    tensors = {name: None if array is None else authority.to_torch(array) for name, array in call.arrays.items()}
    for name, tensor in tensors.items():
        if tensor is not None and name not in ("indices", "_random_samples"):
            numbers = 0.5 + generator.permutation(tensor.numel()) / 8
            tensors[name] = torch.from_numpy(numbers).reshape(tensor.shape).requires_grad_()
    return tensors


@pytest.mark.parametrize("second", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("operator", [*OPERATORS.values()], ids=str)
@settings(
    max_examples=max(settings().max_examples // 20, 1),
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_gradients_are_the_differences(operator: Operator, second: bool, data: st.DataObject) -> None:
    call = data.draw(strategies.calls(operator, "float64", layouts=False).filter(differentiable))
    assume(np.size(call()[0] if call.parameters.get("return_indices") else call()))
    tensors = tensors_of(call)
    parameters = {name: authority.without_numpy(value) for name, value in call.parameters.items()}
    if operator.family == "max_unpool":
        # Where two elements go to one place, the last one wins, and torch gives both its gradient.
        indices = tensors["indices"]
        places = torch.arange(indices.shape[-operator.spatial :].numel())
        assume(places.numel() <= np.prod(call().shape[-operator.spatial :]))
        tensors["indices"] = places.reshape(indices.shape[-operator.spatial :]).expand(indices.shape).contiguous()
    names = [name for name, tensor in tensors.items() if tensor is not None and tensor.requires_grad]

    def function(*given: torch.Tensor) -> Any:
        result = getattr(convrs, operator.name)(**{**tensors, **dict(zip(names, given, strict=True))}, **parameters)
        return result[0] if isinstance(result, tuple) else result

    check = gradgradcheck if second else gradcheck
    assert check(function, [tensors[name] for name in names])


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("conv1d", {"stride": 2, "padding": 1}),
    ("conv1d", {"padding": "same", "bias": torch.ones(2)}),
    ("conv_transpose1d", {"stride": 2, "padding": 1, "output_padding": 1}),
    ("max_pool1d", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("avg_pool1d", {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    ("lp_pool1d", {"norm_type": 3, "kernel_size": 2}),
    ("adaptive_max_pool1d", {"output_size": 5}),
]


@pytest.mark.parametrize(("name", "parameters"), CALLS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_gradients_are_torchs(name: str, parameters: dict[str, Any], dtype: torch.dtype) -> None:
    """Ties, whole numbers and unbatched inputs included."""
    found = []
    for library in (convrs, torch.nn.functional):
        # Torch has no kernel for some of these in 16 bits.
        wide = torch.float32 if library is torch.nn.functional and dtype.itemsize == 2 else dtype
        signal = (SIGNAL[0] // 5 + 1).to(wide).requires_grad_()
        tensors = [signal] + ([(WEIGHT / 8).to(wide).requires_grad_()] if name.startswith("conv") else [])
        given = {key: value.to(wide) if isinstance(value, torch.Tensor) else value for key, value in parameters.items()}
        result = getattr(library, name)(*tensors, **given)
        result.backward(torch.arange(float(result.numel())).reshape(result.shape).to(wide) / 8)
        found.append([tensor.grad.float() for tensor in tensors])
    tolerance = 0.02 if dtype.itemsize == 2 else 1e-5
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_the_forward_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = convrs.conv1d(SIGNAL, WEIGHT)
    monkeypatch.setattr(torch.nn.functional, "conv1d", None)
    result = convrs.conv1d(SIGNAL, WEIGHT.clone().requires_grad_())
    assert result.requires_grad
    assert torch.equal(result, plain)


def test_indices_have_no_gradient() -> None:
    values, indices = convrs.max_pool1d(SIGNAL.clone().requires_grad_(), 2, return_indices=True)
    assert values.requires_grad
    assert not indices.requires_grad


def test_the_windows_of_a_fractional_pool_are_the_same_in_the_backward() -> None:
    image = torch.randn(1, 1, 9, 9, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(4)
    values, indices = convrs.fractional_max_pool2d(image, 2, output_size=4, return_indices=True)
    values.sum().backward()
    assert set(image.grad.flatten().nonzero().flatten().tolist()) == set(indices.flatten().tolist())


def test_only_what_is_asked_for_is_computed() -> None:
    signal, weight = SIGNAL.clone().requires_grad_(), WEIGHT.clone()
    convrs.conv1d(signal, weight).sum().backward()
    assert signal.grad is not None
    assert weight.grad is None


def test_without_grad_mode_nothing_is_recorded() -> None:
    weight = WEIGHT.clone().requires_grad_()
    with torch.no_grad():
        assert not convrs.conv1d(SIGNAL, weight).requires_grad


def test_an_empty_result_has_a_gradient_of_zeros() -> None:
    """Torch refuses it for adaptive pools."""
    signal = SIGNAL.clone().requires_grad_()
    convrs.adaptive_avg_pool1d(signal, 0).sum().backward()
    assert torch.equal(signal.grad, torch.zeros_like(SIGNAL))


def test_a_training_step() -> None:
    """The same numbers as with torch's convolution, after an optimiser has used the gradient."""
    weights = []
    for function in (convrs.conv1d, torch.nn.functional.conv1d):
        weight = (WEIGHT / 10).clone().requires_grad_()
        optimizer = torch.optim.SGD([weight], lr=1e-4)
        for _ in range(3):
            optimizer.zero_grad()
            (function(SIGNAL, weight) ** 2).mean().backward()
            optimizer.step()
        weights.append(weight.detach())
    assert torch.allclose(*weights, rtol=1e-5)
    assert not torch.allclose(weights[0], WEIGHT / 10)


def test_torch_func_grad() -> None:
    ours = torch.func.grad(lambda weight: convrs.conv1d(SIGNAL, weight).sum())(WEIGHT)
    theirs = torch.func.grad(lambda weight: torch.nn.functional.conv1d(SIGNAL, weight).sum())(WEIGHT)
    assert torch.allclose(ours, theirs)


@pytest.mark.parametrize("name", ["max_pool2d", "min_pool2d"])
def test_a_window_without_elements_has_no_gradient(name: str) -> None:
    """Torch's own backward writes outside the plane there."""
    image = torch.ones(1, 1, 2, 2, requires_grad=True)
    values = getattr(convrs, name)(image, 2, 1, 1, dilation=3)
    assert values.isinf().all()
    values.sum().backward()
    assert torch.equal(image.grad, torch.zeros(1, 1, 2, 2))


# --- refusals ---


def test_what_torch_has_no_words_for_differentiates() -> None:
    signal = torch.randn(2, 3, 11, dtype=torch.float64, requires_grad=True)
    for call in (
        lambda x: convrs.avg_pool1d(x, 2, padding=((0, 1),), dilation=2),
        lambda x: convrs.lp_pool1d(x, 2.0, 3, padding=1),
        lambda x: convrs.max_pool1d(x, 3, padding="same"),
        lambda x: convrs.conv1d(x, torch.ones(2, 3, 3, dtype=torch.float64), padding=((2, 1),), padding_mode="reflect"),
    ):
        assert torch.autograd.gradcheck(call, signal)


def test_out_and_planned_layers_are_refused() -> None:
    signal = SIGNAL.clone().requires_grad_()
    with pytest.raises(RuntimeError, match=r"out is given and a gradient is asked for.*torch\.no_grad"):
        convrs.conv1d(signal, WEIGHT, out=torch.empty(1, 2, 10))
    with pytest.raises(RuntimeError, match=r'rule is "onnx" and a gradient'):
        convrs.max_pool1d(signal, 2, rule="onnx")
    with pytest.raises(RuntimeError, match=r"planned layer computes no gradient.*input\.detach"):
        nn.Conv1d.from_weights(WEIGHT)(signal)
