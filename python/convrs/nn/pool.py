"""Pools of sliding windows as layers."""

from __future__ import annotations

from .. import functional
from ..functional.arguments import Padding, Rule, Size
from .arguments import IndexedPool, Pool

__all__ = [
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MinPool1d",
    "MinPool2d",
    "MinPool3d",
]


class _Extremum(IndexedPool):
    __slots__ = ()

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Padding = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
        *,
        rule: Rule = "torch",
    ) -> None:
        """Holds the arguments; they are checked when the layer is called.

        Args:
            kernel_size: size of the window.
            stride: step of the window; kernel_size by default.
            padding: elements added around the input, at most half of kernel_size; or what the function takes.
            dilation: distance of neighbouring elements of a window.
            return_indices: also return the position of each value.
            ceil_mode: also take a last window that hangs over the end.
            rule: whose rules decide sizes, windows without elements, NaN, and what indices count.
        """
        self._arguments = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "return_indices": return_indices,
            "ceil_mode": ceil_mode,
            "rule": rule,
        }


class MaxPool1d(_Extremum):
    """Maximum of sliding windows over one axis; torch.nn.MaxPool1d.

    Example:
        >>> import numpy as np
        >>> MaxPool1d(2)(np.array([[[1, 5, 2, 4]]], np.float32))
        array([[[5., 4.]]], dtype=float32)
    """

    __slots__ = ()
    _function = staticmethod(functional.max_pool1d)


class MaxPool2d(_Extremum):
    """Maximum of sliding windows over two axes; torch.nn.MaxPool2d.

    Example:
        >>> import numpy as np
        >>> layer = MaxPool2d(2, return_indices=True)
        >>> values, indices = layer(np.arange(16.0).reshape(1, 4, 4))
        >>> values
        array([[[ 5.,  7.],
                [13., 15.]]])
        >>> indices
        array([[[ 5,  7],
                [13, 15]]])
    """

    __slots__ = ()
    _function = staticmethod(functional.max_pool2d)


class MaxPool3d(_Extremum):
    """Maximum of sliding windows over three axes; torch.nn.MaxPool3d.

    Example:
        >>> import numpy as np
        >>> MaxPool3d(2)(np.arange(8.0).reshape(1, 2, 2, 2))
        array([[[[7.]]]])
    """

    __slots__ = ()
    _function = staticmethod(functional.max_pool3d)


class MinPool1d(_Extremum):
    """Minimum of sliding windows over one axis.

    Example:
        >>> import numpy as np
        >>> MinPool1d(2)(np.array([[[1, 5, 2, 4]]], np.float32))
        array([[[1., 2.]]], dtype=float32)
    """

    __slots__ = ()
    _function = staticmethod(functional.min_pool1d)


class MinPool2d(_Extremum):
    """Minimum of sliding windows over two axes.

    Example:
        >>> import numpy as np
        >>> MinPool2d(2)(np.arange(16.0).reshape(1, 4, 4))
        array([[[ 0.,  2.],
                [ 8., 10.]]])
    """

    __slots__ = ()
    _function = staticmethod(functional.min_pool2d)


class MinPool3d(_Extremum):
    """Minimum of sliding windows over three axes.

    Example:
        >>> import numpy as np
        >>> MinPool3d(2)(np.arange(8.0).reshape(1, 2, 2, 2))
        array([[[[0.]]]])
    """

    __slots__ = ()
    _function = staticmethod(functional.min_pool3d)


class AvgPool1d(Pool):
    """Mean of sliding windows over one axis; torch.nn.AvgPool1d.

    Example:
        >>> import numpy as np
        >>> AvgPool1d(2)(np.array([[[1, 5, 2, 4]]], np.float32))
        array([[[3., 3.]]], dtype=float32)
    """

    __slots__ = ()
    _function = staticmethod(functional.avg_pool1d)

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        *,
        dilation: Size = 1,
        rule: Rule = "torch",
    ) -> None:
        """Holds the arguments; they are checked when the layer is called.

        Args:
            kernel_size: size of the window.
            stride: step of the window; kernel_size by default.
            padding: zeros added around the input, at most half of kernel_size; or what the function takes.
            ceil_mode: also take a last window that hangs over the end.
            count_include_pad: whether the divisor counts the padding.
            dilation: distance of neighbouring elements of a window.
            rule: whose rules decide sizes and divisors.
        """
        self._arguments = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad,
            "dilation": dilation,
            "rule": rule,
        }


