"""Routing to a device without one: which torch function is called with what, and that no tensor strays."""

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
from convrs.backends.device import OPERATORS as ROUTED
from convrs.backends.device import precision
from fake_device import FakeDevice
from operators import OPERATORS, Operator


def recorded(name: str, *arrays: torch.Tensor, **parameters: Any) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    with FakeDevice() as fake:
        getattr(convrs, name)(*arrays, **parameters)
    return [call for call in fake.calls if call[0] not in ("dim", "is_floating_point")]


def image(spatial: int, channels: int = 2) -> torch.Tensor:
    return torch.randn(1, channels, *[6] * spatial)


PLAIN: dict[str, dict[str, Any]] = {
    "conv": {"stride": 2, "padding": 1, "dilation": 1, "groups": 1},
    "conv_transpose": {"stride": 2, "padding": 1, "output_padding": 1, "groups": 1, "dilation": 2},
    "max_pool": {
        "kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1, "ceil_mode": True, "return_indices": False
    },
    "avg_pool": {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    "lp_pool": {"norm_type": 2.0, "kernel_size": 3, "stride": 2, "ceil_mode": True},
    "adaptive_avg_pool": {"output_size": 4},
    "adaptive_max_pool": {"output_size": 4, "return_indices": False},
    "fractional_max_pool": {"kernel_size": 2, "output_size": 3, "return_indices": False},
    "max_unpool": {"kernel_size": 2, "stride": 2, "padding": 0},
    "unfold": {"kernel_size": 2, "dilation": 1, "padding": 1, "stride": 2},
    "fold": {"output_size": 6, "kernel_size": 2, "dilation": 1, "padding": 0, "stride": 2},
}  # fmt: skip
"""A call of each family that torch has words for."""


def test_every_operator_is_routed() -> None:
    assert OPERATORS.keys() <= ROUTED.keys()


@pytest.mark.parametrize("operator", [op for op in OPERATORS.values() if op.family != "min_pool"], ids=str)
def test_torchs_words_are_one_call_of_torch(operator: Operator) -> None:
    x = image(operator.spatial)
    arrays: list[torch.Tensor] = [x]
    if operator.family.startswith("conv"):
        arrays += [torch.randn(2, 2, *[3] * operator.spatial), torch.randn(2)]
    elif operator.family == "max_unpool":
        arrays += [torch.zeros(x.shape, dtype=torch.int64)]
    elif operator.family == "fold":
        arrays = [torch.randn(1, 8, 9)]
    given = PLAIN[operator.family]
    (called,) = recorded(operator.name, *arrays, **given)
    name, args, kwargs = called
    assert name.replace("_with_indices", "") == operator.name
    passed = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
    # Not copies of them.
    assert [tensor.data_ptr() for tensor in passed] == [array.data_ptr() for array in arrays]
    others = [value for value in args if not isinstance(value, torch.Tensor)] + [
        value for value in kwargs.values() if not isinstance(value, torch.Tensor) and value is not None
    ]
    assert sorted(map(repr, others)) == sorted(map(repr, given.values()))


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_a_minimum_is_torchs_maximum_of_the_opposite(spatial: int) -> None:
    names = [name for name, _, _ in recorded(f"min_pool{spatial}d", image(spatial), kernel_size=2)]
    assert names == ["neg", f"max_pool{spatial}d", "neg"]


CONVOLUTIONS: dict[str, tuple[dict[str, Any], list[int] | None, Any]] = {
    "same is numbers": ({"padding": "same"}, None, [1, 2]),
    "same with stride": ({"padding": "same", "stride": (2, 1)}, [2, 2, 0, 1], 0),
    "same_lower": ({"padding": "same_lower", "stride": (2, 1)}, [2, 2, 1, 0], 0),
    "valid": ({"padding": "valid"}, None, 0),
    "pairs": ({"padding": ((0, 1), (2, 3))}, [2, 3, 0, 1], 0),
    "equal pairs": ({"padding": ((1, 1), (2, 2))}, None, [1, 2]),
    "reflect": ({"padding": 1, "padding_mode": "reflect"}, [1, 1, 1, 1], 0),
    "circular": ({"padding": (1, 2), "padding_mode": "circular"}, [2, 2, 1, 1], 0),
    "zeros one by one": ({"padding": (1, 2)}, None, (1, 2)),
}
"""Arguments, what is put around the input, last axis first, and the padding that is left to torch's convolution."""


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_padding_of_a_convolution(case: str) -> None:
    parameters, sides, left = CONVOLUTIONS[case]
    calls = recorded("conv2d", image(2), torch.randn(2, 2, 3, 5), **parameters)
    assert [name for name, _, _ in calls] == (["conv2d"] if sides is None else ["pad", "conv2d"])
    if sides is not None:
        assert list(calls[0][1][1]) == sides
    assert calls[-1][1][4] == left


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
def test_tf32_is_off_while_a_float32_convolution_is_called(name: str) -> None:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        for dtype, allowed, expected in (
            (torch.float32, False, False),
            (torch.complex64, False, False),
            (torch.float32, True, True),
            (torch.float64, False, True),
        ):
            x, w = image(2).to(dtype), torch.randn(2, 2, 3, 3).to(dtype)
            with convrs.allow_tf32(allowed), FakeDevice() as fake:
                getattr(convrs, name)(x, w)
            flags = {flag for (called, _, _), flag in zip(fake.calls, fake.tf32, strict=True) if called == name}
            assert flags == {expected}, (dtype, allowed)
            assert torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before
    assert precision.FULL._inside == 0


@pytest.mark.parametrize("name", ["mps:0", "xpu:0", "cuda:0"])
def test_every_device_is_torchs(name: str) -> None:
    """Functions, what is put together and planned layers; CUDA alone has TF32 to be kept from."""
    layer = convrs.nn.Conv2d.from_weights(np.ones((2, 2, 3, 3), np.float32), activation="relu")
    x, w = image(2), torch.randn(2, 2, 3, 3)
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        with FakeDevice(name) as fake:
            convrs.conv2d(x, w)
            convrs.max_pool2d(x, 2, padding="same", rule="onnx")
            layer.to(name)(x)
            with pytest.raises(TypeError, match=rf"on the CPU, and input lives on {name}; write layer\.to\('{name}'\)"):
                layer(x)
    finally:
        torch.backends.cudnn.allow_tf32 = before
    assert len(fake.called("conv2d")) == 2
    assert fake.called("index_select")
    assert fake.called("relu_")
    flags = {flag for (called, _, _), flag in zip(fake.calls, fake.tf32, strict=True) if called == "conv2d"}
    assert flags == {not name.startswith("cuda")}


def test_out_is_written_on_the_device() -> None:
    x, out = image(2), torch.empty(1, 2, 3, 3)
    with FakeDevice() as fake:
        assert convrs.max_pool2d(x, 2, out=out) is out
        assert fake.calls[-1][0] == "copy_"
        with pytest.raises(ValueError, match=r"torch\.empty\(\(1, 2, 2, 2\), .*device='cuda:0'"):
            convrs.max_pool2d(x, 3, out=out)
        with pytest.raises(TypeError, match="out has dtype"):
            convrs.max_pool2d(x.double(), 2, out=out)
    assert torch.equal(out, torch.nn.functional.max_pool2d(x, 2))


@pytest.mark.parametrize(
    "operator", [op for op in OPERATORS.values() if op.family not in ("fractional_max_pool", "max_unpool")], ids=str
)
@settings(max_examples=max(settings().max_examples // 2, 1))
@given(data=st.data())
def test_no_tensor_strays(operator: Operator, data: st.DataObject) -> None:
    """On the meta device, which refuses tensors of the CPU, every shape is right: unpools look at their indices."""
    dtype = data.draw(st.sampled_from([name for name in operator.dtypes if name != "uint64"]))
    pools = operator.family in ("max_pool", "min_pool", "avg_pool", "lp_pool")
    drawn = (
        strategies.ruled_calls(operator, layouts=False) if pools else strategies.calls(operator, dtype, "plain", False)
    )
    call = data.draw(drawn)
    tensors = {name: a if a is None else authority.to_torch(a).to("meta") for name, a in call.arrays.items()}
    parameters = {name: authority.without_numpy(value) for name, value in call.parameters.items()}
    try:
        actual = getattr(convrs, operator.name)(**tensors, **parameters)
    except (RuntimeError, ValueError):
        with pytest.raises(ValueError, match=strategies.DOES_NOT_FIT):
            call()
        return
    results = zip(*(r if isinstance(r, tuple) else (r,) for r in (actual, call())), strict=True)
    for tensor, right in results:
        assert tensor.device.type == "meta"
        assert tuple(tensor.shape) == right.shape
