"""Steps behind the sum of a planned layer: residual and activation, by every kernel, wherever the outputs lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor

import convrs
from convrs import nn

Step = Callable[[Tensor], Tensor]


def exact(channels: int) -> dict[str, tuple[Any, Step]]:
    """Activations that torch rounds as we do, for so many channels."""
    slopes = (np.arange(channels) - 2) / 8

    def prelu(x: Tensor) -> Tensor:
        return functional.prelu(x, torch.from_numpy(slopes).to(x.dtype))

    return {
        "none": (None, lambda x: x),
        "relu": ("relu", functional.relu),
        "relu6": ("relu6", functional.relu6),
        "leaky_relu": ("leaky_relu", functional.leaky_relu),
        "leaky_relu slope": (("leaky_relu", 0.25), lambda x: functional.leaky_relu(x, 0.25)),
        "prelu": (("prelu", 0.25), lambda x: functional.prelu(x, torch.tensor([0.25], dtype=x.dtype))),
        "prelu each": (("prelu", slopes), prelu),
        "clamp": (("clamp", -0.5, 0.75), lambda x: x.clamp(-0.5, 0.75)),
    }


SMOOTH: dict[str, tuple[Any, Step]] = {
    "hardswish": ("hardswish", functional.hardswish),
    "silu": ("silu", functional.silu),
    "sigmoid": ("sigmoid", torch.sigmoid),
    "tanh": ("tanh", torch.tanh),
    "gelu": ("gelu", functional.gelu),
}

FIVE_CHANNELS = {**exact(5), **SMOOTH}

KERNELS: dict[str, tuple[type, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "channels in vectors": (nn.Conv2d, (2, 24, 9, 21), (40, 24, 3, 3), {"padding": 1}),
    "one by one": (nn.Conv2d, (1, 70, 20, 19), (41, 70, 1, 1), {}),
    "pixels in vectors": (nn.Conv2d, (1, 80, 9, 21), (3, 80, 3, 3), {"stride": 2}),
    "few channels": (nn.Conv2d, (2, 3, 30, 41), (9, 3, 3, 3), {"padding": 1}),
    "groups": (nn.Conv2d, (1, 32, 12, 21), (32, 4, 3, 3), {"groups": 8}),
    "depthwise": (nn.Conv2d, (2, 13, 30, 41), (13, 1, 3, 3), {"groups": 13, "padding": 1}),
    "depthwise on narrow maps": (nn.Conv2d, (2, 9, 7, 7), (9, 1, 5, 5), {"groups": 9, "padding": 2}),
    "depthwise in three dimensions": (nn.Conv3d, (1, 5, 6, 7, 19), (5, 1, 3, 3, 3), {"groups": 5, "stride": 2}),
    "a long row": (nn.Conv1d, (2, 1, 3001), (1, 1, 200), {}),
    "one column": (nn.Conv2d, (1, 8, 90, 1), (8, 8, 3, 1), {}),
    "phases": (nn.ConvTranspose2d, (1, 24, 9, 11), (24, 20, 4, 4), {"stride": 2, "padding": 1}),
    "phases with gaps": (nn.ConvTranspose1d, (1, 6, 40), (6, 5, 2), {"stride": 3}),
    "winograd": (nn.Conv2d, (1, 24, 18, 21), (24, 24, 3, 3), {"padding": 1, "algorithm": "winograd"}),
    "fft": (nn.Conv1d, (1, 2, 900), (3, 2, 128), {"algorithm": "fft"}),
}


def channels_last(array: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


def every_other(array: np.ndarray) -> np.ndarray:
    return np.repeat(array, 2, axis=-1)[..., ::2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kernel", KERNELS)
def test_exact_steps_are_the_separate_steps_to_the_bit(kernel: str, dtype: type) -> None:
    kind, input_shape, weight_shape, arguments = KERNELS[kernel]
    arguments = {"algorithm": "direct", **arguments}
    generator = np.random.default_rng(0)
    input, weight = (generator.standard_normal(shape).astype(dtype) for shape in (input_shape, weight_shape))
    out_channels = weight_shape[1] if kind in (nn.ConvTranspose1d, nn.ConvTranspose2d) else weight_shape[0]
    bias = generator.standard_normal(out_channels).astype(dtype)
    plain = kind.from_weights(weight, bias, **arguments)(input)  # type: ignore[attr-defined]
    residual = generator.standard_normal(plain.shape).astype(dtype)
    for name, (activation, step) in exact(out_channels).items():
        layer = kind.from_weights(weight, bias, activation=activation, **arguments)  # type: ignore[attr-defined]
        for given in (None, residual, channels_last(residual), every_other(residual)):
            expected = step(torch.from_numpy(plain if given is None else plain + residual)).numpy()
            for layout in (np.copy, channels_last, every_other):
                out = layout(np.full_like(plain, np.nan))
                assert layer(input, given, out=out) is out
                np.testing.assert_array_equal(out, expected, err_msg=f"{name}, {layout.__name__}")


@pytest.fixture(params=["float32", "float64"])
def operands(request: pytest.FixtureRequest) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape).astype(request.param) for shape in [(2, 3, 9, 21), (5, 3, 3, 3), (5,)]]


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_steps_round_a_few_times(operands: list[np.ndarray], name: str) -> None:
    input, weight, bias = operands
    activation, step = SMOOTH[name]
    layer = nn.Conv2d.from_weights(weight, bias, padding=1, activation=activation, algorithm="direct")
    plain = torch.from_numpy(convrs.conv2d(input, weight, bias, padding=1))
    expected = step(plain.double()).numpy()
    roundoff = np.finfo(input.dtype).eps / 2
    # Each of at most eight operations rounds relative to the sum it works on.
    np.testing.assert_allclose(layer(input), expected, rtol=16 * roundoff, atol=8 * roundoff)


def every_float32(step: int) -> np.ndarray:
    """Finite numbers of every size and sign, one of every `step` that there are."""
    bits = np.arange(0, 0x7F800000, step, dtype=np.uint32)
    return np.concatenate([bits.view(np.float32), (bits | 0x80000000).view(np.float32)])


@pytest.mark.parametrize("name", ["sigmoid", "silu", "tanh", "gelu"])
def test_smooth_steps_of_all_float32(name: str) -> None:
    activation, step = SMOOTH[name]
    input = every_float32(step=1013)
    actual = nn.Conv1d.from_weights(np.ones((1, 1, 1), np.float32), activation=activation)(input[None, None])[0, 0]
    expected = step(torch.from_numpy(input).double()).numpy()
    # As in torch's float32, 1 + erf loses what the two cancel, and below -88.7 the exponential of silu overflows.
    least = {"gelu": np.abs(input) * 2.0**-24, "silu": 1e-37}.get(name, np.finfo(np.float32).smallest_normal)
    error = np.abs(actual - expected) / np.maximum(np.spacing(np.abs(expected).astype(np.float32)), least)
    assert error.max() <= 4


@pytest.mark.parametrize("name", FIVE_CHANNELS)
def test_nan_passes_through_every_activation(name: str) -> None:
    activation = FIVE_CHANNELS[name][0]
    layer = nn.Conv1d.from_weights(np.ones((5, 1, 1), np.float32), activation=activation)
    assert np.isnan(layer(np.full((1, 1, 3), np.nan, np.float32))).all()
