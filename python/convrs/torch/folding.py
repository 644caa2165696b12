"""A convolution and the steps behind it as one planned layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import Module

from .. import nn
from ..functional.arguments import Algorithm
from .watching import watchable

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


FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def spatial_axes(convolution: Module) -> int:
    return int(CONVOLUTIONS[type(convolution)].spatial)


@dataclass(frozen=True)
class Chain:
    """What one planned layer computes: a convolution, then what there is of the others, in this order.

    Attributes:
        convolution: torch's module.
        normalization: a BatchNorm in evaluation.
        sum: whether a residual is added.
        activation: a module, of the model or one that does what a function does there.
    """

    convolution: Any
    normalization: Any = None
    sum: bool = False
    activation: Any = None

    def with_module(self, module: Any) -> Chain | None:
        """With that module as the next step, if one layer can take it over too."""
        if self.activation is not None:
            return None
        if _activation_fits(self.convolution, module):
            return replace(self, activation=module)
        if self.normalization is None and not self.sum and _normalization_fits(self.convolution, module):
            return replace(self, normalization=module)
        return None

    def with_sum(self) -> Chain | None:
        """With a residual as the next step, if one layer can add it."""
        return replace(self, sum=True) if not self.sum and self.activation is None else None

    @property
    def modules(self) -> tuple[Any, ...]:
        """The convolution and the modules behind it."""
        return tuple(module for module in (self.convolution, self.normalization, self.activation) if module is not None)


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


def tensors_of(modules: Iterable[Module]) -> list[Tensor]:
    """All numbers that a planned layer of these modules depends on."""
    groups = [group for module in modules for group in (module._parameters, module._buffers)]
    return [tensor for group in groups for tensor in group.values() if tensor is not None]


@torch.no_grad()
def planned(chain: Chain, algorithm: Algorithm) -> Layer:
    """One planned layer of the numbers that the modules hold now.

    Raises:
        TypeError: it would not compute what torch does; so a ValueError, of what convrs refuses.
    """
    convolution, normalization = chain.convolution, chain.normalization
    if type(convolution) not in CONVOLUTIONS or convolution._parameters.get("weight") is None:
        raise TypeError("its weight is computed from other parameters")
    weight, tensors, batch_norm = convolution.weight, tensors_of(chain.modules), None
    if not all(map(watchable, tensors)):
        raise TypeError("a tensor of it does not say when it is written to, as those of torch.inference_mode()")
    floats = {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
    if floats != {weight.dtype} or weight.dtype not in FLOATS or not all(tensor.is_cpu for tensor in tensors):
        raise TypeError("its tensors have several dtypes, or live elsewhere than on the CPU")
    if normalization is not None:
        if normalization.training or not _normalization_fits(convolution, normalization):
            raise TypeError("the normalisation behind it takes the mean of each batch")
        numbers = (getattr(normalization, name) for name in ("running_mean", "running_var", "weight", "bias", "eps"))
        batch_norm = nn.BatchNorm(*numbers)
    activation = chain.activation
    names = ["stride", "padding", "dilation", "groups"]
    names.append("output_padding" if convolution.transposed else "padding_mode")
    layer: Layer = CONVOLUTIONS[type(convolution)].from_weights(
        weight,
        convolution.bias,
        **{name: getattr(convolution, name) for name in names},
        activation=None if activation is None else ACTIVATIONS[type(activation)](activation),
        algorithm=algorithm,
        batch_norm=batch_norm,
    )
    return layer
