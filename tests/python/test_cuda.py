"""A real CUDA device: every operator against the reference, on its stream, without a copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import authority
import convrs
import strategies
from convrs import check, nn
from operators import OPERATORS, Call, Operator, of
from test_nn import layer_of
from test_nn_steps import FIVE_CHANNELS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

CUDA = "cuda"


def on_cuda(call: Call, **changed: Any) -> Any:
    tensors = {n: None if a is None else authority.to_torch(a).to(CUDA) for n, a in call.arrays.items()}
    parameters = {name: authority.without_numpy(value) for name, value in call.parameters.items()}
    return getattr(convrs, call.operator.name)(**{**tensors, **parameters, **changed})


def to_numpy(result: Any) -> Any:
    if isinstance(result, tuple):
        return tuple(map(to_numpy, result))
    assert result.is_cuda
    return authority.from_torch(result.cpu())


def agrees(call: Call, compute: Callable[[Call], Any] = on_cuda) -> None:
    """Within the rounding bound of the reference. 16-bit sums may be rounded once more before the bias is added."""
    try:
        actual = to_numpy(compute(call))
    except (TypeError, ValueError) as error:
        if strategies.DOES_NOT_FIT not in str(error) and "computed on the CPU alone" not in str(error):
            raise
        return
    arrays = {name: None if array is None else authority.plain(array) for name, array in call.arrays.items()}
    verdict = check.compare(actual, call.operator.name, **arrays, **call.parameters)
    biased = "float16" in str(authority.plain(call.input).dtype) and arrays.get("bias") is not None
    assert verdict.agrees or (biased and verdict.share <= 2), f"{call}\n{verdict}"


@pytest.mark.parametrize("operator", [*OPERATORS.values()], ids=str)
@given(data=st.data())
def test_every_operator_is_the_reference(operator: Operator, data: st.DataObject) -> None:
    agrees(data.draw(strategies.calls(operator, data.draw(st.sampled_from(operator.dtypes)), layouts=False)))


@pytest.mark.parametrize("operator", of("max_pool", "min_pool", "avg_pool", "lp_pool"), ids=str)
@given(data=st.data())
def test_every_rule_is_the_reference(operator: Operator, data: st.DataObject) -> None:
    agrees(data.draw(strategies.ruled_calls(operator, layouts=False)))


@pytest.mark.parametrize("operator", [*OPERATORS.values()], ids=str)
@settings(max_examples=max(settings().max_examples // 4, 1))
@given(data=st.data())
def test_out_and_views(operator: Operator, data: st.DataObject) -> None:
    """Strided inputs give what contiguous ones give, and `out` is written where it is."""
    call = data.draw(strategies.calls(operator, "float64", layouts=False))
    result = on_cuda(call)
    values = result[0] if isinstance(result, tuple) else result
    x = authority.to_torch(call.input).to(CUDA)
    view = torch.stack([x, x], -1)[..., 0]
    out = torch.empty((*values.shape, 2), dtype=values.dtype, device=CUDA)[..., 1]
    again = on_cuda(call, input=view, out=out)
    assert (again[0] if isinstance(again, tuple) else again) is out
    torch.testing.assert_close(out, values, rtol=1e-9, atol=1e-9, equal_nan=True)


def test_the_current_stream_is_used_without_waiting() -> None:
    """The input is written on a stream behind a long wait; a call on another stream would read it too early."""
    x, w = torch.zeros(1, 1, 64, 64, device=CUDA), torch.ones(1, 1, 3, 3, device=CUDA)
    convrs.conv2d(x, w)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(200_000_000)
        x.fill_(1)
        result = convrs.conv2d(x, w)
        assert not stream.query()
    stream.synchronize()
    assert (result == 9).all()


def test_float32_is_not_tf32() -> None:
    x = torch.full((1, 64, 16, 16), 1 + 2.0**-12, device=CUDA)
    w = torch.ones(64, 64, 3, 3, device=CUDA)
    exact = 576 * (1 + 2.0**-12)
    assert torch.allclose(convrs.conv2d(x, w), torch.tensor(exact, device=CUDA), rtol=1e-6)
    assert torch.backends.cudnn.allow_tf32


def test_mixed_devices_are_refused() -> None:
    with pytest.raises(TypeError, match=r"weight: Tensor of torch on cpu.*torch\.as_tensor\(weight, device='cuda:0'\)"):
        convrs.conv1d(torch.zeros(1, 1, 4, device=CUDA), torch.zeros(1, 1, 2))


def test_the_kernels_can_be_forced() -> None:
    x, w = torch.randn(2, 3, 9, device=CUDA), torch.randn(4, 3, 3, device=CUDA)
    with convrs.use_backend("rust"):
        result = convrs.conv1d(x, w)
    assert result.is_cuda
    np.testing.assert_array_equal(result.cpu(), convrs.conv1d(x.cpu(), w.cpu()))


def test_gradients_are_torchs() -> None:
    x = torch.randn(1, 2, 8, device=CUDA, requires_grad=True)
    convrs.conv1d(x, torch.ones(1, 2, 3, device=CUDA)).sum().backward()
    assert x.grad is not None


# --- planned layers ---


def by_layer(call: Call) -> Any:
    call = call.with_parameters(**{name: authority.without_numpy(value) for name, value in call.parameters.items()})
    return layer_of(call).to(CUDA)(authority.to_torch(call.input).to(CUDA))


@pytest.mark.parametrize("operator", of("conv", "conv_transpose"), ids=str)
@given(data=st.data())
def test_every_layer_is_the_reference(operator: Operator, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(operator.dtypes))
    agrees(data.draw(strategies.calls(operator, dtype, layouts=False)), by_layer)


@pytest.mark.parametrize("name", FIVE_CHANNELS)
def test_steps_behind_the_sum(name: str) -> None:
    activation = FIVE_CHANNELS[name][0]
    layer = nn.Conv2d.from_weights(np.ones((5, 3, 3, 3)), padding="same", stride=2, activation=activation)
    image, residual = torch.randn(2, 3, 9, 11).double(), torch.randn(2, 5, 5, 6).double()
    moved, out = layer.to(CUDA), torch.empty(2, 5, 5, 6, device=CUDA, dtype=torch.float64)
    assert moved(image.to(CUDA), residual.to(CUDA), out=out) is out
    torch.testing.assert_close(out.cpu(), layer(image, residual), rtol=1e-9, atol=1e-9)


def test_a_layer_computes_on_the_current_stream_without_waiting() -> None:
    x, layer = torch.zeros(1, 1, 64, 64, device=CUDA), nn.Conv2d(1, 1, 3, device=CUDA, activation="relu")
    layer(x)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(200_000_000)
        x.fill_(1)
        result = layer(x)
        assert not stream.query()
    stream.synchronize()
    torch.testing.assert_close(result.cpu(), layer.to("cpu")(x.cpu()))


def test_a_layer_takes_tensors_of_its_device_alone() -> None:
    layer = nn.Conv1d(1, 1, 2, device=CUDA)
    assert layer.weight.is_cuda
    with pytest.raises(TypeError, match=r"input: .* on cpu\); write torch\.as_tensor\(input, device='cuda:0'\)"):
        layer(torch.zeros(1, 1, 4))
    with pytest.raises(TypeError, match=r"write layer\.to\('cuda:0'\)"):
        layer.to("cpu")(torch.zeros(1, 1, 4, device=CUDA))


def test_describe_names_the_device() -> None:
    assert torch.cuda.get_device_name(0) in str(convrs.backends.describe())
