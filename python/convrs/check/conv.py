"""The references of the convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .call import Call
from .result import Result, summed
from .windows import Axis, convolution, counts, each, paddings, taps, transposed


def conv(call: Call) -> Result:
    """Reference of conv1d, conv2d and conv3d."""
    input, weight, parameters = call.arrays["input"], call.arrays["weight"], call.parameters
    groups = parameters["groups"]
    _fits(input, weight, groups, weight.shape[1] * groups)
    axes = [
        convolution(*numbers, parameters["padding_mode"])
        for numbers in zip(
            input.shape[2:],
            weight.shape[2:],
            each(parameters["stride"], call.spatial),
            each(parameters["dilation"], call.spatial),
            paddings(parameters["padding"], call.spatial),
            strict=True,
        )
    ]
    return _weighted(call, _grouped(weight, groups), axes)


def conv_transpose(call: Call) -> Result:
    """Reference of conv_transpose1d, conv_transpose2d and conv_transpose3d."""
    input, weight = call.arrays["input"], call.arrays["weight"]
    groups = call.parameters["groups"]
    _fits(input, weight, groups, weight.shape[0])
    names = ("stride", "dilation", "padding", "output_padding")
    given = [each(call.parameters[name], call.spatial) for name in names]
    axes = [transposed(*numbers) for numbers in zip(input.shape[2:], weight.shape[2:], *given, strict=True)]
    return _weighted(call, _grouped(weight, groups).swapaxes(1, 2), axes)


def _fits(input: NDArray[Any], weight: NDArray[Any], groups: int, channels: int) -> None:
    if weight.ndim != input.ndim or input.shape[1] != channels or weight.shape[0] % groups:
        raise ValueError(
            f"weight of shape {weight.shape} does not fit input of shape {input.shape} with groups={groups}"
        )


def _grouped(weight: NDArray[Any], groups: int) -> NDArray[Any]:
    return weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])


def _weighted(call: Call, weight: NDArray[Any], axes: Sequence[Axis]) -> Result:
    """Sums of input elements times `weight` (groups, out_channels, in_channels, kernel), plus the bias."""
    form, input, bias, axes = call.form, call.arrays["input"], call.arrays["bias"], call.wanted(axes)
    shift = np.zeros(weight.shape[:2], input.dtype) if bias is None else bias.reshape(weight.shape[:2])
    if call.crop is not None:
        channels = call.crop.channels
        kept = channels[channels < weight.shape[1]]
        weight, shift = weight[:, kept], shift[:, kept]
    values = _sum(input, weight, shift, axes)
    magnitude = _sum(np.abs(input), np.abs(weight), np.abs(shift), axes) if form.precision else values
    products = counts(axes) * weight.shape[2]
    if form.complex:
        # One product errs by sqrt(2) gamma_2 (Higham, section 3.6), but three real convolutions may be used instead of
        # four (section 23.2.4; torch does): (a + b)(c + d) - ac - bd errs by 3 gamma_(K+5) and ac - bd by gamma_(K+5).
        result = summed(form, values, math.sqrt(10) * magnitude, products + 5, 6 * products)
    else:
        result = summed(form, values, magnitude, products + 1, products)
    return replace(result, loose=result.loose | _padding_times_infinity(input, weight, axes))


def _sum(input: NDArray[Any], weight: NDArray[Any], shift: NDArray[Any], axes: Sequence[Axis]) -> NDArray[Any]:
    groups, out_channels, in_channels = weight.shape[:3]
    batch, outputs = input.shape[0], tuple(axis.outputs for axis in axes)
    total = np.zeros((batch, groups, out_channels, math.prod(outputs)), input.dtype)
    for tap in taps(axes, input.shape[2:]):
        elements = tap.of(input).reshape(batch, groups, in_channels, math.prod(outputs))
        total += np.where(tap.inside.ravel(), tap.weight(weight) @ elements, 0)
    channels = total.reshape(batch, groups * out_channels, *outputs)
    return np.asarray(channels + shift.reshape(-1, *[1] * len(axes)))


def _padding_times_infinity(input: NDArray[Any], weight: NDArray[Any], axes: Sequence[Axis]) -> NDArray[np.bool_]:
    """Where a weight that is not finite meets padding: NaN if an implementation multiplies the padding's zeros."""
    outputs = tuple(axis.outputs for axis in axes)
    met = np.zeros((*weight.shape[:2], *outputs), np.bool_)
    wild = np.asarray(~np.isfinite(weight).all(axis=2))
    if wild.any():
        for tap in taps(axes, input.shape[2:]):
            met |= tap.weight(wild).reshape(*wild.shape[:2], *[1] * len(axes)) & ~tap.inside
    channels = met.reshape(1, weight.shape[0] * weight.shape[1], *outputs)
    return np.broadcast_to(channels, (input.shape[0], *channels.shape[1:]))
