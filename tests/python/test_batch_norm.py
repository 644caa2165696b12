"""BatchNorm folded into a planned layer, against torch's convolution and batch_norm in evaluation."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from authority import from_torch, to_torch
from convrs import nn
from operators import BFLOAT16_RECORD

ROUNDOFF = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}


def drawn(seed: int, *shape: int, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def norm(channels: int, **changed: Any) -> nn.BatchNorm:
    numbers = {
        "running_mean": drawn(1, channels),
        "running_var": np.exp(drawn(2, channels)),
        "weight": drawn(3, channels),
        "bias": drawn(4, channels),
    }
    return nn.BatchNorm(**{**numbers, **changed})


def torchs(sums: torch.Tensor, norm: nn.BatchNorm) -> torch.Tensor:
    """In float64."""
    numbers = [norm.running_mean, norm.running_var, norm.weight, norm.bias]
    mean, variance, *affine = [None if array is None else torch.as_tensor(array).double() for array in numbers]
    return F.batch_norm(sums, mean, variance, *affine, training=False, eps=norm.eps)


@pytest.mark.parametrize("spatial", [1, 2, 3])
@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "transposed"])
@given(
    groups=st.sampled_from([1, 2, 3]),
    inner=st.integers(1, 3),
    outer=st.integers(1, 3),
    dtype=st.sampled_from(["float16", "bfloat16", "float32", "float64"]),
    with_bias=st.booleans(),
    affine=st.booleans(),
    eps=st.sampled_from([1e-5, 1e-3, 0.5]),
    seed=st.integers(0, 99),
)
def test_a_folded_layer_is_torchs_two_modules(
    spatial: int,
    transposed: bool,
    groups: int,
    inner: int,
    outer: int,
    dtype: str,
    with_bias: bool,
    affine: bool,
    eps: float,
    seed: int,
) -> None:
    short = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    kernel, channels = [2] * spatial, groups * outer
    shape = (groups * inner, outer, *kernel) if transposed else (channels, inner, *kernel)
    weight, input = drawn(seed, *shape, dtype=short), drawn(seed + 1, 2, groups * inner, *[5] * spatial, dtype=short)
    bias = drawn(seed + 2, channels, dtype=short) if with_bias else None
    given = norm(channels, eps=eps, **({} if affine else {"weight": None, "bias": None}))
    kind = getattr(nn, f"Conv{'Transpose' if transposed else ''}{spatial}d")
    layer = kind.from_weights(weight, bias, groups=groups, batch_norm=given, algorithm="direct")
    assert layer.weight.dtype == short

    function = getattr(F, f"conv{'_transpose' if transposed else ''}{spatial}d")
    wide = [None if array is None else to_torch(array).double() for array in (input, weight, bias)]
    expected = torchs(function(*wide, groups=groups), given)
    # What the folded weights themselves were rounded by, then the sum, then its rounding to the dtype.
    scale = (torchs(torch.ones(1, channels).double(), given) - torchs(torch.zeros(1, channels).double(), given)).abs()
    ones = [1] * spatial
    magnitude = function(wide[0].abs(), wide[1].abs(), groups=groups) * scale.view(1, -1, *ones)
    shift = torchs(torch.zeros(1, channels).double() if bias is None else wide[2].view(1, -1), given).abs()
    magnitude = magnitude + shift.view(1, -1, *ones)
    unit = ROUNDOFF["float64" if dtype == "float64" else "float32"]
    products = inner * 2**spatial
    bound = 1.01 * (ROUNDOFF[dtype] + (products + 1) * unit) * magnitude + ROUNDOFF[dtype] * expected.abs()
    tiny = (
        2.0**-25 * (1 + function(wide[0].abs(), torch.ones_like(wide[1]), groups=groups)) if dtype == "float16" else 0
    )
    # The reference in float64 errs itself.
    own = 2.0**-50 * (magnitude + expected.abs() + given.running_mean.__abs__().max())
    assert (np.abs(from_torch(to_torch(layer(input)).double() - expected)) <= (bound + tiny + own).numpy()).all()


@pytest.mark.parametrize(("number", "rounded"), [(1 + 2.0**-8 + 2.0**-40, 1 + 2.0**-7), (1 + 2.0**-8 - 2.0**-40, 1.0)])
def test_the_rounding_to_bfloat16_is_one(number: float, rounded: float) -> None:
    """Through float32 both would be 1 + 2^-8, a tie."""
    batch_norm = nn.BatchNorm(np.zeros(1), np.ones(1), np.array([number]), eps=0)
    weight = np.ones((1, 1, 1), ml_dtypes.bfloat16)
    layer = nn.Conv1d.from_weights(weight, batch_norm=batch_norm)
    assert float(layer.weight.item()) == rounded
    records = nn.Conv1d.from_weights(weight.view(BFLOAT16_RECORD), batch_norm=batch_norm)
    assert records.weight.tobytes() == layer.weight.tobytes()


@pytest.mark.parametrize("number", [0.0, -0.0, np.inf, -np.inf, np.nan, 3.4e38, -1e-39, 1e-60, 65504.0, -1.0])
def test_numbers_of_bfloat16(number: float) -> None:
    batch_norm = nn.BatchNorm(np.zeros(1), np.ones(1), np.array([1.0]), np.array([number]), eps=0)
    weight = np.ones((1, 1, 1), ml_dtypes.bfloat16)
    if number == 3.4e38:
        with pytest.raises(ValueError, match=r"bias is as large as 3.4e\+38, too large for bfloat16"):
            nn.Conv1d.from_weights(weight, batch_norm=batch_norm)
        return
    bias = nn.Conv1d.from_weights(weight, batch_norm=batch_norm).bias
    np.testing.assert_array_equal(bias.astype(float), np.array([number]).astype(ml_dtypes.bfloat16).astype(float))


def test_the_activation_follows_the_normalisation() -> None:
    weight, input = drawn(0, 4, 3, 3), drawn(1, 2, 3, 9)
    layer = nn.Conv1d.from_weights(weight, activation="relu", batch_norm=norm(4))
    expected = F.relu(torchs(F.conv1d(torch.from_numpy(input).double(), torch.from_numpy(weight).double()), norm(4)))
    np.testing.assert_allclose(layer(input), expected, atol=1e-5)


def test_a_causal_layer_folds_too() -> None:
    weight, input = drawn(0, 4, 3), drawn(1, 4, 9)
    layer = nn.CausalConv1d.from_weights(weight, batch_norm=norm(4))
    padded = F.pad(torch.from_numpy(input).double(), (2, 0))
    expected = torchs(F.conv1d(padded[None], torch.from_numpy(weight).double()[:, None], groups=4), norm(4))[0]
    np.testing.assert_allclose(layer(input), expected, atol=1e-5)


def test_tensors_of_a_state_dict() -> None:
    module = torch.nn.BatchNorm2d(4)
    module.running_mean += 1
    state = module.state_dict()
    numbers = [state[name] for name in ("running_mean", "running_var", "weight", "bias")]
    layer = nn.Conv2d.from_weights(torch.ones(4, 1, 1, 1), batch_norm=nn.BatchNorm(*numbers))
    image = torch.randn(1, 1, 3, 3)
    torch.testing.assert_close(layer(image), module.eval()(image.expand(1, 4, 3, 3)).detach())


@pytest.mark.parametrize(
    ("changed", "weight", "kind", "text"),
    [
        (
            {"running_mean": np.zeros(3)},
            np.ones((4, 2, 3)),
            ValueError,
            r"running_mean has shape \(3,\): it must be \(4,\)",
        ),
        ({"weight": np.ones((4, 1))}, np.ones((4, 2, 3)), ValueError, r"batch_norm.weight has shape \(4, 1\)"),
        ({"running_var": np.arange(4)}, np.ones((4, 2, 3)), TypeError, "running_var has dtype int64"),
        ({}, np.ones((4, 2, 3), np.int8), TypeError, "weight has dtype int8"),
        ({}, np.ones(4), ValueError, r"weight has shape \(4,\)"),
        ({"weight": np.full(4, 1e6)}, np.ones((4, 2, 3), np.float16), ValueError, "too large for float16"),
    ],
)
def test_what_does_not_fit(changed: Any, weight: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        nn.Conv1d.from_weights(weight, batch_norm=norm(4, **changed))


def test_a_bias_of_another_length() -> None:
    with pytest.raises(ValueError, match=r"bias has shape \(1,\)"):
        nn.Conv1d.from_weights(np.ones((4, 2, 3)), np.ones(1), batch_norm=norm(4))
    with pytest.raises(ValueError, match=r"bias has shape \(3,\)"):
        nn.Conv1d.from_weights(np.ones((4, 2, 3)), np.ones(3), batch_norm=norm(4))
