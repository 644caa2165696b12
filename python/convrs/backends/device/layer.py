"""Planned layers on a device: weights that were moved there once, and the steps behind torch's sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import torch
import torch.nn.functional as functional
from torch import Tensor

from .. import autograd
from ..cpu import Function
from ..memory import from_numpy
from ..placement import scattered
from . import into
from .convolutions import conv, conv_transpose
from .numbers import as_dtype, is_whole, wide

__all__ = ["Layer"]

Step: TypeAlias = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "relu": torch.relu_,
    "relu6": partial(functional.relu6, inplace=True),
    "leaky_relu": lambda sums, slope=0.01: functional.leaky_relu(sums, slope, inplace=True),
    "prelu": lambda sums, slopes: torch.where(sums > 0, sums, sums * slopes),
    "clamp": torch.clamp_,
    "silu": partial(functional.silu, inplace=True),
    "hardswish": partial(functional.hardswish, inplace=True),
    "sigmoid": torch.sigmoid_,
    "tanh": torch.tanh_,
    "gelu": functional.gelu,
}
"""The activations of `convrs.nn` by their names. The sums are nobody else's, and may be overwritten."""


class Layer:
    """What a planned layer runs on a device. 16-bit floats are rounded after the sum and after each step."""

    def __init__(
        self,
        function: Function,
        weight: Any,
        bias: Any,
        parameters: Mapping[str, Any],
        activation: tuple[str, Sequence[float]] | None,
        device: Any,
    ) -> None:
        """Moves the weights; what they are was checked when the layer was planned.

        Args:
            function: the convolution, a function of `convrs.functional`.
            weight: NumPy's, or a tensor of any device.
            bias: likewise; None without one.
            parameters: the other arguments of the function.
            activation: its name and numbers; None without one.
            device: what torch takes as a device.

        Raises:
            ValueError: torch has no such device, or it does not take the dtype.
        """
        self.weight = _moved(weight, device)
        self.bias = None if bias is None else _moved(bias, device)
        self._convolution = partial(conv_transpose if "transpose" in function.__name__ else conv, function)
        self._parameters = parameters
        self._activate = None if activation is None else self._step(*activation)

    def __call__(self, input: Any, residual: Any, out: Any) -> Tensor:
        """Computes the layer, on the current stream of its device.

        Raises:
            TypeError: an argument is no tensor of the weight's device, or has another dtype.
            ValueError: `residual` or `out` has another shape than the result.
            RuntimeError: a gradient is asked for, or torch refuses the input.
        """
        # The weight comes first: it says where the others should be.
        arrays = {"weight": self.weight, "input": input, "residual": residual, "out": out}
        home, dtype = self.weight.device, self.weight.dtype
        for array in arrays.values():
            if array is not None and (not isinstance(array, Tensor) or array.device != home):
                raise scattered(arrays)
        if autograd.asked(arrays):
            raise autograd.without_gradient()
        if input.dtype != dtype:
            rule = f"it must have the dtype of the layer's weight, {dtype}; write input.to({dtype})"
            raise TypeError(f"input has dtype {input.dtype}: {rule}")
        result = self._convolution({"input": input, "weight": self.weight, "bias": self.bias}, self._parameters)
        if residual is not None:
            result = _sum(result, residual)
        if self._activate is not None:
            result = self._activate(result)
        return result if out is None else into(out, result)

    def _step(self, name: str, numbers: Sequence[float]) -> Step:
        activation = ACTIVATIONS[name]
        if name == "prelu":
            # One for each channel, before the spatial axes.
            slopes = self.weight.new_tensor(numbers).reshape(-1, *[1] * (self.weight.dim() - 2))
            return lambda sums: activation(sums, slopes)
        return lambda sums: activation(sums, *numbers)


def _moved(array: Any, device: Any) -> Tensor:
    tensor = array if isinstance(array, Tensor) else from_numpy(array)
    try:
        return tensor.to(torch.device(device))
    except (AssertionError, RuntimeError, TypeError) as error:
        raise ValueError(f"device is {device}, where torch can put no weight of {tensor.dtype}: {error}") from error


def _sum(sums: Tensor, residual: Tensor) -> Tensor:
    """Sums with the residual added to them, by wrap-around if they are whole numbers."""
    if residual.shape != sums.shape:
        rule = f"it must have the result's shape, {tuple(sums.shape)}"
        raise ValueError(f"residual has shape {tuple(residual.shape)}: {rule}")
    if residual.dtype != sums.dtype:
        rule = f"it must have the dtype of input, {sums.dtype}; write residual.to({sums.dtype})"
        raise TypeError(f"residual has dtype {residual.dtype}: {rule}")
    return as_dtype(wide(sums) + wide(residual), sums.dtype) if is_whole(sums.dtype) else sums.add_(residual)
