"""Convolutions and transposed convolutions."""

from __future__ import annotations

from numpy import ndarray

from .. import _convrs, backends
from ..backends.choice import PLAIN
from .arguments import Algorithm, Array, Padding, PaddingMode, Size

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


def conv1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    *,
    padding_mode: PaddingMode = "zeros",
    algorithm: Algorithm = "direct",
    out: Array | None = None,
) -> Array:
    """Convolution (cross-correlation, as in torch) over one spatial axis; torch.nn.functional.conv1d.

    One element is ``bias[o] + sum(weight[o, c, k] * input[b, c, at * stride + k * dilation - padding])`` over
    the input channels c of its group and the kernel positions k. float16 and bfloat16 are summed in
    float32; integers wrap around as torch's.

    Args:
        input: (batch, in_channels, L) or (in_channels, L); floats, bfloat16, integers, bool or complex.
        weight: (out_channels, in_channels / groups, kL), of the same dtype.
        bias: (out_channels,), of the same dtype.
        stride: step of the kernel, a number.
        padding: elements added on both sides, a number; or ((before, after), ...), one pair an axis; or "valid"
            (none); or "same": the output size is ceil(input / stride), and an odd element of padding goes
            after ("same_lower": before). Torch knows "same" with stride 1 only.
        dilation: distance of neighbouring taps, a number.
        groups: blocks of channels that do not see each other; it divides both channel counts.
        padding_mode: what the padding holds: "zeros", "reflect", "replicate" or "circular".
        algorithm: "direct", or one of a planned layer (see `convrs.nn`), planned for this call alone.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, out_channels, L_out), without the batch if the input has none, in the input's dtype. Each size
        is floor((input + before + after - dilation * (kernel - 1) - 1) / stride) + 1.

    Raises:
        ValueError: shapes do not fit, the kernel is larger than the padded input, or a value is out of range.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.

    Example:
        >>> import numpy as np
        >>> signal = np.arange(6, dtype=np.float32).reshape(1, 1, 6)
        >>> taps = np.array([[[0.5, 0.25, 0.25]]], np.float32)
        >>> conv1d(signal, taps)
        array([[[0.75, 1.75, 2.75, 3.75]]], dtype=float32)
        >>> conv1d(signal, taps, padding="same", stride=2)
        array([[[0.75, 2.75, 3.25]]], dtype=float32)
    """
    if type(input) is PLAIN.get() and type(weight) is ndarray and (bias is None or type(bias) is ndarray):
        return _convrs.conv(1, input, weight, bias, stride, padding, dilation, groups, padding_mode, algorithm, out)
    return backends.call(
        conv1d,
        input,
        {"weight": weight, "bias": bias, "out": out},
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        algorithm=algorithm,
    )


def conv2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    *,
    padding_mode: PaddingMode = "zeros",
    algorithm: Algorithm = "direct",
    out: Array | None = None,
) -> Array:
    """Convolution (cross-correlation, as in torch) over two spatial axes; torch.nn.functional.conv2d.

    One element is ``bias[o] + sum(weight[o, c, k] * input[b, c, at * stride + k * dilation - padding])`` over
    the input channels c of its group and the kernel positions k; at and k have a number for each axis.
    float16 and bfloat16 are summed in float32; integers wrap around as torch's.

    Args:
        input: (batch, in_channels, H, W) or (in_channels, H, W); floats, bfloat16, integers, bool or complex.
        weight: (out_channels, in_channels / groups, kH, kW), of the same dtype.
        bias: (out_channels,), of the same dtype.
        stride: step of the kernel, a number or (h, w).
        padding: elements added on both sides, a number or (h, w); or ((before, after), ...), one pair an axis;
            or "valid" (none); or "same": the output size is ceil(input / stride), and an odd element of padding
            goes after ("same_lower": before). Torch knows "same" with stride 1 only.
        dilation: distance of neighbouring taps, a number or (h, w).
        groups: blocks of channels that do not see each other; it divides both channel counts.
        padding_mode: what the padding holds: "zeros", "reflect", "replicate" or "circular".
        algorithm: "direct", or one of a planned layer (see `convrs.nn`), planned for this call alone.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, out_channels, H_out, W_out), without the batch if the input has none, in the input's dtype. Each
        size is floor((input + before + after - dilation * (kernel - 1) - 1) / stride) + 1.

    Raises:
        ValueError: shapes do not fit, the kernel is larger than the padded input, or a value is out of range.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.

    Example:
        >>> import numpy as np
        >>> image = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
        >>> edges = np.array([[[[-1, 1]]]], np.float32)
        >>> conv2d(image, edges)[0, 0]
        array([[1., 1.],
               [1., 1.],
               [1., 1.]], dtype=float32)
        >>> conv2d(image, edges, padding=((0, 0), (1, 0)), padding_mode="replicate").shape
        (1, 1, 3, 3)
    """
    if type(input) is PLAIN.get() and type(weight) is ndarray and (bias is None or type(bias) is ndarray):
        return _convrs.conv(2, input, weight, bias, stride, padding, dilation, groups, padding_mode, algorithm, out)
    return backends.call(
        conv2d,
        input,
        {"weight": weight, "bias": bias, "out": out},
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        algorithm=algorithm,
    )


