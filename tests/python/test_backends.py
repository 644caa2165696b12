"""Torch tensors: on the CPU over their own memory, elsewhere by torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import authority
import convrs
import strategies
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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.complex64])
def test_dtypes_come_back(dtype: torch.dtype) -> None:
    assert convrs.conv1d(X.to(dtype), W.to(dtype)).dtype == dtype


def test_channels_last_and_views() -> None:
    image = torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last)
    weight = torch.randn(4, 3, 3, 3)
    plain = convrs.conv2d(image.contiguous(), weight)
    assert torch.equal(convrs.conv2d(image, weight), plain)
    assert torch.equal(convrs.conv2d(image[:, :, ::2], weight), convrs.conv2d(image[:, :, ::2].contiguous(), weight))


def test_lazy_conjugates() -> None:
    image = torch.randn(1, 2, 9, dtype=torch.complex64).conj()
    weight = torch.randn(2, 2, 3, dtype=torch.complex64)
    assert torch.equal(convrs.conv1d(image, weight), convrs.conv1d(image.resolve_conj(), weight))


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


def test_sparse_tensors_are_refused() -> None:
    with pytest.raises(TypeError, match="dense"):
        convrs.max_pool1d(torch.eye(4).to_sparse(), 2)


def test_refusals_are_the_same_as_for_arrays() -> None:
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        convrs.conv1d(X, W, stride=0)
    with pytest.raises(TypeError, match="weight"):
        convrs.conv1d(X, W.double())


# --- other devices: torch computes ---


def test_another_device_is_torchs() -> None:
    """The meta device has no memory, so only torch can have answered."""
    image, weight = torch.empty(1, 2, 8, 8, device="meta"), torch.empty(4, 2, 3, 3, device="meta")
    result = convrs.conv2d(image, weight, padding="same", stride=2)
    assert result.device.type == "meta"
    assert result.shape == (1, 4, 4, 4)
    values, indices = convrs.max_pool2d(image, 2, return_indices=True)
    assert values.shape == indices.shape == (1, 2, 4, 4)
