"""NumPy arrays, and what becomes one: lists, memoryviews, subclasses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

BFLOAT16 = np.dtype([("bfloat16", "<i2")])
"""How a bfloat16 tensor's memory reaches the kernels: NumPy has no such dtype of its own."""


def dtype_name(dtype: Any) -> str:
    """What a dtype of NumPy's or torch's is called."""
    return "bfloat16" if dtype == BFLOAT16 else str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def widened(array: NDArray[Any]) -> NDArray[np.float64]:
    """Floating-point numbers of any dtype in float64, where they are the same; longdouble is rounded."""
    if dtype_name(array.dtype) == "bfloat16":
        return (array.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return array.astype(np.float64)


def narrowed(numbers: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers in a shorter dtype, rounded once, to nearest with ties to even."""
    if dtype_name(dtype) != "bfloat16":
        return numbers.astype(dtype)
    single = numbers.astype(np.float32)
    bits = single.view(np.uint32)
    # Rounded to odd, float32 keeps on which side of a tie of bfloat16 the number was.
    bits = np.where(np.abs(single) > np.abs(numbers), bits - np.uint32(1), bits) | (single != numbers)
    short = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)) >> np.uint32(16)
    return np.where(np.isnan(numbers), 0x7FC0, short).astype(np.uint16).view(dtype)


class Function(Protocol):
    """A function of `convrs.functional`."""

    __name__: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


class Planned:
    """A planned layer as a function, for arrays that are not simply its own.

    Attributes:
        run: takes input, residual and out by position.
    """

    __name__ = "planned layer"

    def __init__(self, run: Callable[[Any, Any, Any], Any]) -> None:
        self.run = run

    def __call__(self, input: Any, residual: Any, out: Any) -> Any:
        return self.run(input, residual, out)


def call(function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """Calls the function again with plain NumPy arrays. `out` stays itself: a copy of it would never be seen."""
    plain = {name: array if array is None or name == "out" else to_numpy(name, array) for name, array in arrays.items()}
    return function(**plain, **parameters)


def to_numpy(name: str, array: Any) -> NDArray[Any]:
    """A plain NumPy array by the rules of numpy.asarray, or a TypeError that names the argument."""
    if np.ma.is_masked(array):
        hidden = np.count_nonzero(np.ma.getmaskarray(array))
        raise TypeError(
            f"{name} is a masked array with {hidden} masked elements, and no rule says what they count for; "
            f"write {name}.filled(value)"
        )
    try:
        plain = np.asarray(array)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array, got {type(array).__name__}: {error}") from error
    if plain.ndim == 0 and plain.dtype.kind in "OSU" and plain is not array:
        raise TypeError(f"{name} must be an array, got {type(array).__name__}")
    return plain
