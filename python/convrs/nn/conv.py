"""Convolutions and transposed convolutions as planned layers, named and drawn as torch's."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from .. import backends
from ..functional.arguments import Algorithm, Padding, PaddingMode, Size
from .batch_norm import BatchNorm
from .layer import Activation, PlannedLayer

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


class _Conv(PlannedLayer):
    """A convolution over `spatial` axes."""

    __slots__ = ()
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Padding = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: Any = None,
        dtype: Any = np.float32,
        *,
        activation: Activation | None = None,
        algorithm: Algorithm = "auto",
    ) -> None:
        shape = (out_channels, _per_group("in_channels", in_channels, groups), *_each(kernel_size, self.spatial))
        weight, drawn = _drawn(shape, out_channels, dtype)
        self._plan(
            weight,
            drawn if bias else None,
            stride,
            padding,
            0,
            dilation,
            groups,
            padding_mode,
            activation,
            algorithm,
            device,
        )

    @classmethod
    def from_weights(
        cls,
        weight: Any,
        bias: Any = None,
        stride: Size = 1,
        padding: Padding = 0,
        dilation: Size = 1,
        groups: int = 1,
        padding_mode: PaddingMode = "zeros",
        *,
        activation: Activation | None = None,
        algorithm: Algorithm = "auto",
        device: Any = None,
        batch_norm: BatchNorm | None = None,
    ) -> Self:
        """A layer of given weights; they are copied.

        Args:
            weight: (out_channels, in_channels / groups, kernel ...); NumPy arrays, torch tensors, lists.
            bias: (out_channels,), of the same dtype.
            stride: as in the function of the same name; so the others.
            padding: numbers, (before, after) pairs, "valid", "same" or "same_lower".
            dilation: distance of neighbouring taps.
            groups: blocks of channels that do not see each other.
            padding_mode: "zeros", "reflect", "replicate" or "circular".
            activation: the last step: "relu", "relu6", "silu", "hardswish", "sigmoid", "tanh", "gelu" (with the
                error function), "leaky_relu" or ("leaky_relu", slope), ("prelu", slopes), ("clamp", least, most).
            algorithm: "direct": every sum lies within gamma(K + 1) * sum |x| |w| of the exact one and has the bits of
                the function. "winograd": kernels of 3x3 along height and width by Winograd's F(4x4, 3x3), with
                a quarter of the products, and of 3 along the width alone by F(4, 3), with half of them and any
                dilation up to 60; stride 1; about twice the error on the data of networks; refused elsewhere. "auto":
                Winograd where it is faster, else direct. "fft": by the fast Fourier transform in float64, for long
                kernels of size 1 along depth; never chosen by itself. The error of a sum is relative to a whole block
                of the input (N elements x, see `plan`) and not to the sum's own taps: at most 21 u log2(N) |x|_2 |w|_1
                with u = 2**-53 (Higham, Accuracy and Stability of Numerical Algorithms, chapter 24), and the rounding
                to the dtype. Only where the elements of a block differ by ten orders of magnitude or more is that seen
                in float32; an infinity or NaN in a block spoils all of its outputs.
            device: where it computes, as for `to`; the CPU if left out.
            batch_norm: a BatchNorm in evaluation between the sum and what follows it, folded into weight and bias.

        Raises:
            ValueError: a shape or value is out of range.
            TypeError: a kind or dtype is wrong.
        """
        layer = cls.__new__(cls)
        layer._plan(
            weight, bias, stride, padding, 0, dilation, groups, padding_mode, activation, algorithm, device, batch_norm
        )
        return layer


class Conv1d(_Conv):
    """Convolution over one axis; torch.nn.Conv1d.

    Weights and bias are drawn uniformly from +-1 / sqrt(fan in), as torch draws them, from NumPy's generator without a
    seed; `from_weights` takes them.

    Example:
        >>> import numpy as np
        >>> layer = Conv1d.from_weights(np.array([[[0.25, 0.5, 0.25]]], np.float32), padding=1)
        >>> layer(np.array([[0, 4, 0, 0]], np.float32))
        array([[1., 2., 1., 0.]], dtype=float32)
    """

    __slots__ = ()
    spatial = 1


class Conv2d(_Conv):
    """Convolution over two axes; torch.nn.Conv2d. Weights are drawn as for `Conv1d`.

    Example:
        >>> import numpy as np
        >>> layer = Conv2d(3, 8, 3, padding="same")
        >>> layer(np.zeros((1, 3, 5, 7), np.float32)).shape
        (1, 8, 5, 7)
    """

    __slots__ = ()
    spatial = 2


class Conv3d(_Conv):
    """Convolution over three axes; torch.nn.Conv3d. Weights are drawn as for `Conv1d`.

    Example:
        >>> import numpy as np
        >>> layer = Conv3d(2, 4, (1, 3, 3), stride=(1, 2, 2))
        >>> layer(np.zeros((2, 4, 9, 9), np.float32)).shape
        (4, 4, 4, 4)
    """

    __slots__ = ()
    spatial = 3


class _ConvTranspose(PlannedLayer):
    """A transposed convolution over `spatial` axes."""

    __slots__ = ()
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: PaddingMode = "zeros",
        device: Any = None,
        dtype: Any = np.float32,
        *,
        activation: Activation | None = None,
        algorithm: Algorithm = "auto",
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'padding_mode is "{padding_mode}": a transposed convolution knows "zeros" only')
        shape = (in_channels, _per_group("out_channels", out_channels, groups), *_each(kernel_size, self.spatial))
        weight, drawn = _drawn(shape, out_channels, dtype)
        added = drawn if bias else None
        self._plan(
            weight, added, stride, padding, output_padding, dilation, groups, "zeros", activation, algorithm, device
        )

    @classmethod
    def from_weights(
        cls,
        weight: Any,
        bias: Any = None,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        dilation: Size = 1,
        *,
        activation: Activation | None = None,
        algorithm: Algorithm = "auto",
        device: Any = None,
        batch_norm: BatchNorm | None = None,
    ) -> Self:
        """A layer of given weights; they are copied.

        Args:
            weight: (in_channels, out_channels / groups, kernel ...); NumPy arrays, torch tensors, lists.
            bias: (out_channels,), of the same dtype.
            stride: as in the function of the same name; so the others.
            padding: outputs cut off on both sides.
            output_padding: outputs added at the end.
            groups: blocks of channels that do not see each other.
            dilation: distance of neighbouring taps.
            activation: as for convolutions.
            algorithm: "auto" or "direct", which here are the same.
            device: where it computes, as for `to`; the CPU if left out.
            batch_norm: a BatchNorm in evaluation between the sum and what follows it, folded into weight and bias.

        Raises:
            ValueError: a shape or value is out of range.
            TypeError: a kind or dtype is wrong.
        """
        layer = cls.__new__(cls)
        layer._plan(
            weight,
            bias,
            stride,
            padding,
            output_padding,
            dilation,
            groups,
            "zeros",
            activation,
            algorithm,
            device,
            batch_norm,
        )
        return layer


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution over one axis; torch.nn.ConvTranspose1d. Weights are drawn as for `Conv1d`.

    Example:
        >>> import numpy as np
        >>> layer = ConvTranspose1d.from_weights(np.array([[[1, 2]]], np.float32), stride=2)
        >>> layer(np.array([[1, 10]], np.float32))
        array([[ 1.,  2., 10., 20.]], dtype=float32)
    """

    __slots__ = ()
    spatial = 1


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution over two axes; torch.nn.ConvTranspose2d. Weights are drawn as for `Conv1d`.

    Example:
        >>> import numpy as np
        >>> ConvTranspose2d(8, 4, 2, stride=2)(np.zeros((1, 8, 5, 7), np.float32)).shape
        (1, 4, 10, 14)
    """

    __slots__ = ()
    spatial = 2


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution over three axes; torch.nn.ConvTranspose3d. Weights are drawn as for `Conv1d`.

    Example:
        >>> import numpy as np
        >>> ConvTranspose3d(2, 3, 3)(np.zeros((1, 2, 4, 4, 4), np.float32)).shape
        (1, 3, 6, 6, 6)
    """

    __slots__ = ()
    spatial = 3


