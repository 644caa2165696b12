"""Minimum pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from .. import _convrs, backends
from ..backends.choice import PLAIN
from .arguments import Array, Indices, NumPyArray, Padding, Rule, Size

if TYPE_CHECKING:
    from ..backends.torch import Tensor

__all__ = ["min_pool1d", "min_pool2d", "min_pool3d"]


@overload
def min_pool1d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    *,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array: ...
@overload
def min_pool1d(
    input: NumPyArray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
    rule: Rule = "torch",
    out: NumPyArray | None = None,
) -> tuple[NumPyArray, Indices]: ...
@overload
def min_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
    rule: Rule = "torch",
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def min_pool1d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    return_indices: bool,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array | tuple[Array, Any]: ...
def min_pool1d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array | tuple[Array, Any]:
    """Minimum of sliding windows over one spatial axis: max_pool1d in the opposite order.

    Torch has no such pool. Padding never wins, a NaN in the window does, and of several the last one's index is given;
    of equal minima the first. A window without elements is inf, or the largest integer.

    Args:
        input: (batch, channels, L) or (channels, L); floats, bfloat16, integers or bool.
        kernel_size: size of the window, a number.
        stride: step of the window, a number; kernel_size by default.
        padding: elements added on both sides, a number, at most half of kernel_size; or a (before, after)
            pair for each axis, "valid", "same" or "same_lower" (as in a convolution).
        dilation: distance of neighbouring elements of a window, a number.
        ceil_mode: also take a last window that hangs over the end, if it starts in the input or in the padding
            before it.
        return_indices: also return the position of each minimum.
        rule: whose rules decide sizes, windows without elements, NaN, and what indices count; see `convrs.rules`.
        out: array that receives the values: their shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, L_out) in the input's dtype, without the batch if the input has none; with
        return_indices a pair of it and the int64 indices. Each size is floor or ceil((input + 2 * padding -
        dilation * (kernel_size - 1) - 1) / stride) + 1.

    Raises:
        ValueError: a value is out of range, or the window is larger than the padded input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        The rules are those of https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool1d.html

    Example:
        >>> import numpy as np
        >>> signal = np.array([[[1, 5, 2, 4, 3]]], np.float32)
        >>> min_pool1d(signal, 2)
        array([[[1., 2.]]], dtype=float32)
        >>> min_pool1d(signal, 2, ceil_mode=True)
        array([[[1., 2., 3.]]], dtype=float32)
        >>> min_pool1d(signal, 3, stride=1, return_indices=True)[1]
        array([[[0, 2, 2]]])
    """
    if type(input) is PLAIN.get():
        return _convrs.max_pool(
            1, True, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices, rule, out
        )
    return backends.call(
        min_pool1d,
        input,
        {"out": out},
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
        return_indices=return_indices,
        rule=rule,
    )


@overload
def min_pool2d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    *,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array: ...
@overload
def min_pool2d(
    input: NumPyArray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
    rule: Rule = "torch",
    out: NumPyArray | None = None,
) -> tuple[NumPyArray, Indices]: ...
@overload
def min_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
    rule: Rule = "torch",
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def min_pool2d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    return_indices: bool,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array | tuple[Array, Any]: ...
def min_pool2d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array | tuple[Array, Any]:
    """Minimum of sliding windows over two spatial axes: max_pool2d in the opposite order.

    Torch has no such pool. Padding never wins, a NaN in the window does, and of several the last one's index is given;
    of equal minima the first. A window without elements is inf, or the largest integer.

    Args:
        input: (batch, channels, H, W) or (channels, H, W); floats, bfloat16, integers or bool.
        kernel_size: size of the window, a number or (h, w).
        stride: step of the window, a number or (h, w); kernel_size by default.
        padding: elements added on both sides, a number or (h, w), at most half of kernel_size; or a (before, after)
            pair for each axis, "valid", "same" or "same_lower" (as in a convolution).
        dilation: distance of neighbouring elements of a window, a number or (h, w).
        ceil_mode: also take a last window that hangs over the end, if it starts in the input or in the padding
            before it.
        return_indices: also return where in its plane each minimum lies, counted in C order.
        rule: whose rules decide sizes, windows without elements, NaN, and what indices count; see `convrs.rules`.
        out: array that receives the values: their shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, H_out, W_out) in the input's dtype, without the batch if the input has none; with
        return_indices a pair of it and the int64 indices. Each size is floor or ceil((input + 2 * padding -
        dilation * (kernel_size - 1) - 1) / stride) + 1.

    Raises:
        ValueError: a value is out of range, or the window is larger than the padded input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        The rules are those of https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html

    Example:
        >>> import numpy as np
        >>> image = np.arange(20, dtype=np.float32).reshape(1, 1, 4, 5)
        >>> min_pool2d(image, 2)[0, 0]
        array([[ 0.,  2.],
               [10., 12.]], dtype=float32)
        >>> min_pool2d(image, 2, ceil_mode=True)[0, 0]
        array([[ 0.,  2.,  4.],
               [10., 12., 14.]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.max_pool(
            2, True, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices, rule, out
        )
    return backends.call(
        min_pool2d,
        input,
        {"out": out},
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
        return_indices=return_indices,
        rule=rule,
    )


@overload
def min_pool3d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    *,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array: ...
@overload
def min_pool3d(
    input: NumPyArray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
    rule: Rule = "torch",
    out: NumPyArray | None = None,
) -> tuple[NumPyArray, Indices]: ...
@overload
def min_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
    rule: Rule = "torch",
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def min_pool3d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    return_indices: bool,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array | tuple[Array, Any]: ...
def min_pool3d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array | tuple[Array, Any]:
    """Minimum of sliding windows over three spatial axes: max_pool3d in the opposite order.

    Torch has no such pool. Padding never wins, a NaN in the window does, and of several the last one's index is given;
    of equal minima the first. A window without elements is inf, or the largest integer.

    Args:
        input: (batch, channels, D, H, W) or (channels, D, H, W); floats, bfloat16, integers or bool.
        kernel_size: size of the window, a number or (d, h, w).
        stride: step of the window, a number or (d, h, w); kernel_size by default.
        padding: elements added on both sides, a number or (d, h, w), at most half of kernel_size; or a (before, after)
            pair for each axis, "valid", "same" or "same_lower" (as in a convolution).
        dilation: distance of neighbouring elements of a window, a number or (d, h, w).
        ceil_mode: also take a last window that hangs over the end, if it starts in the input or in the padding
            before it.
        return_indices: also return where in its plane each minimum lies, counted in C order.
        rule: whose rules decide sizes, windows without elements, NaN, and what indices count; see `convrs.rules`.
        out: array that receives the values: their shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, D_out, H_out, W_out) in the input's dtype, without the batch if the input has none;
        with return_indices a pair of it and the int64 indices. Each size is floor or ceil((input + 2 *
        padding - dilation * (kernel_size - 1) - 1) / stride) + 1.

    Raises:
        ValueError: a value is out of range, or the window is larger than the padded input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        The rules are those of https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool3d.html

    Example:
        >>> import numpy as np
        >>> volume = np.arange(27, dtype=np.float32).reshape(1, 1, 3, 3, 3)
        >>> min_pool3d(volume, 2, stride=1)[0, 0, 0]
        array([[0., 1.],
               [3., 4.]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.max_pool(
            3, True, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices, rule, out
        )
    return backends.call(
        min_pool3d,
        input,
        {"out": out},
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
        return_indices=return_indices,
        rule=rule,
    )
