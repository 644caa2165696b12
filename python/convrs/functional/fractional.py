"""Fractional maximum pools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy import ndarray
from numpy.typing import NDArray

from .. import _convrs, backends
from ..backends.choice import PLAIN
from .arguments import Array, Indices, NumPyArray, Size

if TYPE_CHECKING:
    from ..backends.torch import Tensor

__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]


@overload
def fractional_max_pool2d(
    input: Array,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: Literal[False] = False,
    _random_samples: Array | None = None,
    *,
    out: Array | None = None,
) -> Array: ...
@overload
def fractional_max_pool2d(
    input: NumPyArray,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    *,
    return_indices: Literal[True],
    _random_samples: NumPyArray | None = None,
    out: NumPyArray | None = None,
) -> tuple[NumPyArray, Indices]: ...
@overload
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    *,
    return_indices: Literal[True],
    _random_samples: Tensor | None = None,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def fractional_max_pool2d(
    input: Array,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    *,
    return_indices: bool,
    _random_samples: Array | None = None,
    out: Array | None = None,
) -> Array | tuple[Array, Any]: ...
def fractional_max_pool2d(
    input: Array,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Array | None = None,
    *,
    out: Array | None = None,
) -> Array | tuple[Array, Any]:
    """Maximum of windows at pseudo-random distances over two spatial axes; torch.nn.functional.fractional_max_pool2d.

    With sample u in [0, 1) and a = (input - kernel_size) / (output - 1), window i starts at floor((i + u) * a)
    - floor(u * a); the last one ends at the end of the input. As in torch this is computed in the precision
    of the input's dtype. A NaN wins, and of several the last one's index is given; of equal maxima the
    first.

    Args:
        input: (batch, channels, H, W) or (channels, H, W); floats, bfloat16, integers or bool.
        kernel_size: size of the window, a number or (h, w).
        output_size: size of the output, a number or (h, w); either it or output_ratio is needed.
        output_ratio: output size over input size, in (0, 1); the output size is rounded down.
        return_indices: also return where in its plane each maximum lies, counted in C order.
        _random_samples: (batch, channels, 2) numbers in [0, 1) of the input's dtype, one an axis in the order
            (W, H); batch is 1 for an input without one. By default they are drawn afresh in every call: for
            NumPy arrays from NumPy's global generator (numpy.random.seed), for torch tensors from torch's
            (torch.manual_seed).
        out: array that receives the values: their shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, H_out, W_out) in the input's dtype, without the batch if the input has none; with
        return_indices a pair of it and the int64 indices.

    Raises:
        ValueError: a value is out of range, or output_size + kernel_size - 1 is larger than the input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        B. Graham, Fractional Max-Pooling, arXiv:1412.6071.

    Example:
        >>> import numpy as np
        >>> image = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
        >>> samples = np.array([[[0.25, 0.75]]], np.float32)
        >>> fractional_max_pool2d(image, 2, output_size=3, _random_samples=samples)[0, 0]
        array([[ 6.,  7.,  9.],
               [11., 12., 14.],
               [21., 22., 24.]], dtype=float32)
    """
    if type(input) is PLAIN.get() and (_random_samples is None or type(_random_samples) is ndarray):
        samples = _draw(2, input) if _random_samples is None else _random_samples
        return _convrs.fractional_max_pool(
            2, input, kernel_size, output_size, output_ratio, return_indices, samples, out
        )
    return backends.call(
        fractional_max_pool2d,
        input,
        {"_random_samples": _random_samples, "out": out},
        kernel_size=kernel_size,
        output_size=output_size,
        output_ratio=output_ratio,
        return_indices=return_indices,
    )


@overload
def fractional_max_pool3d(
    input: Array,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: Literal[False] = False,
    _random_samples: Array | None = None,
    *,
    out: Array | None = None,
) -> Array: ...
@overload
def fractional_max_pool3d(
    input: NumPyArray,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    *,
    return_indices: Literal[True],
    _random_samples: NumPyArray | None = None,
    out: NumPyArray | None = None,
) -> tuple[NumPyArray, Indices]: ...
@overload
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    *,
    return_indices: Literal[True],
    _random_samples: Tensor | None = None,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def fractional_max_pool3d(
    input: Array,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    *,
    return_indices: bool,
    _random_samples: Array | None = None,
    out: Array | None = None,
) -> Array | tuple[Array, Any]: ...
def fractional_max_pool3d(
    input: Array,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Array | None = None,
    *,
    out: Array | None = None,
) -> Array | tuple[Array, Any]:
    """Maximum of windows at pseudo-random distances over three spatial axes; torch.nn.functional.fractional_max_pool3d.

    With sample u in [0, 1) and a = (input - kernel_size) / (output - 1), window i starts at floor((i + u) * a)
    - floor(u * a); the last one ends at the end of the input. As in torch this is computed in the precision
    of the input's dtype. A NaN wins, and of several the last one's index is given; of equal maxima the
    first.

    Args:
        input: (batch, channels, D, H, W) or (channels, D, H, W); floats, bfloat16, integers or bool.
        kernel_size: size of the window, a number or (d, h, w).
        output_size: size of the output, a number or (d, h, w); either it or output_ratio is needed.
        output_ratio: output size over input size, in (0, 1); the output size is rounded down.
        return_indices: also return where in its plane each maximum lies, counted in C order.
        _random_samples: (batch, channels, 3) numbers in [0, 1) of the input's dtype, one an axis in the order
            (D, H, W); batch is 1 for an input without one. By default they are drawn afresh in every call: for
            NumPy arrays from NumPy's global generator (numpy.random.seed), for torch tensors from torch's
            (torch.manual_seed).
        out: array that receives the values: their shape, dtype and kind, not overlapping an input.

    Returns:
        (batch, channels, D_out, H_out, W_out) in the input's dtype, without the batch if the input has none;
        with return_indices a pair of it and the int64 indices.

    Raises:
        ValueError: a value is out of range, or output_size + kernel_size - 1 is larger than the input.
        TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.

    Source:
        B. Graham, Fractional Max-Pooling, arXiv:1412.6071.

    Example:
        >>> import numpy as np
        >>> volume = np.arange(64, dtype=np.float32).reshape(1, 1, 4, 4, 4)
        >>> samples = np.full((1, 1, 3), 0.5, np.float32)
        >>> fractional_max_pool3d(volume, 2, output_ratio=0.5, _random_samples=samples)[0, 0, 0]
        array([[21., 23.],
               [29., 31.]], dtype=float32)
    """
    if type(input) is PLAIN.get() and (_random_samples is None or type(_random_samples) is ndarray):
        samples = _draw(3, input) if _random_samples is None else _random_samples
        return _convrs.fractional_max_pool(
            3, input, kernel_size, output_size, output_ratio, return_indices, samples, out
        )
    return backends.call(
        fractional_max_pool3d,
        input,
        {"_random_samples": _random_samples, "out": out},
        kernel_size=kernel_size,
        output_size=output_size,
        output_ratio=output_ratio,
        return_indices=return_indices,
    )


def _draw(spatial: int, input: Any) -> NDArray[Any]:
    """One sample in [0, 1) for every plane and axis in the dtype of the input, as torch draws them."""
    dtype = input.dtype if input.dtype.kind == "f" or input.dtype.name == "bfloat16" else np.dtype(np.float64)
    # Whole numbers of these steps do not round up to 1 in the dtype.
    steps = {2: 2.0**8, 4: 2.0**24}.get(dtype.itemsize, 2.0**53)
    drawn = np.random.random_sample((*(1, *input.shape[:-spatial])[-2:], spatial))
    return np.asarray(np.floor(drawn * steps) / steps, dtype)
