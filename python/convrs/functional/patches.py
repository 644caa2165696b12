"""Sliding blocks."""

from __future__ import annotations

from .. import _convrs, backends
from ..backends.choice import PLAIN
from .arguments import Array, Size

__all__ = ["fold", "unfold"]


def unfold(
    input: Array,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
    *,
    out: Array | None = None,
) -> Array:
    """Sliding blocks as columns (im2col); torch.nn.functional.unfold.

    Args:
        input: (batch, channels, H, W) or (channels, H, W); any dtype.
        kernel_size: size of a block, a number or (h, w).
        dilation: distance of neighbouring elements of a block, a number or (h, w).
        padding: zeros added on both sides, a number or (h, w).
        stride: step of the blocks, a number or (h, w).
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels * kH * kW, blocks) in the input's dtype, without the batch if the input has none.
        blocks is the product over both axes of floor((input + 2 * padding - dilation * (kernel_size - 1) -
        1) / stride) + 1.

    Raises:
        ValueError: a value is out of range, or the block is larger than the padded input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.unfold.html

    Example:
        >>> import numpy as np
        >>> image = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
        >>> unfold(image, 2)[0]
        array([[0., 1., 3., 4.],
               [1., 2., 4., 5.],
               [3., 4., 6., 7.],
               [4., 5., 7., 8.]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.unfold(input, kernel_size, dilation, padding, stride, out)
    return backends.call(
        unfold,
        input,
        {"out": out},
        kernel_size=kernel_size,
        dilation=dilation,
        padding=padding,
        stride=stride,
    )


def fold(
    input: Array,
    output_size: Size,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
    *,
    out: Array | None = None,
) -> Array:
    """Sums of overlapping blocks (col2im); torch.nn.functional.fold.

    Not the inverse of unfold: elements that several blocks cover are added up.

    Args:
        input: (batch, channels * kH * kW, blocks) or (channels * kH * kW, blocks); any dtype.
        output_size: size of the image, a number or (h, w).
        kernel_size: size of a block, a number or (h, w).
        dilation: distance of neighbouring elements of a block, a number or (h, w).
        padding: elements cut off on both sides, a number or (h, w).
        stride: step of the blocks, a number or (h, w).
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, H, W) in the input's dtype, without the batch if the input has none.

    Raises:
        ValueError: a value is out of range, or the number of blocks is not the one of output_size.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.fold.html

    Example:
        >>> import numpy as np
        >>> blocks = np.ones((1, 4, 4), np.float32)
        >>> fold(blocks, 3, 2)[0, 0]
        array([[1., 2., 1.],
               [2., 4., 2.],
               [1., 2., 1.]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.fold(input, output_size, kernel_size, dilation, padding, stride, out)
    return backends.call(
        fold,
        input,
        {"out": out},
        output_size=output_size,
        kernel_size=kernel_size,
        dilation=dilation,
        padding=padding,
        stride=stride,
    )
