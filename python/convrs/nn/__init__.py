"""Planned layers: weights packed once, then any number of calls on inputs of any batch and spatial size.

A layer gives what the function of the same name gives, faster: nothing is packed or checked twice, and bias, a residual
and an activation are applied while the sums are still in the cache.

Example:
    >>> import numpy as np
    >>> from convrs import nn
    >>> layer = nn.Conv1d.from_weights(np.array([[[1, -1]]], np.float32), activation="relu")
    >>> layer(np.array([[[3, 1, 4, 1, 5]]], np.float32))
    array([[[2., 0., 3., 0.]]], dtype=float32)
"""

from .causal import CausalConv1d
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .plan import Plan

__all__ = [
    "CausalConv1d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Plan",
]
