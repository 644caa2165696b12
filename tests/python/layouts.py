"""One and the same array in every memory layout NumPy has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def fortran(array: Array) -> Array:
    return np.asfortranarray(array)


def sliced(array: Array) -> Array:
    """Every second element of every axis of a larger array."""
    larger = np.zeros([2 * size + 1 for size in array.shape], array.dtype)
    view = larger[tuple(slice(1, 2 * size + 1, 2) for size in array.shape)]
    view[...] = array
    return view


def reversed_axes(array: Array) -> Array:
    """Negative strides."""
    everywhere = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[everywhere])[everywhere]


def channels_last(array: Array) -> Array:
    if array.ndim < 3:
        return fortran(array)
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


def misaligned(array: Array) -> Array:
    """One byte off any boundary."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def oddly_strided(array: Array) -> Array:
    """Strides that are no multiple of the element's size: a field of packed records."""
    records = np.zeros(array.shape, np.dtype([("before", np.uint8), ("value", array.dtype)]))
    records["value"] = array
    return records["value"]


def other_byte_order(array: Array) -> Array:
    return array.astype(array.dtype.newbyteorder()) if array.dtype.kind in "iufc" else array


def read_only(array: Array) -> Array:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "C": np.ascontiguousarray,
    "Fortran": fortran,
    "sliced": sliced,
    "reversed": reversed_axes,
    "channels last": channels_last,
    "misaligned": misaligned,
    "odd strides": oddly_strided,
    "other byte order": other_byte_order,
    "read-only": read_only,
}
"""They keep shape and values."""


def broadcast(array: Array, axis: int) -> Array:
    """The array with its first part along an axis repeated by a stride of 0: other values than before."""
    if array.ndim == 0 or array.shape[axis] == 0:
        return array
    first = np.take(array, [0], axis)
    return np.broadcast_to(first, array.shape)
