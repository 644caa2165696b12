"""Pools with a given output size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from .. import _convrs, backends
from ..backends.choice import PLAIN
from .arguments import AdaptiveSize, Array, Indices, NumPyArray, Size

if TYPE_CHECKING:
    from ..backends.torch import Tensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]


def adaptive_avg_pool1d(
    input: Array,
    output_size: Size,
    *,
    out: Array | None = None,
) -> Array:
    """Mean of windows chosen for a given output size; torch.nn.functional.adaptive_avg_pool1d.

    Output i covers the inputs from floor(i * input / output) up to, but without, ceil((i + 1) * input /
    output). float16 and bfloat16 are summed in float32. Integers, which torch refuses, are summed in 64
    bits and the quotient is rounded toward zero.

    Args:
        input: (batch, channels, L) or (channels, L); floats, bfloat16, integers, bool or complex.
        output_size: size of the output, a number.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, L_out) in the input's dtype, without the batch if the input has none.

    Raises:
        ValueError: a value is out of range, or the input has no elements on a spatial axis.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool1d.html

    Example:
        >>> import numpy as np
        >>> signal = np.arange(5, dtype=np.float32).reshape(1, 1, 5)
        >>> adaptive_avg_pool1d(signal, 2)
        array([[[1., 3.]]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.adaptive_avg_pool(1, input, output_size, out)
    return backends.call(
        adaptive_avg_pool1d,
        input,
        {"out": out},
        output_size=output_size,
    )


def adaptive_avg_pool2d(
    input: Array,
    output_size: AdaptiveSize,
    *,
    out: Array | None = None,
) -> Array:
    """Mean of windows chosen for a given output size; torch.nn.functional.adaptive_avg_pool2d.

    Output i covers the inputs from floor(i * input / output) up to, but without, ceil((i + 1) * input /
    output). float16 and bfloat16 are summed in float32. Integers, which torch refuses, are summed in 64
    bits and the quotient is rounded toward zero.

    Args:
        input: (batch, channels, H, W) or (channels, H, W); floats, bfloat16, integers, bool or complex.
        output_size: size of the output, a number or (h, w); None keeps the input's size.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, H_out, W_out) in the input's dtype, without the batch if the input has none.

    Raises:
        ValueError: a value is out of range, or the input has no elements on a spatial axis.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html

    Example:
        >>> import numpy as np
        >>> image = np.arange(15, dtype=np.float32).reshape(1, 1, 3, 5)
        >>> adaptive_avg_pool2d(image, (None, 1))[0, 0]
        array([[ 2.],
               [ 7.],
               [12.]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.adaptive_avg_pool(2, input, output_size, out)
    return backends.call(
        adaptive_avg_pool2d,
        input,
        {"out": out},
        output_size=output_size,
    )


def adaptive_avg_pool3d(
    input: Array,
    output_size: AdaptiveSize,
    *,
    out: Array | None = None,
) -> Array:
    """Mean of windows chosen for a given output size; torch.nn.functional.adaptive_avg_pool3d.

    Output i covers the inputs from floor(i * input / output) up to, but without, ceil((i + 1) * input /
    output). float16 and bfloat16 are summed in float32. Integers, which torch refuses, are summed in 64
    bits and the quotient is rounded toward zero.

    Args:
        input: (batch, channels, D, H, W) or (channels, D, H, W); floats, bfloat16, integers, bool or complex.
        output_size: size of the output, a number or (d, h, w); None keeps the input's size.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, D_out, H_out, W_out) in the input's dtype, without the batch if the input has none.

    Raises:
        ValueError: a value is out of range, or the input has no elements on a spatial axis.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool3d.html

    Example:
        >>> import numpy as np
        >>> volume = np.arange(8, dtype=np.float32).reshape(1, 1, 2, 2, 2)
        >>> adaptive_avg_pool3d(volume, 1)
        array([[[[[3.5]]]]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.adaptive_avg_pool(3, input, output_size, out)
    return backends.call(
        adaptive_avg_pool3d,
        input,
        {"out": out},
        output_size=output_size,
    )


@overload
def adaptive_max_pool1d(
    input: Array,
    output_size: Size,
    return_indices: Literal[False] = False,
    *,
    out: Array | None = None,
) -> Array: ...
@overload
def adaptive_max_pool1d(
    input: NumPyArray,
    output_size: Size,
    *,
    return_indices: Literal[True],
    out: NumPyArray | None = None,
) -> tuple[NumPyArray, Indices]: ...
@overload
def adaptive_max_pool1d(
    input: Tensor,
    output_size: Size,
    *,
    return_indices: Literal[True],
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def adaptive_max_pool1d(
    input: Array,
    output_size: Size,
    *,
    return_indices: bool,
    out: Array | None = None,
) -> Array | tuple[Array, Any]: ...
def adaptive_max_pool1d(
    input: Array,
    output_size: Size,
    return_indices: bool = False,
    *,
    out: Array | None = None,
) -> Array | tuple[Array, Any]:
    """Maximum of windows chosen for a given output size; torch.nn.functional.adaptive_max_pool1d.

    Output i covers the inputs from floor(i * input / output) up to, but without, ceil((i + 1) * input /
    output). A NaN wins, and of several the last one's index is given; of equal maxima the first.

    Args:
        input: (batch, channels, L) or (channels, L); floats, bfloat16, integers or bool.
        output_size: size of the output, a number.
        return_indices: also return the position of each maximum.
        out: array that receives the values: their shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, L_out) in the input's dtype, without the batch if the input has none; with
        return_indices a pair of it and the int64 indices.

    Raises:
        ValueError: a value is out of range, or the input has no elements on a spatial axis.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool1d.html

    Example:
        >>> import numpy as np
        >>> signal = np.arange(5, dtype=np.float32).reshape(1, 1, 5)
        >>> adaptive_max_pool1d(signal, 2)
        array([[[2., 4.]]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.adaptive_max_pool(1, input, output_size, return_indices, out)
    return backends.call(
        adaptive_max_pool1d,
        input,
        {"out": out},
        output_size=output_size,
        return_indices=return_indices,
    )


@overload
def adaptive_max_pool2d(
    input: Array,
    output_size: AdaptiveSize,
    return_indices: Literal[False] = False,
    *,
    out: Array | None = None,
) -> Array: ...
@overload
def adaptive_max_pool2d(
    input: NumPyArray,
    output_size: AdaptiveSize,
    *,
    return_indices: Literal[True],
    out: NumPyArray | None = None,
) -> tuple[NumPyArray, Indices]: ...
@overload
def adaptive_max_pool2d(
    input: Tensor,
    output_size: AdaptiveSize,
    *,
    return_indices: Literal[True],
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def adaptive_max_pool2d(
    input: Array,
    output_size: AdaptiveSize,
    *,
    return_indices: bool,
    out: Array | None = None,
) -> Array | tuple[Array, Any]: ...
def adaptive_max_pool2d(
    input: Array,
    output_size: AdaptiveSize,
    return_indices: bool = False,
    *,
    out: Array | None = None,
) -> Array | tuple[Array, Any]:
    """Maximum of windows chosen for a given output size; torch.nn.functional.adaptive_max_pool2d.

    Output i covers the inputs from floor(i * input / output) up to, but without, ceil((i + 1) * input /
    output). A NaN wins, and of several the last one's index is given; of equal maxima the first.

    Args:
        input: (batch, channels, H, W) or (channels, H, W); floats, bfloat16, integers or bool.
        output_size: size of the output, a number or (h, w); None keeps the input's size.
        return_indices: also return where in its plane each maximum lies, counted in C order.
        out: array that receives the values: their shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, H_out, W_out) in the input's dtype, without the batch if the input has none; with
        return_indices a pair of it and the int64 indices.

    Raises:
        ValueError: a value is out of range, or the input has no elements on a spatial axis.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool2d.html

    Example:
        >>> import numpy as np
        >>> image = np.arange(15, dtype=np.float32).reshape(1, 1, 3, 5)
        >>> adaptive_max_pool2d(image, (None, 1), return_indices=True)[1][0, 0]
        array([[ 4],
               [ 9],
               [14]])
    """
    if type(input) is PLAIN.get():
        return _convrs.adaptive_max_pool(2, input, output_size, return_indices, out)
    return backends.call(
        adaptive_max_pool2d,
        input,
        {"out": out},
        output_size=output_size,
        return_indices=return_indices,
    )


@overload
def adaptive_max_pool3d(
    input: Array,
    output_size: AdaptiveSize,
    return_indices: Literal[False] = False,
    *,
    out: Array | None = None,
) -> Array: ...
@overload
def adaptive_max_pool3d(
    input: NumPyArray,
    output_size: AdaptiveSize,
    *,
    return_indices: Literal[True],
    out: NumPyArray | None = None,
) -> tuple[NumPyArray, Indices]: ...
@overload
def adaptive_max_pool3d(
    input: Tensor,
    output_size: AdaptiveSize,
    *,
    return_indices: Literal[True],
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def adaptive_max_pool3d(
    input: Array,
    output_size: AdaptiveSize,
    *,
    return_indices: bool,
    out: Array | None = None,
) -> Array | tuple[Array, Any]: ...
def adaptive_max_pool3d(
    input: Array,
    output_size: AdaptiveSize,
    return_indices: bool = False,
    *,
    out: Array | None = None,
) -> Array | tuple[Array, Any]:
    """Maximum of windows chosen for a given output size; torch.nn.functional.adaptive_max_pool3d.

    Output i covers the inputs from floor(i * input / output) up to, but without, ceil((i + 1) * input /
    output). A NaN wins, and of several the last one's index is given; of equal maxima the first.

    Args:
        input: (batch, channels, D, H, W) or (channels, D, H, W); floats, bfloat16, integers or bool.
        output_size: size of the output, a number or (d, h, w); None keeps the input's size.
        return_indices: also return where in its plane each maximum lies, counted in C order.
        out: array that receives the values: their shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, D_out, H_out, W_out) in the input's dtype, without the batch if the input has none;
        with return_indices a pair of it and the int64 indices.

    Raises:
        ValueError: a value is out of range, or the input has no elements on a spatial axis.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool3d.html

    Example:
        >>> import numpy as np
        >>> volume = np.arange(8, dtype=np.float32).reshape(1, 1, 2, 2, 2)
        >>> adaptive_max_pool3d(volume, 1)
        array([[[[[7.]]]]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.adaptive_max_pool(3, input, output_size, return_indices, out)
    return backends.call(
        adaptive_max_pool3d,
        input,
        {"out": out},
        output_size=output_size,
        return_indices=return_indices,
    )
