"""Torch tensors: on the CPU over their own memory, elsewhere by torch."""

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
from convrs import nn
from operators import OPERATORS, Operator

X = torch.arange(24.0).reshape(1, 2, 12)
W = torch.arange(12.0).reshape(2, 2, 3)


@pytest.mark.parametrize("operator", [*OPERATORS.values()], ids=str)
@settings(max_examples=max(settings().max_examples // 4, 1))
@given(data=st.data())
def test_tensors_give_the_bits_of_arrays(operator: Operator, data: st.DataObject) -> None:
    call = data.draw(strategies.calls(operator, data.draw(st.sampled_from(operator.dtypes)), layouts=False))
    tensors = {name: None if array is None else authority.to_torch(array) for name, array in call.arrays.items()}
    actual, expected = getattr(convrs, operator.name)(**tensors, **call.parameters), call()
    results = zip(*(result if isinstance(result, tuple) else (result,) for result in (actual, expected)), strict=True)
    for ours, right in results:
        assert isinstance(ours, torch.Tensor)
        assert ours.is_contiguous()
        assert authority.from_torch(ours).tobytes() == right.tobytes()
        assert tuple(ours.shape) == right.shape


def test_no_copy_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel sees the tensor's own memory, strided as it is."""
    from convrs.backends import torch as backend

    seen: list[Any] = []
    to_numpy = backend.to_numpy
    monkeypatch.setattr(backend, "to_numpy", lambda *given: seen.append(to_numpy(*given)) or seen[-1])
    view = X[..., ::2]
    convrs.max_pool1d(view, 2)
    assert seen[0].ctypes.data == view.data_ptr()
    assert seen[0].strides == tuple(4 * stride for stride in view.stride())


def by_layer(input: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return nn.Conv1d.from_weights(weight, algorithm="direct")(input)


def with_residual(input: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    shape = (*input.shape[:-1], input.shape[-1] - weight.shape[-1] + 1)
    residual = torch.zeros(shape, dtype=input.dtype)
    return nn.Conv1d.from_weights(weight, algorithm="direct")(input, residual)


# A call of a planned layer takes the shortest way there is, and more arguments a longer one.
each_way = pytest.mark.parametrize("convolve", [convrs.conv1d, by_layer, with_residual])
Convolve = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@each_way
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.complex64])
def test_dtypes_come_back(convolve: Convolve, dtype: torch.dtype) -> None:
    result = convolve(X.to(dtype), W.to(dtype))
    assert result.dtype == dtype
    assert torch.equal(result, torch.nn.functional.conv1d(X.double(), W.double()).to(dtype))


@each_way
def test_views(convolve: Convolve) -> None:
    for view in (X[..., ::2], X.transpose(0, 1).contiguous().transpose(0, 1), X[:, :1].expand(3, 2, 12)):
        assert torch.equal(convolve(view, W), convolve(view.contiguous(), W))


def test_channels_last() -> None:
    image = torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last)
    weight = torch.randn(4, 3, 3, 3)
    plain = convrs.conv2d(image.contiguous(), weight)
    layer = nn.Conv2d.from_weights(weight, algorithm="direct")
    for result in (convrs.conv2d(image, weight), layer(image)):
        assert torch.equal(result, plain)
        assert result.is_contiguous()


@each_way
def test_lazy_conjugates(convolve: Convolve) -> None:
    image = torch.randn(1, 2, 9, dtype=torch.complex64)
    weight = torch.randn(2, 2, 3, dtype=torch.complex64)
    for lazy in (image.conj(), image.conj().imag):
        assert lazy.is_conj() or lazy.is_neg()
        taps = weight.to(lazy.dtype) if lazy.is_complex() else weight.real
        assert torch.equal(convolve(lazy, taps), convolve(lazy.resolve_conj().resolve_neg(), taps))


class Marked(torch.Tensor):
    """A tensor of a class of its own."""


@each_way
def test_subclasses_are_tensors(convolve: Convolve) -> None:
    expected = convolve(X, W)
    with torch.no_grad():
        for image in (X.as_subclass(Marked), torch.nn.Parameter(X), X.clone().requires_grad_()):
            result = convolve(image, W)
            assert type(result) is torch.Tensor
            assert not result.requires_grad
            assert torch.equal(result, expected)


@each_way
def test_what_has_no_numpy_view_is_refused(convolve: Convolve) -> None:
    with pytest.raises(TypeError, match=r"input must be a dense tensor.*input\.to_dense\(\)"):
        convolve(X.to_sparse(), W)
    with pytest.raises(TypeError, match=r"input has dtype torch\.float8_e5m2.*input\.to\(torch\.float32\)"):
        convolve(X.to(torch.float8_e5m2), W)


def test_out_is_written_in_place() -> None:
    out = torch.empty(1, 2, 10)
    version = out._version
    assert convrs.conv1d(X, W, out=out) is out
    assert torch.equal(out, convrs.conv1d(X, W))
    assert out._version > version
    values, indices = convrs.max_pool1d(X, 2, return_indices=True, out=(into := torch.empty(1, 2, 6)))
    assert values is into
    assert indices.dtype == torch.int64


def test_random_samples_are_torchs() -> None:
    image = torch.randn(2, 3, 9, 9)
    torch.manual_seed(3)
    expected = torch.nn.functional.fractional_max_pool2d(image, 2, output_size=4)
    torch.manual_seed(3)
    assert torch.equal(convrs.fractional_max_pool2d(image, 2, output_size=4), expected)


# --- refusals ---


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ((X, W.numpy()), ["weight", "ndarray", "torch.as_tensor(weight"]),
        ((X.numpy(), W), ["input", "ndarray"]),
        ((X, W, np.ones(2, np.float32)), ["bias", "ndarray"]),
        ((X, W.to("meta")), ["weight", "meta"]),
    ],
    ids=["array weight", "array input", "array bias", "other device"],
)
def test_mixed_kinds_are_refused(arrays: tuple[Any, ...], words: list[str]) -> None:
    with pytest.raises(TypeError) as caught:
        convrs.conv1d(*arrays)
    assert all(word in str(caught.value) for word in words), caught.value


def test_refusals_are_the_same_as_for_arrays() -> None:
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        convrs.conv1d(X, W, stride=0)
    with pytest.raises(TypeError, match="weight"):
        convrs.conv1d(X, W.double())
    for arrays in ((X, None), (X.to("meta"), None)):
        with pytest.raises(TypeError, match="weight must be an array, got None"):
            convrs.conv1d(*arrays)


# --- other devices: torch computes ---


def test_another_device_is_torchs() -> None:
    """The meta device has no memory, so only torch can have answered."""
    image, weight = torch.empty(1, 2, 8, 8, device="meta"), torch.empty(4, 2, 3, 3, device="meta")
    result = convrs.conv2d(image, weight, padding="same", stride=2)
    assert result.device.type == "meta"
    assert result.shape == (1, 4, 4, 4)
    values, indices = convrs.max_pool2d(image, 2, return_indices=True)
    assert values.shape == indices.shape == (1, 2, 4, 4)
