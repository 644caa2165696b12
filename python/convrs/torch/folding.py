"""A convolution and the modules behind it as one planned layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import Module

from .. import nn
from ..functional.arguments import Algorithm

Layer: TypeAlias = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d

CONVOLUTIONS: dict[type[Module], Any] = {getattr(torch.nn, name): getattr(nn, name) for name in nn.conv.__all__}
"""Torch's modules and the planned layers of the same names."""

NORMALIZATIONS: dict[type[Module], int] = {
    torch.nn.BatchNorm1d: 1,
    torch.nn.BatchNorm2d: 2,
    torch.nn.BatchNorm3d: 3,
}
"""With their spatial axes."""

ACTIVATIONS: dict[type[Module], Any] = {
    torch.nn.ReLU: lambda module: "relu",
    torch.nn.ReLU6: lambda module: "relu6",
    torch.nn.SiLU: lambda module: "silu",
    torch.nn.Hardswish: lambda module: "hardswish",
    torch.nn.Sigmoid: lambda module: "sigmoid",
    torch.nn.Tanh: lambda module: "tanh",
    torch.nn.GELU: lambda module: "gelu" if module.approximate == "none" else None,
    torch.nn.LeakyReLU: lambda module: ("leaky_relu", module.negative_slope),
    torch.nn.PReLU: lambda module: ("prelu", module.weight.detach().double().tolist()),
    torch.nn.Hardtanh: lambda module: ("clamp", module.min_val, module.max_val),
}
"""What a planned layer calls it; None where it has no such step."""


def spatial_axes(convolution: Module) -> int:
    return int(CONVOLUTIONS[type(convolution)].spatial)


def foldable(convolution: Any, followers: Sequence[Module]) -> tuple[Module, ...]:
    """The first of the followers that one layer can take over: a normalisation, an activation, or one and the other."""
    rest = list(followers)
    taken = []
    if rest and _normalization_fits(convolution, rest[0]):
        taken.append(rest.pop(0))
    if rest and _activation_fits(convolution, rest[0]):
        taken.append(rest.pop(0))
    return tuple(taken)


def _normalization_fits(convolution: Any, module: Any) -> bool:
    return (
        NORMALIZATIONS.get(type(module)) == spatial_axes(convolution)
        and module.running_mean is not None
        and module.running_var is not None
        and module.num_features == convolution.out_channels
    )


def _activation_fits(convolution: Any, module: Any) -> bool:
    if type(module) is torch.nn.PReLU and module.num_parameters not in (1, convolution.out_channels):
        return False
    return type(module) in ACTIVATIONS and ACTIVATIONS[type(module)](module) is not None


def tensors_of(modules: Sequence[Module]) -> list[Tensor]:
    """All numbers that a planned layer of these modules depends on."""
    groups = [group for module in modules for group in (module._parameters, module._buffers)]
    return [tensor for group in groups for tensor in group.values() if tensor is not None]


def foldable_now(followers: Sequence[Module], dtype: torch.dtype) -> bool:
    """Whether what can change after `foldable` still allows it."""
    for module in followers:
        if type(module) in NORMALIZATIONS:
            # A normalisation in training takes the batch's own mean. In 16 bits the product of two weights would be
            # rounded once more before it meets the input.
            if module.training or dtype not in (torch.float32, torch.float64):
                return False
            if not all(tensor.dtype == dtype for tensor in tensors_of([module]) if tensor.is_floating_point()):
                return False
    return True


@torch.no_grad()
def planned(convolution: Any, followers: Sequence[Any], algorithm: Algorithm) -> Layer:
    """One planned layer of the numbers that the modules hold now."""
    weight, bias, activation = convolution.weight, convolution.bias, None
    for module in followers:
        if type(module) in NORMALIZATIONS:
            weight, bias = _normalized(convolution, module)
        else:
            activation = ACTIVATIONS[type(module)](module)
    names = ["stride", "padding", "dilation", "groups"]
    names.append("output_padding" if convolution.transposed else "padding_mode")
    settings = {name: getattr(convolution, name) for name in names}
    layer: Layer = CONVOLUTIONS[type(convolution)].from_weights(
        weight, bias, **settings, activation=activation, algorithm=algorithm
    )
    return layer


def _normalized(convolution: Any, module: Any) -> tuple[Tensor, Tensor]:
    """Weight and bias with (y - mean) / sqrt(var + eps) * gamma + beta behind them, in float64 before the rounding."""
    weight = convolution.weight.double()
    scale = torch.rsqrt(module.running_var.double() + module.eps)
    if module.weight is not None:
        scale = scale * module.weight.double()
    bias = -module.running_mean.double()
    if convolution.bias is not None:
        bias = bias + convolution.bias.double()
    bias = bias * scale
    if module.bias is not None:
        bias = bias + module.bias.double()
    ones = (1,) * spatial_axes(convolution)
    if convolution.transposed:
        # (in, out / groups, kernel ...): the outputs of a group lie behind its inputs.
        groups, inputs = convolution.groups, convolution.in_channels // convolution.groups
        scales = scale.view(groups, 1, -1).expand(groups, inputs, -1).reshape(convolution.in_channels, -1, *ones)
    else:
        scales = scale.view(-1, 1, *ones)
    dtype = convolution.weight.dtype
    return (weight * scales).to(dtype), bias.to(dtype)