def conv3d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    *,
    padding_mode: PaddingMode = "zeros",
    algorithm: Algorithm = "direct",
    out: Array | None = None,
) -> Array:
    """Convolution (cross-correlation, as in torch) over three spatial axes; torch.nn.functional.conv3d.

    One element is ``bias[o] + sum(weight[o, c, k] * input[b, c, at * stride + k * dilation - padding])`` over
    the input channels c of its group and the kernel positions k; at and k have a number for each axis.
    float16 and bfloat16 are summed in float32; integers wrap around as torch's.

    Args:
        input: (batch, in_channels, D, H, W) or (in_channels, D, H, W); floats, bfloat16, integers, bool or
            complex.
        weight: (out_channels, in_channels / groups, kD, kH, kW), of the same dtype.
        bias: (out_channels,), of the same dtype.
        stride: step of the kernel, a number or (d, h, w).
        padding: elements added on both sides, a number or (d, h, w); or ((before, after), ...), one pair an
            axis; or "valid" (none); or "same": the output size is ceil(input / stride), and an odd element of
            padding goes after ("same_lower": before). Torch knows "same" with stride 1 only.
        dilation: distance of neighbouring taps, a number or (d, h, w).
        groups: blocks of channels that do not see each other; it divides both channel counts.
        padding_mode: what the padding holds: "zeros", "reflect", "replicate" or "circular".
        algorithm: "direct", or one of a planned layer (see `convrs.nn`), planned for this call alone.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, out_channels, D_out, H_out, W_out), without the batch if the input has none, in the input's
        dtype. Each size is floor((input + before + after - dilation * (kernel - 1) - 1) / stride) + 1.

    Raises:
        ValueError: shapes do not fit, the kernel is larger than the padded input, or a value is out of range.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.

    Example:
        >>> import numpy as np
        >>> volume = np.ones((1, 2, 4, 4, 4), np.float32)
        >>> kernel = np.ones((3, 2, 3, 3, 3), np.float32)
        >>> conv3d(volume, kernel).shape
        (1, 3, 2, 2, 2)
        >>> float(conv3d(volume, kernel)[0, 0, 0, 0, 0])
        54.0
    """
    if type(input) is PLAIN.get() and type(weight) is ndarray and (bias is None or type(bias) is ndarray):
        return _convrs.conv(3, input, weight, bias, stride, padding, dilation, groups, padding_mode, algorithm, out)
    return backends.call(
        conv3d,
        input,
        {"weight": weight, "bias": bias, "out": out},
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        algorithm=algorithm,
    )


def conv_transpose1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    *,
    out: Array | None = None,
) -> Array:
    """Transposed convolution over one spatial axis; torch.nn.functional.conv_transpose1d.

    Every input element adds ``weight * element`` to the outputs at ``position * stride - padding + k *
    dilation``: the gradient of a convolution with respect to its input.

    Args:
        input: (batch, in_channels, L) or (in_channels, L); floats, bfloat16, integers, bool or complex.
        weight: (in_channels, out_channels / groups, kL), of the same dtype.
        bias: (out_channels,), of the same dtype.
        stride: distance of the outputs of neighbouring inputs, a number.
        padding: outputs cut off on both sides, a number.
        output_padding: outputs added at the end, smaller than stride or dilation, a number.
        groups: blocks of channels that do not see each other; it divides both channel counts.
        dilation: distance of neighbouring taps, a number.
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, out_channels, L_out), without the batch if the input has none, in the input's dtype. Each size
        is (input - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1.

    Raises:
        ValueError: shapes do not fit, the output would be empty, or a value is out of range.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, chapter 4,
        arXiv:1603.07285.

    Example:
        >>> import numpy as np
        >>> signal = np.array([[[1, 2, 3]]], np.float32)
        >>> taps = np.array([[[1, 10]]], np.float32)
        >>> conv_transpose1d(signal, taps)
        array([[[ 1., 12., 23., 30.]]], dtype=float32)
        >>> conv_transpose1d(signal, taps, stride=2)
        array([[[ 1., 10.,  2., 20.,  3., 30.]]], dtype=float32)
    """
    if type(input) is PLAIN.get() and type(weight) is ndarray and (bias is None or type(bias) is ndarray):
        return _convrs.conv_transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation, out)
    return backends.call(
        conv_transpose1d,
        input,
        {"weight": weight, "bias": bias, "out": out},
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
    )


