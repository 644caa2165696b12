"""Convolutions: padding that torch has no word for is put around the input; whole numbers go through float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as functional
from torch import Tensor

from ..cpu import Function
from .numbers import is_whole
from .precision import FULL, may_be_shortened
from .whole import whole_convolution
from .words import each, is_paired

__all__ = ["conv", "conv_transpose"]

PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}
"""Their names in torch.nn.functional.pad."""


def conv(function: Function, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Tensor:
    """conv1d and so on. `algorithm` is not looked at: torch chooses its own."""
    input, weight, bias = tensors["input"], tensors["weight"], tensors["bias"]
    stride, padding, dilation = parameters["stride"], parameters["padding"], parameters["dilation"]
    sides, mode = None, parameters["padding_mode"]
    if mode != "zeros" or type(padding) is not int:
        padding, sides, mode = _padding(padding, mode, input, weight, stride, dilation)
    theirs = getattr(functional, function.__name__)
    groups = parameters["groups"]
    if is_whole(input.dtype):

        def convolved(input: Tensor, weight: Tensor) -> Tensor:
            result: Tensor = theirs(_padded(input, sides, mode), weight, None, stride, padding, dilation, groups)
            return result

        return whole_convolution(convolved, input, weight, bias, weight[:1].numel(), len(weight.shape) - 2)
    if may_be_shortened(input):
        with FULL:
            result: Tensor = theirs(_padded(input, sides, mode), weight, bias, stride, padding, dilation, groups)
    else:
        result = theirs(_padded(input, sides, mode), weight, bias, stride, padding, dilation, groups)
    return result


def conv_transpose(function: Function, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Tensor:
    """conv_transpose1d and so on."""
    input, weight, bias = tensors["input"], tensors["weight"], tensors["bias"]
    theirs = getattr(functional, function.__name__)
    if is_whole(input.dtype):

        def convolved(input: Tensor, weight: Tensor) -> Tensor:
            result: Tensor = theirs(input, weight, None, **parameters)
            return result

        return whole_convolution(convolved, input, weight, bias, weight[:, :1].numel(), len(weight.shape) - 2)
    if may_be_shortened(input):
        with FULL:
            result: Tensor = theirs(input, weight, bias, **parameters)
    else:
        result = theirs(input, weight, bias, **parameters)
    return result


def _padded(input: Tensor, sides: list[int] | None, mode: str) -> Tensor:
    return input if sides is None else functional.pad(input, sides, mode)


def _padding(
    padding: Any, padding_mode: str, input: Tensor, weight: Tensor, stride: Any, dilation: Any
) -> tuple[Any, list[int] | None, str]:
    """The padding that torch's convolution can take, and what torch.nn.functional.pad has to do before it."""
    if padding_mode not in PADDING_MODES:
        raise ValueError(f'padding_mode is "{padding_mode}": it must be one of {", ".join(PADDING_MODES)}')
    mode = PADDING_MODES[padding_mode]
    spatial = weight.dim() - 2
    paired = is_paired(padding)
    if mode == "constant" and not paired and not isinstance(padding, str):
        return padding, None, mode
    if padding == "valid":
        return 0, None, mode
    if padding in ("same", "same_lower"):
        spans = [far * (taps - 1) + 1 for taps, far in zip(weight.shape[2:], each(dilation, spatial), strict=True)]
        total = [
            max((-(-size // step) - 1) * step + span - size, 0)
            for size, step, span in zip(input.shape[-spatial:], each(stride, spatial), spans, strict=True)
        ]
        pairs = [(both // 2, both - both // 2) for both in total]
        if padding == "same_lower":
            pairs = [(after, before) for before, after in pairs]
    elif isinstance(padding, str):
        raise ValueError(f'padding is "{padding}": as a text it must be "valid", "same" or "same_lower"')
    else:
        pairs = list(padding) if paired else [(side, side) for side in each(padding, spatial)]
    if len(pairs) != spatial:
        raise ValueError(f"padding has {len(pairs)} pairs: it must have one for each of the {spatial} spatial axes")
    if mode == "constant" and all(before == after for before, after in pairs):
        return [before for before, _ in pairs], None, mode
    # torch.nn.functional.pad begins with the last axis.
    return 0, [side for pair in reversed(pairs) for side in pair], mode
