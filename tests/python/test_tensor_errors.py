"""A refusal names a tensor's dtype as torch does and says what to write in torch's words; so does what is printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import convrs
from convrs import nn

X, W = torch.ones(1, 2, 6), torch.ones(3, 2, 3)
OUT = torch.ones(1, 3, 4)
B16 = torch.bfloat16
LAYER, NARROW = nn.Conv1d.from_weights(W), nn.Conv1d.from_weights(W.to(B16))

REFUSALS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "weight": (
        lambda: convrs.conv1d(X.to(B16), W),
        TypeError,
        "weight is float32: it must have the dtype of input, bfloat16; write weight.to(torch.bfloat16)",
    ),
    "bias": (
        lambda: convrs.conv1d(X, W, torch.ones(3, dtype=B16)),
        TypeError,
        "bias is bfloat16: it must have the dtype of input, float32; write bias.to(torch.float32)",
    ),
    "differentiated": (
        lambda: convrs.conv1d(X.clone().requires_grad_(), W.to(B16)),
        TypeError,
        "weight is bfloat16: it must have the dtype of input, float32; write weight.to(torch.float32)",
    ),
    "indices": (
        lambda: convrs.max_unpool1d(X, torch.ones(1, 2, 6, dtype=torch.int32), 2),
        TypeError,
        "indices is int32: it must be int64; write indices.to(torch.int64)",
    ),
    "no order": (
        lambda: convrs.max_pool1d(X.to(torch.complex64), 2),
        TypeError,
        "input is complex64: the operator is not defined for it; write input.to(torch.float32)",
    ),
    "out's dtype": (
        lambda: convrs.conv1d(X, W, out=OUT.to(B16)),
        TypeError,
        "out is bfloat16: the result has dtype float32; write out=torch.empty([1, 3, 4], dtype=torch.float32)",
    ),
    "out's shape": (
        lambda: convrs.conv1d(X.to(B16), W.to(B16), out=OUT[..., 1:].to(B16)),
        ValueError,
        "out has shape [1, 3, 3]: the result has shape [1, 3, 4]; "
        "write out=torch.empty([1, 3, 4], dtype=torch.bfloat16)",
    ),
    "out repeats": (
        lambda: convrs.conv1d(X, W, out=torch.ones(1, 3, 1).expand(1, 3, 4)),
        ValueError,
        "out has strides [12, 4, 0]: every element must have its own place in memory; write torch.empty",
    ),
    "out overlaps": (
        lambda: convrs.max_pool1d(X, 1, out=X),
        ValueError,
        "out is an overlapping array: it must not overlap input in memory; write out=torch.empty(...) or .clone()",
    ),
    "layer's input": (
        lambda: LAYER(X.to(B16)),
        TypeError,
        "input is bfloat16: it must have the dtype of the layer's weight, float32; write input.to(torch.float32)",
    ),
    "narrow layer's input": (
        lambda: NARROW(X),
        TypeError,
        "input is float32: it must have the dtype of the layer's weight, bfloat16; write input.to(torch.bfloat16)",
    ),
    "residual": (
        lambda: LAYER(X, OUT.to(B16)),
        TypeError,
        "residual is bfloat16: it must have the dtype of input, float32; write residual.to(torch.float32)",
    ),
    "narrow layer's array": (
        lambda: NARROW(X.numpy()),
        TypeError,
        'input is float32: it must have the dtype of the layer\'s weight, bfloat16; write input.astype("bfloat16")',
    ),
    "array among tensors": (
        lambda: convrs.conv1d(X, W.numpy()),
        TypeError,
        "all arrays must be of one library and on one device (input: Tensor of torch on cpu, weight: ndarray of "
        "numpy on cpu); write torch.as_tensor(weight)",
    ),
    "tensor among arrays": (
        lambda: convrs.conv1d(X.numpy(), W),
        TypeError,
        "all arrays must be of one library and on one device (input: ndarray of numpy on cpu, weight: Tensor of "
        "torch on cpu); write torch.as_tensor(input)",
    ),
    "channels": (
        lambda: convrs.conv1d(torch.ones(1, 4, 6), W),
        ValueError,
        "input has 4 channels: weight has 2 input channels a group and groups = 1, so input needs 2 * 1 = 2 channels",
    ),
    "drawn whole numbers": (
        lambda: nn.Conv1d(1, 1, 1, dtype=torch.int32),
        TypeError,
        "dtype is torch.int32: it must be one of floating-point numbers, since weights are fractions",
    ),
    "drawn without fractions": (
        lambda: nn.Conv1d(1, 1, 1, dtype="int8"),
        TypeError,
        "dtype is int8: it must be one of floating-point numbers, since weights are fractions",
    ),
    "no dtype": (
        lambda: nn.Conv1d(1, 1, 1, dtype="float33"),
        TypeError,
        "dtype is float33: data type 'float33' not understood",
    ),
    "kernel of fractions": (
        lambda: nn.Conv2d(1, 1, (2, 2.5)),
        TypeError,
        "kernel_size must be a whole number, got float: 2.5",
    ),
    "channels of fractions": (
        lambda: nn.Conv2d(1.0, 1, 2),
        TypeError,
        "in_channels must be a whole number, got float: 1.0",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_text(case: str) -> None:
    call, kind, text = REFUSALS[case]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == text


def test_a_layer_of_bfloat16_is_printed_so() -> None:
    assert repr(NARROW) == "Conv1d(weight=(3, 2, 3), dtype=bfloat16)"
    assert repr(nn.CausalConv1d.from_weights(W.to(B16))) == "CausalConv1d(weight=(3, 2, 3), dtype=bfloat16)"


@pytest.mark.parametrize("dtype", [torch.float16, B16, torch.float32, torch.float64], ids=str)
def test_a_layer_may_be_drawn_in_torchs_dtypes(dtype: torch.dtype) -> None:
    for layer in (nn.Conv1d(2, 3, 3, dtype=dtype), nn.ConvTranspose1d(2, 3, 3, dtype=dtype)):
        result = layer(X.to(dtype))
        assert result.dtype == dtype
        # Six products and a bias, each within 1 / sqrt(fan in).
        assert 0 < result.double().abs().max() < 7.1 * 6**-0.5
