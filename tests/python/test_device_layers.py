"""Planned layers on a device: the layer's numbers by torch, weights that are moved once, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import authority
import convrs
import strategies
from convrs import check, nn
from fake_device import FakeDevice
from operators import Call, Operator, of
from test_libraries import CUDA, Foreign, library  # noqa: F401 (a fixture)
from test_nn import LAYERS, layer_of
from test_nn_steps import FIVE_CHANNELS

CONVOLUTIONS = of("conv", "conv_transpose")
X = torch.arange(24.0).reshape(1, 2, 12)
W = np.arange(12.0, dtype=np.float32).reshape(2, 2, 3)


def without_numpy(call: Call) -> Call:
    return call.with_parameters(**{name: authority.without_numpy(value) for name, value in call.parameters.items()})


# --- numbers ---


@pytest.mark.parametrize("operator", CONVOLUTIONS, ids=str)
@given(data=st.data())
def test_every_layer_is_the_reference(operator: Operator, data: st.DataObject) -> None:
    """Of 16-bit floats torch's CPU rounds some on the way; test_cuda.py has its GPU's."""
    dtype = data.draw(st.sampled_from([name for name in operator.dtypes if "float16" not in name]))
    call = without_numpy(data.draw(strategies.calls(operator, dtype, layouts=False)))
    layer, image = layer_of(call), authority.to_torch(call.input)
    with FakeDevice():
        result = layer.to("cuda")(image)
    actual = authority.from_torch(result)
    arrays = {name: None if array is None else authority.plain(array) for name, array in call.arrays.items()}
    verdict = check.compare(actual, operator.name, **arrays, **call.parameters)
    assert verdict.agrees, f"{call}\n{verdict}"


@pytest.mark.parametrize("batch", [(2,), ()], ids=["batch", "no batch"])
@pytest.mark.parametrize("name", FIVE_CHANNELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_behind_the_sum(name: str, dtype: str, batch: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    shapes = [(*batch, 3, 9, 11), (5, 3, 3, 3), (5,), (*batch, 5, 9, 11)]
    image, weight, bias, residual = (generator.standard_normal(shape).astype(dtype) for shape in shapes)
    activation = FIVE_CHANNELS[name][0]
    layer = nn.Conv2d.from_weights(weight, bias, padding="same", activation=activation, algorithm="direct")
    with FakeDevice():
        actual = layer.to("cuda")(torch.from_numpy(image), torch.from_numpy(residual))
    # Two sums of 28 products, their rounding, and a few steps behind them.
    slack = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(actual.numpy(), layer(image, residual), rtol=slack, atol=slack)


@pytest.mark.parametrize("name", FIVE_CHANNELS)
def test_nan_passes_through_every_activation(name: str) -> None:
    activation = FIVE_CHANNELS[name][0]
    layer = nn.Conv1d.from_weights(np.ones((5, 1, 1), np.float32), activation=activation)
    with FakeDevice():
        assert layer.to("cuda")(torch.full((1, 1, 3), torch.nan)).isnan().all()


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "uint64", "bool"])
def test_a_residual_of_whole_numbers_wraps_around(dtype: str) -> None:
    generator = np.random.default_rng(0)
    image, weight, residual = (
        strategies.values(generator, shape, dtype) for shape in [(2, 3, 9), (4, 3, 3), (2, 4, 7)]
    )
    layer = nn.Conv1d.from_weights(weight)
    with FakeDevice():
        actual = layer.to("cuda")(torch.from_numpy(image), torch.from_numpy(residual))
    np.testing.assert_array_equal(actual.numpy(), layer(image, residual))


def test_out_receives_the_result_of_all_steps() -> None:
    layer = nn.Conv1d.from_weights(W, activation="sigmoid")
    residual, out = torch.full((1, 2, 10), -500.0), torch.empty(1, 2, 10)
    with FakeDevice():
        assert layer.to("cuda")(X, residual, out=out) is out
    np.testing.assert_allclose(out.numpy(), layer(X, residual).numpy(), rtol=1e-5)
    assert (residual == -500).all()


# --- where the weights live ---


@pytest.mark.parametrize("name", LAYERS)
def test_weights_are_moved_once_and_taken_from_there(name: str) -> None:
    spatial = int(name[-2])
    layer = LAYERS[name](2, 2, 3)
    image = torch.randn(1, 2, *[6] * spatial)
    with FakeDevice() as fake:
        moved = layer.to("cuda")
        assert len(fake.called("to")) == 2
        moved(image)
        moved(image)
        assert len(fake.called("to")) == 2
    calls = fake.called(name)
    assert len(calls) == 2
    for _, arrays, named in calls:
        passed = [*arrays, *named.values()]
        assert passed[0] is image
        assert passed[1] is moved.weight
        assert passed[2] is moved.bias


def test_the_cpu_s_layer_comes_back() -> None:
    layer = nn.Conv1d.from_weights(W)
    moved = layer.to("meta")
    assert moved.weight.device.type == "meta"
    assert layer.to("cpu") is layer.to(torch.device("cpu")) is layer
    assert moved.to("cpu") is moved.to("meta").to("cpu") is layer
    np.testing.assert_array_equal(layer.weight, W)
    assert repr(layer) == "Conv1d(weight=(2, 2, 3), dtype=float32)"
    assert repr(moved) == "Conv1d(weight=(2, 2, 3), dtype=float32, device='meta')"


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_may_be_made_on_a_device(name: str) -> None:
    layer = LAYERS[name](2, 4, 3, device=torch.device("meta"), dtype=np.float64)
    image = torch.empty(1, 2, *[6] * int(name[-2]), device="meta", dtype=torch.float64)
    assert layer.weight.device == layer.bias.device == layer(image).device == image.device
    assert layer.to("cpu")(np.zeros(image.shape)).shape == layer(image).shape
    assert LAYERS[name](2, 4, 3, device="cpu").to("cpu").weight.dtype == np.float32


@pytest.mark.parametrize("operator", CONVOLUTIONS, ids=str)
@given(data=st.data())
def test_no_tensor_strays(operator: Operator, data: st.DataObject) -> None:
    """On the meta device, which refuses tensors of the CPU, every shape is right."""
    call = without_numpy(data.draw(strategies.calls(operator, "float32", layouts=False)))
    expected = call()
    activation = data.draw(st.sampled_from(["relu", "gelu", ("leaky_relu", 0.1), ("prelu", 0.1), ("clamp", 0, 1)]))
    layer = layer_of(call, activation=activation).to("meta")
    residual, out = (torch.empty(expected.shape, device="meta") for _ in range(2))
    image = authority.to_torch(call.input).to("meta")
    assert tuple(layer(image).shape) == expected.shape
    assert layer(image, residual, out=out) is out


def test_a_layer_stays_where_it_is_whatever_is_forced() -> None:
    layer = nn.Conv1d.from_weights(W).to("meta")
    for side in ("rust", "torch"):
        with convrs.use_backend(side):
            assert layer(X.to("meta")).device.type == "meta"


def test_float32_is_not_shortened() -> None:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        layer = nn.Conv1d.from_weights(W)
        for allowed in (False, True):
            with convrs.allow_tf32(allowed), FakeDevice() as fake:
                layer.to("cuda")(X)
            flags = [flag for call, flag in zip(fake.calls, fake.tf32, strict=True) if call[0] == "conv1d"]
            assert flags == [allowed]
    finally:
        torch.backends.cudnn.allow_tf32 = before


def test_arrays_of_another_library_come_back_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convrs.backends.torch, "from_dlpack", lambda array: torch.from_numpy(array.held))
    layer = nn.Conv1d.from_weights(W, activation="relu")
    held, residual = X.numpy(), np.full((1, 2, 10), -300, np.float32)
    with FakeDevice():
        moved = layer.to("cuda")
        result = moved(Foreign(held, CUDA), Foreign(residual, CUDA))
        with pytest.raises(TypeError, match="residual: Tensor of torch on cuda:0"):
            moved(Foreign(held, CUDA), torch.from_numpy(residual))
    assert type(result) is Foreign
    np.testing.assert_allclose(result.held.numpy(), layer(held, residual), rtol=1e-5)


# --- causal layers ---


def causal() -> tuple[nn.CausalConv1d, torch.Tensor]:
    generator = np.random.default_rng(0)
    weight, bias = (generator.standard_normal(shape).astype(np.float32) for shape in ((6, 2, 3), (6,)))
    layer = nn.CausalConv1d.from_weights(weight, bias, 2, groups=3, activation="silu")
    return layer, torch.from_numpy(generator.standard_normal((2, 6, 11)).astype(np.float32))


@pytest.mark.parametrize("batched", [True, False])
def test_a_causal_sequence_on_a_device(batched: bool) -> None:
    layer, sequence = causal()
    sequence = sequence if batched else sequence[0]
    expected = layer(sequence).numpy()
    with FakeDevice() as fake:
        moved = layer.to("cuda")
        placed = len(fake.called("to"))
        whole = moved(sequence)
        chunks = [moved.extend(sequence[..., :4]), moved.extend(sequence[..., 4:4])]
        kept = moved.state
        chunks += [moved.step(sequence[..., time])[..., None] for time in range(4, 11)]
        moved.state = kept
        again = moved.extend(sequence[..., 4:])
        assert len(fake.called("to")) == placed
        assert all(arrays[0].shape[-1] > 4 for _, arrays, _ in fake.called("conv1d"))
    np.testing.assert_allclose(whole.numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(torch.cat(chunks, -1).numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again.numpy(), expected[..., 4:], rtol=1e-5, atol=1e-6)


def test_a_causal_layer_stays_on_its_device() -> None:
    layer, sequence = causal()
    for moved, channels in ((layer.to("meta"), 6), (nn.CausalConv1d.from_weights(W, device="meta"), 2)):
        result = moved.extend(torch.empty(2, channels, 5, device="meta"))
        assert result.device.type == moved.state.device.type == moved.weight.device.type == "meta"
    assert layer.to("cpu") is layer
    back = layer.to("meta").to("cpu")
    assert torch.equal(back(sequence), layer(sequence))
    assert repr(layer.to("meta")) == "CausalConv1d(weight=(6, 2, 3), dtype=float32, device='meta')"
    with pytest.raises(TypeError, match=r"write layer\.to"):
        layer.extend(sequence.to("meta"))
    with pytest.raises(TypeError, match=r"torch\.as_tensor\(input, device='meta'\)"):
        layer.to("meta").step(sequence[..., 0])
    with pytest.raises(ValueError, match="device is nowhere"):
        layer.to("nowhere")


# --- refusals ---


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (
            (X,),
            TypeError,
            r"weight: .* on meta, input: .* on cpu\); write torch\.as_tensor\(input, device='meta'",
        ),
        ((X.numpy(),), TypeError, r"input: ndarray of numpy on cpu\); write torch\.as_tensor\(input, device='meta'\)"),
        ((X.tolist(),), TypeError, r"torch\.as_tensor\(input, device='meta'\)"),
        ((X.to("meta"), torch.ones(1, 2, 10)), TypeError, r"torch\.as_tensor\(residual, device='meta'\)"),
        ((X.to("meta"), np.ones((1, 2, 10))), TypeError, r"residual"),
        ((X.to("meta").double(),), TypeError, r"float64: it must have the dtype of the layer's weight, torch\.float32"),
        ((X.to("meta"), torch.ones(2, 10, device="meta")), ValueError, r"residual has shape \(2, 10\).*\(1, 2, 10\)"),
        (
            (X.to("meta"), torch.ones(1, 2, 10, device="meta").half()),
            TypeError,
            r"write residual\.to\(torch\.float32",
        ),
        ((X.to("meta").requires_grad_(),), RuntimeError, r"planned layer computes no gradient"),
    ],
)
def test_refusals_say_what_is_wrong(given: tuple[Any, ...], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        nn.Conv1d.from_weights(W).to("meta")(*given)


def test_a_shape_is_refused_in_torchs_words() -> None:
    with FakeDevice(), pytest.raises(RuntimeError, match="to have 2 channels, but got 1"):
        nn.Conv1d.from_weights(W).to("cuda")(X[:, :1])


def test_out_must_be_the_result_s_like() -> None:
    layer, image = nn.Conv1d.from_weights(W).to("meta"), X.to("meta")
    with pytest.raises(ValueError, match=r"out has shape \(1, 2, 9\), but the result has shape \(1, 2, 10\)"):
        layer(image, out=torch.empty(1, 2, 9, device="meta"))
    with pytest.raises(TypeError, match="out has dtype"):
        layer(image, out=torch.empty(1, 2, 10, device="meta").double())
    with pytest.raises(TypeError, match=r"torch\.as_tensor\(out, device='meta'\)"):
        layer(image, out=torch.empty(1, 2, 10))


def test_a_plan_is_the_kernels_alone() -> None:
    layer = nn.Conv1d.from_weights(W)
    with pytest.raises(TypeError, match=r'computes on meta.*layer\.to\("cpu"\)\.plan\(\(1, 2, 12\)\)'):
        layer.to("meta").plan([1, 2, 12])
    assert layer.to("meta").to("cpu").plan([1, 2, 12]) == layer.plan([1, 2, 12])


def test_a_dtype_is_no_device() -> None:
    with pytest.raises(ValueError, match=r"device is torch\.float16, where torch can put no weight"):
        nn.Conv1d.from_weights(W).to(torch.float16)


@pytest.mark.parametrize("device", ["nowhere", "cuda:99"])
def test_no_such_device(device: str) -> None:
    with pytest.raises(ValueError, match=f"device is {device}, where torch can put no weight of torch.float32"):
        nn.Conv1d.from_weights(W).to(device)
    with pytest.raises(ValueError, match=f"device is {device}"):
        nn.ConvTranspose1d(2, 2, 3, device=device)


WITHOUT_TORCH = """
import sys, numpy, convrs
layer = convrs.nn.Conv1d(1, 1, 1, device="cpu").to("cpu")
assert "torch" not in sys.modules
sys.modules["torch"] = None
try:
    layer.to("cuda")
except ImportError as error:
    print(error)
"""


def test_torch_is_not_imported_before_it_is_needed() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "device is cuda, where torch computes, and torch is not installed", done.stderr
