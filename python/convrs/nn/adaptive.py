"""Pools to a wanted size as layers."""

from __future__ import annotations

from .. import functional
from ..functional.arguments import AdaptiveSize, Size
from .arguments import IndexedPool, Pool

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
]


class AdaptiveAvgPool1d(Pool):
    """Mean over so many windows of one axis as outputs are wanted; torch.nn.AdaptiveAvgPool1d.

    Example:
        >>> import numpy as np
        >>> AdaptiveAvgPool1d(2)(np.array([[[1, 5, 2, 4]]], np.float32))
        array([[[3., 3.]]], dtype=float32)
    """

    __slots__ = ()
    _function = staticmethod(functional.adaptive_avg_pool1d)

    def __init__(self, output_size: Size) -> None:
        """Holds the argument; it is checked when the layer is called."""
        self._arguments = {"output_size": output_size}


class _AdaptiveAverage(Pool):
    __slots__ = ()

    def __init__(self, output_size: AdaptiveSize) -> None:
        """Holds the argument, in which None keeps the input's size; it is checked when the layer is called."""
        self._arguments = {"output_size": output_size}


class AdaptiveAvgPool2d(_AdaptiveAverage):
    """Mean over so many windows of two axes as outputs are wanted; torch.nn.AdaptiveAvgPool2d.

    Example:
        >>> import numpy as np
        >>> AdaptiveAvgPool2d(1)(np.arange(16.0).reshape(1, 4, 4))
        array([[[7.5]]])
    """

    __slots__ = ()
    _function = staticmethod(functional.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAverage):
    """Mean over so many windows of three axes as outputs are wanted; torch.nn.AdaptiveAvgPool3d.

    Example:
        >>> import numpy as np
        >>> AdaptiveAvgPool3d((None, 1, 1))(np.arange(8.0).reshape(1, 2, 2, 2))
        array([[[[1.5]],
        <BLANKLINE>
                [[5.5]]]])
    """

    __slots__ = ()
    _function = staticmethod(functional.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(IndexedPool):
    """Maximum over so many windows of one axis as outputs are wanted; torch.nn.AdaptiveMaxPool1d.

    Example:
        >>> import numpy as np
        >>> AdaptiveMaxPool1d(2)(np.array([[[1, 5, 2, 4]]], np.float32))
        array([[[5., 4.]]], dtype=float32)
    """

    __slots__ = ()
    _function = staticmethod(functional.adaptive_max_pool1d)

    def __init__(self, output_size: Size, return_indices: bool = False) -> None:
        """Holds the arguments; they are checked when the layer is called."""
        self._arguments = {"output_size": output_size, "return_indices": return_indices}


class _AdaptiveMaximum(IndexedPool):
    __slots__ = ()

    def __init__(self, output_size: AdaptiveSize, return_indices: bool = False) -> None:
        """Holds the arguments, in which None keeps the input's size; they are checked when the layer is called."""
        self._arguments = {"output_size": output_size, "return_indices": return_indices}


class AdaptiveMaxPool2d(_AdaptiveMaximum):
    """Maximum over so many windows of two axes as outputs are wanted; torch.nn.AdaptiveMaxPool2d.

    Example:
        >>> import numpy as np
        >>> values, indices = AdaptiveMaxPool2d(1, return_indices=True)(np.arange(16.0).reshape(1, 4, 4))
        >>> values.item(), indices.item()
        (15.0, 15)
    """

    __slots__ = ()
    _function = staticmethod(functional.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaximum):
    """Maximum over so many windows of three axes as outputs are wanted; torch.nn.AdaptiveMaxPool3d.

    Example:
        >>> import numpy as np
        >>> AdaptiveMaxPool3d(1)(np.arange(8.0).reshape(1, 2, 2, 2))
        array([[[[7.]]]])
    """

    __slots__ = ()
    _function = staticmethod(functional.adaptive_max_pool3d)