def _each(value: Size, spatial: int) -> tuple[int, ...]:
    sizes = tuple(value) if isinstance(value, Sequence) else (value,) * spatial
    if len(sizes) != spatial or any(_whole("kernel_size", size) < 1 for size in sizes):
        raise ValueError(f"kernel_size is {value}: it must be a positive number, or one for each of the {spatial} axes")
    return sizes


def _per_group(name: str, channels: int, groups: int) -> int:
    if _whole("groups", groups) < 1:
        raise ValueError(f"groups must be at least 1, got {groups}; the nearest legal value is 1")
    if _whole(name, channels) < 1 or channels % groups:
        nearest = max(1, round(channels / groups)) * groups
        raise ValueError(
            f"{name} must be a positive multiple of groups = {groups}, got {channels}; the nearest is {nearest}"
        )
    return channels // groups


def _whole(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {type(value).__name__}: {value}") from None


def _drawn(shape: tuple[int, ...], channels: int, dtype: Any) -> tuple[Any, Any]:
    """Weights and bias as torch.nn.modules.conv draws them: uniform within 1 / sqrt(fan in)."""
    generator = np.random.default_rng()
    bound = 1 / math.sqrt(max(1, math.prod(shape[1:])))
    weight, bias = (backends.in_dtype(generator.uniform(-bound, bound, size), dtype) for size in (shape, channels))
    return weight, bias