def conv_transpose2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    *,
    out: Array | None = None,
) -> Array:
    """Transposed convolution over two spatial axes; torch.nn.functional.conv_transpose2d.

    Every input element adds ``weight * element`` to the outputs at ``position * stride - padding + k *
    dilation``: the gradient of a convolution with respect to its input.

    Args:
        input: (batch, in_channels, H, W) or (in_channels, H, W); floats, bfloat16, integers, bool or complex.
        weight: (in_channels, out_channels / groups, kH, kW), of the same dtype.
        bias: (out_channels,), of the same dtype.
        stride: distance of the outputs of neighbouring inputs, a number or (h, w).
        padding: outputs cut off on both sides, a number or (h, w).
        output_padding: outputs added at the end, smaller than stride or dilation, a number or (h, w).
        groups: blocks of channels that do not see each other; it divides both channel counts.
        dilation: distance of neighbouring taps, a number or (h, w).
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, out_channels, H_out, W_out), without the batch if the input has none, in the input's dtype. Each
        size is (input - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1.

    Raises:
        ValueError: shapes do not fit, the output would be empty, or a value is out of range.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, chapter 4,
        arXiv:1603.07285.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[[1, 2]]]], np.float32)
        >>> kernel = np.array([[[[1, 10], [20, 30]]]], np.float32)
        >>> conv_transpose2d(image, kernel, stride=2)[0, 0]
        array([[ 1., 10.,  2., 20.],
               [20., 30., 40., 60.]], dtype=float32)
    """
    if type(input) is PLAIN.get() and type(weight) is ndarray and (bias is None or type(bias) is ndarray):
        return _convrs.conv_transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation, out)
    return backends.call(
        conv_transpose2d,
        input,
        {"weight": weight, "bias": bias, "out": out},
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
    )


def conv_transpose3d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    *,
    out: Array | None = None,
) -> Array:
    """Transposed convolution over three spatial axes; torch.nn.functional.conv_transpose3d.

    Every input element adds ``weight * element`` to the outputs at ``position * stride - padding + k *
    dilation``: the gradient of a convolution with respect to its input.

    Args:
        input: (batch, in_channels, D, H, W) or (in_channels, D, H, W); floats, bfloat16, integers, bool or
            complex.
        weight: (in_channels, out_channels / groups, kD, kH, kW), of the same dtype.
        bias: (out_channels,), of the same dtype.
        stride: distance of the outputs of neighbouring inputs, a number or (d, h, w).
        padding: outputs cut off on both sides, a number or (d, h, w).
        output_padding: outputs added at the end, smaller than stride or dilation, a number or (d, h, w).
        groups: blocks of channels that do not see each other; it divides both channel counts.
        dilation: distance of neighbouring taps, a number or (d, h, w).
        out: array that receives the result: its shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, out_channels, D_out, H_out, W_out), without the batch if the input has none, in the input's
        dtype. Each size is (input - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding +
        1.

    Raises:
        ValueError: shapes do not fit, the output would be empty, or a value is out of range.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, chapter 4,
        arXiv:1603.07285.

    Example:
        >>> import numpy as np
        >>> volume = np.ones((1, 2, 3, 3, 3), np.float32)
        >>> kernel = np.ones((2, 4, 2, 2, 2), np.float32)
        >>> conv_transpose3d(volume, kernel, stride=2, output_padding=1).shape
        (1, 4, 7, 7, 7)
    """
    if type(input) is PLAIN.get() and type(weight) is ndarray and (bias is None or type(bias) is ndarray):
        return _convrs.conv_transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation, out)
    return backends.call(
        conv_transpose3d,
        input,
        {"weight": weight, "bias": bias, "out": out},
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
    )
