"""Inverses of the maximum pools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from numpy import ndarray
from numpy.typing import NDArray

from .. import _convrs, backends
from ..backends.choice import PLAIN
from .arguments import Array, Padding, Size

if TYPE_CHECKING:
    from ..backends.torch import Tensor

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]


def max_unpool1d(
    input: Array,
    indices: NDArray[Any] | Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    output_size: Sequence[int] | None = None,
    *,
    rule: Literal["torch", "onnx"] = "torch",
    out: Array | None = None,
) -> Array:
    """Values back at their indices, zeros elsewhere: a partial inverse of max_pool1d; torch.nn.functional.max_unpool1d.

    Where an index is given twice the later value stays.

    Args:
        input: (batch, channels, L) or (channels, L), the values of max_pool1d; any dtype.
        indices: int64, of the input's shape: positions in the output's plane, counted in C order.
        kernel_size: size of the window, a number.
        stride: step of the window, a number; kernel_size by default.
        padding: the padding of the pool, a number.
        output_size: the size of the plane, or the whole shape, where the pool left elements over: each within a
            stride of the size below.
        rule: "onnx" counts indices over the whole array, as if the planes had the size that follows without
            output_size, which must not be smaller; its padding may be (before, after) pairs.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, L_out) in the input's dtype, without the batch if the input has none. Each size is
        (input - 1) * stride - 2 * padding + kernel_size unless output_size gives it.

    Raises:
        ValueError: an index lies outside the plane, shapes differ, or a value is out of range.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool1d.html

    Example:
        >>> import numpy as np
        >>> from convrs import max_pool1d
        >>> signal = np.array([[[1, 5, 2, 4]]], np.float32)
        >>> values, indices = max_pool1d(signal, 2, return_indices=True)
        >>> max_unpool1d(values, indices, 2)
        array([[[0., 5., 0., 4.]]], dtype=float32)
    """
    if type(input) is PLAIN.get() and type(indices) is ndarray:
        return _convrs.max_unpool(1, input, indices, kernel_size, stride, padding, output_size, rule, out)
    return backends.call(
        max_unpool1d,
        input,
        {"indices": indices, "out": out},
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        output_size=output_size,
        rule=rule,
    )


def max_unpool2d(
    input: Array,
    indices: NDArray[Any] | Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    output_size: Sequence[int] | None = None,
    *,
    rule: Literal["torch", "onnx"] = "torch",
    out: Array | None = None,
) -> Array:
    """Values back at their indices, zeros elsewhere: a partial inverse of max_pool2d; torch.nn.functional.max_unpool2d.

    Where an index is given twice the later value stays.

    Args:
        input: (batch, channels, H, W) or (channels, H, W), the values of max_pool2d; any dtype.
        indices: int64, of the input's shape: positions in the output's plane, counted in C order.
        kernel_size: size of the window, a number or (h, w).
        stride: step of the window, a number or (h, w); kernel_size by default.
        padding: the padding of the pool, a number or (h, w).
        output_size: the sizes of the plane, or the whole shape, where the pool left elements over: each within
            a stride of the size below.
        rule: "onnx" counts indices over the whole array, as if the planes had the size that follows without
            output_size, which must not be smaller; its padding may be (before, after) pairs.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, H_out, W_out) in the input's dtype, without the batch if the input has none. Each size
        is (input - 1) * stride - 2 * padding + kernel_size unless output_size gives it.

    Raises:
        ValueError: an index lies outside the plane, shapes differ, or a value is out of range.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool2d.html

    Example:
        >>> import numpy as np
        >>> from convrs import max_pool2d
        >>> image = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
        >>> values, indices = max_pool2d(image, 2, return_indices=True)
        >>> max_unpool2d(values, indices, 2)[0, 0]
        array([[ 0.,  0.,  0.,  0.],
               [ 0.,  5.,  0.,  7.],
               [ 0.,  0.,  0.,  0.],
               [ 0., 13.,  0., 15.]], dtype=float32)
    """
    if type(input) is PLAIN.get() and type(indices) is ndarray:
        return _convrs.max_unpool(2, input, indices, kernel_size, stride, padding, output_size, rule, out)
    return backends.call(
        max_unpool2d,
        input,
        {"indices": indices, "out": out},
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        output_size=output_size,
        rule=rule,
    )


def max_unpool3d(
    input: Array,
    indices: NDArray[Any] | Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    output_size: Sequence[int] | None = None,
    *,
    rule: Literal["torch", "onnx"] = "torch",
    out: Array | None = None,
) -> Array:
    """Values back at their indices, zeros elsewhere: a partial inverse of max_pool3d; torch.nn.functional.max_unpool3d.

    Where an index is given twice the later value stays.

    Args:
        input: (batch, channels, D, H, W) or (channels, D, H, W), the values of max_pool3d; any dtype.
        indices: int64, of the input's shape: positions in the output's plane, counted in C order.
        kernel_size: size of the window, a number or (d, h, w).
        stride: step of the window, a number or (d, h, w); kernel_size by default.
        padding: the padding of the pool, a number or (d, h, w).
        output_size: the sizes of the plane, or the whole shape, where the pool left elements over: each within
            a stride of the size below.
        rule: "onnx" counts indices over the whole array, as if the planes had the size that follows without
            output_size, which must not be smaller; its padding may be (before, after) pairs.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, D_out, H_out, W_out) in the input's dtype, without the batch if the input has none.
        Each size is (input - 1) * stride - 2 * padding + kernel_size unless output_size gives it.

    Raises:
        ValueError: an index lies outside the plane, shapes differ, or a value is out of range.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool3d.html

    Example:
        >>> import numpy as np
        >>> from convrs import max_pool3d
        >>> volume = np.arange(125, dtype=np.float32).reshape(1, 1, 5, 5, 5)
        >>> values, indices = max_pool3d(volume, 2, return_indices=True)
        >>> max_unpool3d(values, indices, 2, output_size=(5, 5, 5)).shape
        (1, 1, 5, 5, 5)
    """
    if type(input) is PLAIN.get() and type(indices) is ndarray:
        return _convrs.max_unpool(3, input, indices, kernel_size, stride, padding, output_size, rule, out)
    return backends.call(
        max_unpool3d,
        input,
        {"indices": indices, "out": out},
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        output_size=output_size,
        rule=rule,
    )
