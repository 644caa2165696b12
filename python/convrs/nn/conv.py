"""Convolutions and transposed convolutions as planned layers."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from copy import copy
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy import ndarray
from numpy.typing import NDArray

from .. import _convrs, backends, functional
from ..functional.arguments import Algorithm, Array, Padding, PaddingMode, Size
from .plan import Plan

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

Activation: TypeAlias = str | tuple[str, Any] | tuple[str, float, float]
"""The name of an activation, with its numbers behind it if it has any."""


class _Layer:
    """What all convolutions share: a planned kernel and how it is called."""

    __slots__ = ("_activation", "_home", "_layer", "_parameters", "_run", "bias", "weight")

    spatial: ClassVar[int]
    transposed: ClassVar[bool]

    weight: Any
    """The weights, a read-only NumPy array; where the layer was moved to a device, a tensor there."""
    bias: Any
    """The bias likewise, None without one."""
    _home: Any
    """The layer on the CPU; None if this is it."""

    def _plan(
        self,
        weight: Any,
        bias: Any,
        stride: Size,
        padding: Padding,
        output_padding: Size,
        dilation: Size,
        groups: int,
        padding_mode: PaddingMode,
        activation: Activation | None,
        algorithm: Algorithm,
        device: Any = None,
    ) -> None:
        self.weight = _read_only("weight", weight)
        self.bias = None if bias is None else _read_only("bias", bias)
        own = {"output_padding": output_padding} if self.transposed else {"padding_mode": padding_mode}
        self._parameters = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, **own}
        self._activation = _with_numbers(activation)
        self._layer = _convrs.Layer(
            self.spatial,
            self.transposed,
            self.weight,
            self.bias,
            stride,
            padding,
            output_padding,
            dilation,
            groups,
            padding_mode,
            self._activation,
            algorithm,
        )
        # A bound method that is looked up once: a tiny call takes about a microsecond.
        self._run: Any = self._layer.run
        self._home = None
        if not _is_cpu(device):
            self._home = copy(self)
            self._move(device)

    def to(self, device: Any) -> Self:
        """This layer with its weights on another device, where torch computes it, imported for it.

        The weights are moved once. Calls take tensors of that device, or arrays of other libraries there, and give back
        their kind: the numbers of the CPU to rounding, by the algorithm that torch chooses. 16-bit floats are rounded
        after each step. Float32 is not shortened to TF32 unless `convrs.allow_tf32` says so.

        Args:
            device: "cpu", or what torch takes as a device: "cuda", "cuda:1", "mps", "xpu", a torch.device.

        Returns:
            Another layer of the same weights, which keeps the CPU's with what that has packed; for "cpu" that one.

        Raises:
            ValueError: torch has no such device, or the device no such dtype.
            ImportError: there is no torch.

        Example:
            >>> import numpy as np
            >>> layer = Conv1d.from_weights(np.ones((1, 1, 2), np.float32))
            >>> layer.to("cpu") is layer
            True
        """
        home = self if self._home is None else self._home
        if _is_cpu(device):
            return home
        moved = copy(self)
        moved._home = home
        moved._move(device)
        return moved

    def _move(self, device: Any) -> None:
        function = getattr(functional, f"conv{'_transpose' if self.transposed else ''}{self.spatial}d")
        self._run = backends.moved(function, self.weight, self.bias, self._parameters, self._activation, device)
        self.weight, self.bias = self._run.weight, self._run.bias

    def __call__(self, input: Array, residual: Array | None = None, *, out: Array | None = None) -> Array:
        """Computes the layer.

        Args:
            input: (batch, in_channels, ...) or (in_channels, ...), in the dtype of the weights and where they live.
            residual: added before the activation; of the result's shape and dtype.
            out: array that receives the result: its shape, dtype and kind, not overlapping an input.

        Returns:
            The result, as the function of the same name gives it.

        Raises:
            ValueError: a shape does not fit.
            TypeError: a kind or dtype is wrong, or an array lives elsewhere than the weights.
        """
        if type(input) is ndarray and residual is None:
            result: Array = self._run(input, None, out)
        else:
            result = backends.call_layer(self._run, input, residual, out)
        return result

    def plan(self, shape: Sequence[int]) -> Plan:
        """How an input of that shape would be computed by the kernels.

        Raises:
            ValueError: the shape does not fit.
            TypeError: the layer was moved to a device, where torch chooses and does not tell.

        Example:
            >>> import numpy as np
            >>> layer = Conv2d.from_weights(np.ones((64, 32, 3, 3), np.float32))
            >>> layer.plan((1, 32, 58, 58)).multiply_adds
            57802752
        """
        if self._home is not None:
            raise TypeError(
                f"the layer computes on {self.weight.device}, where torch chooses how and does not tell; "
                f'the kernels\' plan is layer.to("cpu").plan({tuple(shape)})'
            )
        fields = self._layer.plan(list(shape))
        return Plan(**{**fields, "tile": tuple(fields["tile"])})

    def __repr__(self) -> str:
        weight = self.to("cpu").weight
        device = "" if self._home is None else f", device={str(self.weight.device)!r}"
        return f"{type(self).__name__}(weight={weight.shape}, dtype={backends.dtype_name(weight.dtype)}{device})"


class _Conv(_Layer):
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

        Raises:
            ValueError: a shape or value is out of range.
            TypeError: a kind or dtype is wrong.
        """
        layer = cls.__new__(cls)
        layer._plan(weight, bias, stride, padding, 0, dilation, groups, padding_mode, activation, algorithm, device)
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


class _ConvTranspose(_Layer):
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

        Raises:
            ValueError: a shape or value is out of range.
            TypeError: a kind or dtype is wrong.
        """
        layer = cls.__new__(cls)
        layer._plan(
            weight, bias, stride, padding, output_padding, dilation, groups, "zeros", activation, algorithm, device
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


def _read_only(name: str, array: Any) -> NDArray[Any]:
    """A copy that nobody can change behind the packed weights."""
    copy = np.array(backends.to_numpy(name, array), order="C")
    copy.flags.writeable = False
    return copy


def _with_numbers(activation: Activation | None) -> tuple[str, list[float]] | None:
    """The name of an activation and a list of its numbers."""
    if activation is None:
        return None
    if isinstance(activation, str):
        return activation, []
    if not isinstance(activation, tuple) or not activation or not isinstance(activation[0], str):
        raise TypeError(f"activation must be a name, or a tuple of a name and its numbers, got {activation!r}")
    name, *numbers = activation
    return name, [float(number) for entry in numbers for number in np.ravel(entry)]


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


def _is_cpu(device: object) -> bool:
    """Whether it says the CPU, as a text or as torch's object, or nothing."""
    return device is None or str(device).partition(":")[0] == "cpu"


def _drawn(shape: tuple[int, ...], channels: int, dtype: Any) -> tuple[Any, Any]:
    """Weights and bias as torch.nn.modules.conv draws them: uniform within 1 / sqrt(fan in)."""
    generator = np.random.default_rng()
    bound = 1 / math.sqrt(max(1, math.prod(shape[1:])))
    weight, bias = (backends.in_dtype(generator.uniform(-bound, bound, size), dtype) for size in (shape, channels))
    return weight, bias