class _Average(Pool):
    __slots__ = ()

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        dilation: Size = 1,
        rule: Rule = "torch",
    ) -> None:
        """Holds the arguments; they are checked when the layer is called.

        Args:
            kernel_size: size of the window.
            stride: step of the window; kernel_size by default.
            padding: zeros added around the input, at most half of kernel_size; or what the function takes.
            ceil_mode: also take a last window that hangs over the end.
            count_include_pad: whether the divisor counts the padding.
            divisor_override: what sums are divided by instead.
            dilation: distance of neighbouring elements of a window.
            rule: whose rules decide sizes and divisors.
        """
        self._arguments = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad,
            "divisor_override": divisor_override,
            "dilation": dilation,
            "rule": rule,
        }


class AvgPool2d(_Average):
    """Mean of sliding windows over two axes; torch.nn.AvgPool2d.

    Example:
        >>> import numpy as np
        >>> AvgPool2d(2)(np.arange(16.0).reshape(1, 4, 4))
        array([[[ 2.5,  4.5],
                [10.5, 12.5]]])
    """

    __slots__ = ()
    _function = staticmethod(functional.avg_pool2d)


class AvgPool3d(_Average):
    """Mean of sliding windows over three axes; torch.nn.AvgPool3d.

    Example:
        >>> import numpy as np
        >>> AvgPool3d(2)(np.arange(8.0).reshape(1, 2, 2, 2))
        array([[[[3.5]]]])
    """

    __slots__ = ()
    _function = staticmethod(functional.avg_pool3d)


class _Power(Pool):
    __slots__ = ()

    def __init__(
        self,
        norm_type: float,
        kernel_size: Size,
        stride: Size | None = None,
        ceil_mode: bool = False,
        *,
        padding: Padding = 0,
        dilation: Size = 1,
        rule: Rule = "torch",
    ) -> None:
        """Holds the arguments; they are checked when the layer is called.

        Args:
            norm_type: the power, not 0.
            kernel_size: size of the window.
            stride: step of the window; kernel_size by default.
            ceil_mode: also take a last window that hangs over the end.
            padding: zeros added around the input, at most half of kernel_size; or what the function takes.
            dilation: distance of neighbouring elements of a window.
            rule: whose rules decide sizes and powers.
        """
        self._arguments = {
            "norm_type": norm_type,
            "kernel_size": kernel_size,
            "stride": stride,
            "ceil_mode": ceil_mode,
            "padding": padding,
            "dilation": dilation,
            "rule": rule,
        }


class LPPool1d(_Power):
    """Power mean of sliding windows over one axis; torch.nn.LPPool1d.

    Example:
        >>> import numpy as np
        >>> LPPool1d(2, 2)(np.array([[[3, 4, 6, 8]]], np.float32))
        array([[[ 5., 10.]]], dtype=float32)
    """

    __slots__ = ()
    _function = staticmethod(functional.lp_pool1d)


class LPPool2d(_Power):
    """Power mean of sliding windows over two axes; torch.nn.LPPool2d.

    Example:
        >>> import numpy as np
        >>> LPPool2d(1, 2)(np.ones((1, 2, 4)))
        array([[[4., 4.]]])
    """

    __slots__ = ()
    _function = staticmethod(functional.lp_pool2d)


class LPPool3d(_Power):
    """Power mean of sliding windows over three axes; torch.nn.LPPool3d.

    Example:
        >>> import numpy as np
        >>> LPPool3d(1, 2)(np.ones((1, 2, 2, 2)))
        array([[[[8.]]]])
    """

    __slots__ = ()
    _function = staticmethod(functional.lp_pool3d)
