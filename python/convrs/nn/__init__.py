"""Planned layers: weights packed once, then any number of calls on inputs of any batch and spatial size.

A layer gives what the function of the same name gives, faster: nothing is packed or checked twice, and bias, a residual
and an activation are applied while the sums are still in the cache. Pools are layers too, with torch.nn's arguments in
torch.nn's order: they hold the arguments of the function and take as long as it does. `layer.to("cuda")` is the layer
with its weights on a device, where torch computes it.

Example:
    >>> import numpy as np
    >>> from convrs import nn
    >>> layer = nn.Conv1d.from_weights(np.array([[[1, -1]]], np.float32), activation="relu")
    >>> layer(np.array([[[3, 1, 4, 1, 5]]], np.float32))
    array([[[2., 0., 3., 0.]]], dtype=float32)
"""

from .adaptive import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
)
from .batch_norm import BatchNorm
from .causal import CausalConv1d
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .plan import Plan
from .pool import (
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    LPPool1d,
    LPPool2d,
    LPPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    MinPool1d,
    MinPool2d,
    MinPool3d,
)

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BatchNorm",
    "CausalConv1d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MinPool1d",
    "MinPool2d",
    "MinPool3d",
    "Plan",
]
