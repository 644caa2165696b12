"""The references of unfold and fold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .call import Call
from .result import Result, exact, summed
from .windows import Axis, convolution, each, taps


def unfold(call: Call) -> Result:
    """Reference of unfold."""
    input = call.arrays["input"]
    batch, channels = input.shape[:2]
    columns = [
        np.where(tap.inside, tap.of(input), 0).reshape(batch, channels, tap.inside.size)
        for tap in taps(_axes(input.shape[2:], call.parameters), input.shape[2:])
    ]
    blocks = np.stack(columns, axis=2)
    return exact(call.form, blocks.reshape(batch, channels * len(columns), blocks.shape[3]))


def fold(call: Call) -> Result:
    """Reference of fold: every block added to its place in the image."""
    form, columns, parameters = call.form, call.arrays["input"], call.parameters
    sizes = each(parameters["output_size"], 2)
    axes = _axes(sizes, parameters)
    elements = math.prod(each(parameters["kernel_size"], 2))
    outputs = [axis.outputs for axis in axes]
    blocks = columns.reshape(columns.shape[0], columns.shape[1] // elements, elements, *outputs)
    values = _added(blocks, axes, sizes)
    if not form.precision:
        return exact(form, values)
    most = _added(np.ones((1, 1, *blocks.shape[2:])), axes, sizes)
    return summed(form, values, _added(np.abs(blocks), axes, sizes), np.maximum(most - 1, 0), 0)


def _axes(sizes: Any, parameters: Mapping[str, Any]) -> list[Axis]:
    names = ("kernel_size", "stride", "dilation", "padding")
    kernel, stride, dilation, padding = (each(parameters[name], 2) for name in names)
    numbers = zip(sizes, kernel, stride, dilation, [(side, side) for side in padding], strict=True)
    return [convolution(*axis, "zeros") for axis in numbers]


def _added(blocks: NDArray[Any], axes: list[Axis], sizes: list[int]) -> NDArray[Any]:
    image = np.zeros((*blocks.shape[:2], math.prod(sizes)), blocks.dtype)
    for number, tap in enumerate(taps(axes, sizes)):
        # The blocks of one tap never meet.
        image[:, :, tap.flat[tap.inside]] += blocks[:, :, number][:, :, tap.inside]
    return image.reshape(*blocks.shape[:2], *sizes)
