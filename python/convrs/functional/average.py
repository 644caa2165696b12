"""Averages and power sums."""

from __future__ import annotations

from .. import _convrs, backends
from ..backends.choice import PLAIN
from .arguments import Array, Padding, Rule, Size

__all__ = ["avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d"]


def avg_pool1d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    dilation: Size = 1,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array:
    """Mean of sliding windows over one spatial axis; torch.nn.functional.avg_pool1d.

    Each window is cut to the padded input; its sum is divided by the number of its elements, and by those
    inside the input alone where count_include_pad is off. float16 and bfloat16 are summed in float32.
    Integers, which torch takes in part only, are summed in 64 bits and the quotient is rounded toward zero.

    Args:
        input: (batch, channels, L) or (channels, L); floats, bfloat16, integers, bool or complex.
        kernel_size: size of the window, a number.
        stride: step of the window, a number; kernel_size by default.
        padding: zeros added on both sides, a number, at most half of kernel_size; or a (before, after)
            pair for each axis, "valid", "same" or "same_lower" (as in a convolution).
        ceil_mode: also take a last window that hangs over the end, if it starts in the input or in the padding
            before it.
        count_include_pad: whether padding counts in the divisor; what hangs over the padding never does.
        dilation: distance of neighbouring elements of a window, a number.
        rule: whose rules decide sizes and divisors; see `convrs.rules`.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, L_out) in the input's dtype, without the batch if the input has none. Each size is
        floor or ceil((input + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1.

    Raises:
        ValueError: a value is out of range, or the window is larger than the padded input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool1d.html

    Example:
        >>> import numpy as np
        >>> signal = np.array([[[1, 2, 3, 4, 5]]], np.float32)
        >>> avg_pool1d(signal, 2)
        array([[[1.5, 3.5]]], dtype=float32)
        >>> avg_pool1d(signal, 2, ceil_mode=True)
        array([[[1.5, 3.5, 5. ]]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.avg_pool(
            1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None, dilation, rule, out
        )
    return backends.call(
        avg_pool1d,
        input,
        {"out": out},
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        dilation=dilation,
        rule=rule,
    )


def avg_pool2d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Size = 1,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array:
    """Mean of sliding windows over two spatial axes; torch.nn.functional.avg_pool2d.

    Each window is cut to the padded input; its sum is divided by the number of its elements, and by those
    inside the input alone where count_include_pad is off. float16 and bfloat16 are summed in float32.
    Integers, which torch takes in part only, are summed in 64 bits and the quotient is rounded toward zero.

    Args:
        input: (batch, channels, H, W) or (channels, H, W); floats, bfloat16, integers, bool or complex.
        kernel_size: size of the window, a number or (h, w).
        stride: step of the window, a number or (h, w); kernel_size by default.
        padding: zeros added on both sides, a number or (h, w), at most half of kernel_size; or a (before, after)
            pair for each axis, "valid", "same" or "same_lower" (as in a convolution).
        ceil_mode: also take a last window that hangs over the end, if it starts in the input or in the padding
            before it.
        count_include_pad: whether padding counts in the divisor; what hangs over the padding never does.
        divisor_override: the divisor of every window.
        dilation: distance of neighbouring elements of a window, a number or (h, w).
        rule: whose rules decide sizes and divisors; see `convrs.rules`.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, H_out, W_out) in the input's dtype, without the batch if the input has none. Each size
        is floor or ceil((input + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1.

    Raises:
        ValueError: a value is out of range, or the window is larger than the padded input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html

    Example:
        >>> import numpy as np
        >>> image = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
        >>> avg_pool2d(image, 2)[0, 0]
        array([[ 3.5,  5.5],
               [11.5, 13.5]], dtype=float32)
        >>> avg_pool2d(image, 3, stride=2, padding=1, ceil_mode=True)[0, 0, 1]
        array([ 6.3333335, 11.       ,  6.       ], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.avg_pool(
            2,
            input,
            kernel_size,
            stride,
            padding,
            ceil_mode,
            count_include_pad,
            divisor_override,
            dilation,
            rule,
            out,
        )
    return backends.call(
        avg_pool2d,
        input,
        {"out": out},
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        divisor_override=divisor_override,
        dilation=dilation,
        rule=rule,
    )


def avg_pool3d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Size = 1,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array:
    """Mean of sliding windows over three spatial axes; torch.nn.functional.avg_pool3d.

    Each window is cut to the padded input; its sum is divided by the number of its elements, and by those
    inside the input alone where count_include_pad is off. float16 and bfloat16 are summed in float32.
    Integers, which torch takes in part only, are summed in 64 bits and the quotient is rounded toward zero.

    Args:
        input: (batch, channels, D, H, W) or (channels, D, H, W); floats, bfloat16, integers, bool or complex.
        kernel_size: size of the window, a number or (d, h, w).
        stride: step of the window, a number or (d, h, w); kernel_size by default.
        padding: zeros added on both sides, a number or (d, h, w), at most half of kernel_size; or a (before, after)
            pair for each axis, "valid", "same" or "same_lower" (as in a convolution).
        ceil_mode: also take a last window that hangs over the end, if it starts in the input or in the padding
            before it.
        count_include_pad: whether padding counts in the divisor; what hangs over the padding never does.
        divisor_override: the divisor of every window.
        dilation: distance of neighbouring elements of a window, a number or (d, h, w).
        rule: whose rules decide sizes and divisors; see `convrs.rules`.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, D_out, H_out, W_out) in the input's dtype, without the batch if the input has none.
        Each size is floor or ceil((input + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1.

    Raises:
        ValueError: a value is out of range, or the window is larger than the padded input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool3d.html

    Example:
        >>> import numpy as np
        >>> volume = np.arange(8, dtype=np.float32).reshape(1, 1, 2, 2, 2)
        >>> avg_pool3d(volume, 2)
        array([[[[[3.5]]]]], dtype=float32)
        >>> avg_pool3d(volume, 2, divisor_override=1)
        array([[[[[28.]]]]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.avg_pool(
            3,
            input,
            kernel_size,
            stride,
            padding,
            ceil_mode,
            count_include_pad,
            divisor_override,
            dilation,
            rule,
            out,
        )
    return backends.call(
        avg_pool3d,
        input,
        {"out": out},
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        divisor_override=divisor_override,
        dilation=dilation,
        rule=rule,
    )


def lp_pool1d(
    input: Array,
    norm_type: float,
    kernel_size: int,
    stride: Size | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Size = 1,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array:
    """Power sum (sum of x^p)^(1/p) of sliding windows over one spatial axis; torch.nn.functional.lp_pool1d.

    As in torch, x^p is taken of x, not of |x|: a negative sum gives NaN. In ceil mode a cut-off window counts
    as if it were full: the mean of its powers times the number of elements of a window. norm_type inf is
    the maximum of |x| (0 of no elements), -inf the minimum. Powers of integers are taken in float32 and give float32.

    Args:
        input: (batch, channels, L) or (channels, L); floats, bfloat16, integers or bool.
        norm_type: p, not 0.
        kernel_size: size of the window, a number.
        stride: step of the window, a number; kernel_size by default.
        ceil_mode: also take a last window that hangs over the end.
        padding: elements added on both sides that take no part, a number; or as in avg_pool1d.
        dilation: distance of neighbouring elements of a window, a number.
        rule: whose rules decide sizes and powers: all but torch's take |x| and the plain sum; see `convrs.rules`.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, L_out) in the input's dtype, without the batch if the input has none. Each size is
        floor or ceil((input + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1.

    Raises:
        ValueError: norm_type is 0, a value is out of range, or the window is larger than the input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool1d.html

    Example:
        >>> import numpy as np
        >>> signal = np.array([[[3, 4, 6, 8]]], np.float32)
        >>> lp_pool1d(signal, 2, 2)
        array([[[ 5., 10.]]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode, padding, dilation, rule, out)
    return backends.call(
        lp_pool1d,
        input,
        {"out": out},
        norm_type=norm_type,
        kernel_size=kernel_size,
        stride=stride,
        ceil_mode=ceil_mode,
        padding=padding,
        dilation=dilation,
        rule=rule,
    )


def lp_pool2d(
    input: Array,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Size = 1,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array:
    """Power sum (sum of x^p)^(1/p) of sliding windows over two spatial axes; torch.nn.functional.lp_pool2d.

    As in torch, x^p is taken of x, not of |x|: a negative sum gives NaN. In ceil mode a cut-off window counts
    as if it were full: the mean of its powers times the number of elements of a window. norm_type inf is
    the maximum of |x| (0 of no elements), -inf the minimum. Powers of integers are taken in float32 and give float32.

    Args:
        input: (batch, channels, H, W) or (channels, H, W); floats, bfloat16, integers or bool.
        norm_type: p, not 0.
        kernel_size: size of the window, a number or (h, w).
        stride: step of the window, a number or (h, w); kernel_size by default.
        ceil_mode: also take a last window that hangs over the end.
        padding: elements added on both sides that take no part, a number or (h, w); or as in avg_pool2d.
        dilation: distance of neighbouring elements of a window, a number or (h, w).
        rule: whose rules decide sizes and powers: all but torch's take |x| and the plain sum; see `convrs.rules`.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, H_out, W_out) in the input's dtype, without the batch if the input has none. Each size
        is floor or ceil((input + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1.

    Raises:
        ValueError: norm_type is 0, a value is out of range, or the window is larger than the input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool2d.html

    Example:
        >>> import numpy as np
        >>> image = np.full((1, 1, 4, 4), 2, np.float32)
        >>> lp_pool2d(image, 2, 2)[0, 0]
        array([[4., 4.],
               [4., 4.]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode, padding, dilation, rule, out)
    return backends.call(
        lp_pool2d,
        input,
        {"out": out},
        norm_type=norm_type,
        kernel_size=kernel_size,
        stride=stride,
        ceil_mode=ceil_mode,
        padding=padding,
        dilation=dilation,
        rule=rule,
    )


def lp_pool3d(
    input: Array,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Size = 1,
    rule: Rule = "torch",
    out: Array | None = None,
) -> Array:
    """Power sum (sum of x^p)^(1/p) of sliding windows over three spatial axes; torch.nn.functional.lp_pool3d.

    As in torch, x^p is taken of x, not of |x|: a negative sum gives NaN. In ceil mode a cut-off window counts
    as if it were full: the mean of its powers times the number of elements of a window. norm_type inf is
    the maximum of |x| (0 of no elements), -inf the minimum. Powers of integers are taken in float32 and give float32.

    Args:
        input: (batch, channels, D, H, W) or (channels, D, H, W); floats, bfloat16, integers or bool.
        norm_type: p, not 0.
        kernel_size: size of the window, a number or (d, h, w).
        stride: step of the window, a number or (d, h, w); kernel_size by default.
        ceil_mode: also take a last window that hangs over the end.
        padding: elements added on both sides that take no part, a number or (d, h, w); or as in avg_pool3d.
        dilation: distance of neighbouring elements of a window, a number or (d, h, w).
        rule: whose rules decide sizes and powers: all but torch's take |x| and the plain sum; see `convrs.rules`.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, D_out, H_out, W_out) in the input's dtype, without the batch if the input has none.
        Each size is floor or ceil((input + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1.

    Raises:
        ValueError: norm_type is 0, a value is out of range, or the window is larger than the input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool3d.html

    Example:
        >>> import numpy as np
        >>> volume = np.ones((1, 1, 2, 2, 2), np.float32)
        >>> lp_pool3d(volume, 1, 2)
        array([[[[[8.]]]]], dtype=float32)
    """
    if type(input) is PLAIN.get():
        return _convrs.lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode, padding, dilation, rule, out)
    return backends.call(
        lp_pool3d,
        input,
        {"out": out},
        norm_type=norm_type,
        kernel_size=kernel_size,
        stride=stride,
        ceil_mode=ceil_mode,
        padding=padding,
        dilation=dilation,
        rule=rule,
    )
