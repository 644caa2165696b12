"""Whose arrays are these? Routes a call to the backend that owns them; torch is never imported for the question."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import cpu, libraries
from .choice import allow_tf32, chosen, use_backend
from .cpu import dtype_name, narrowed, widened
from .description import Description, describe
from .placement import expect_one_home, is_foreign, is_tensor

__all__ = [
    "Description",
    "allow_tf32",
    "as_tensor",
    "call",
    "call_layer",
    "describe",
    "dtype_name",
    "expect_one_home",
    "in_dtype",
    "is_tensor",
    "moved",
    "narrowed",
    "own_kind",
    "to_numpy",
    "use_backend",
    "widened",
    "zeros",
]

Array = TypeVar("Array")

REQUIRED = ("input", "weight", "indices")
"""Array arguments without a default."""


def call(function: cpu.Function, input: Array, others: Mapping[str, Any], **parameters: Any) -> Array:
    """Runs a function of `convrs.functional` whose arrays are not all plain NumPy arrays.

    Args:
        function: the function; on the CPU it is called again, with NumPy arrays.
        input: its first argument.
        others: its other array arguments by name, None for those not given.
        **parameters: the rest.

    Returns:
        What the function returns, in the kind of `input`.
    """
    arrays = {"input": input, **others}
    for name, array in arrays.items():
        if array is None and name in REQUIRED:
            raise TypeError(f"{name} must be an array, got None")
    result: Array
    # The input is asked first, since it nearly always says it all.
    if is_tensor(input) or any(map(is_tensor, arrays.values())):
        result = _torch().call(function, arrays, parameters)
    elif any(map(is_foreign, arrays.values())):
        result = libraries.call(function, arrays, parameters)
    elif chosen() == "torch":
        result = _torch().call_arrays(function, arrays, parameters)
    else:
        result = cpu.call(function, arrays, parameters)
    return result


def call_layer(run: Callable[[Any, Any, Any], Any], input: Array, residual: Any, out: Any) -> Array:
    """Runs a planned layer on what may not be plain NumPy arrays.

    Args:
        run: the kernels' method, or what `moved` has made.
        input: the argument of the layer; so the others.
        residual: None if there is none; so `out`.
    """
    if is_tensor(input):
        result: Array = _torch().call_layer(run, input, residual, out)
        return result
    return call(cpu.Planned(run), input, {"residual": residual, "out": out})


def to_numpy(name: str, array: Any) -> NDArray[Any]:
    """The NumPy array of an argument, wherever it lives; a view where that is possible."""
    if is_tensor(array):
        if array.is_meta:
            raise TypeError(f"{name} lives on meta, where tensors have no numbers")
        tensor: NDArray[Any] = _torch().to_numpy(name, array.detach().cpu())
        return tensor
    return libraries.to_numpy(name, array) if is_foreign(array) else cpu.to_numpy(name, array)


def own_kind(name: str, array: Any) -> Any:
    """A tensor as it is, whatever else as a NumPy array."""
    return array if type(array) is np.ndarray or is_tensor(array) else to_numpy(name, array)


def as_tensor(array: Any) -> Any:
    """A tensor as it is; a NumPy array as a tensor, over a copy where it is read-only."""
    return array if is_tensor(array) else _torch().from_numpy(array)


def in_dtype(numbers: NDArray[Any], dtype: Any) -> Any:
    """Real numbers as an array of a dtype of NumPy's, or as a tensor of one of torch's.

    Raises:
        TypeError: it is no dtype, or one of whole numbers.
    """
    if type(dtype).__module__ == "torch":
        whole = not (dtype.is_floating_point or dtype.is_complex)
    else:
        try:
            whole = np.dtype(dtype).kind in "biu"
        except TypeError as error:
            raise TypeError(f"dtype is {dtype}: {error}") from error
    if whole:
        raise TypeError(f"dtype is {dtype}: it must be one of floating-point numbers, since weights are fractions")
    return _torch().from_numpy(numbers).to(dtype) if type(dtype).__module__ == "torch" else numbers.astype(dtype)


def zeros(shape: Sequence[int], like: Any) -> Any:
    """An array of the kind of another one: a tensor on its device, or NumPy's; of its dtype."""
    return like.new_zeros(shape) if is_tensor(like) else np.zeros(shape, like.dtype)


def moved(
    function: cpu.Function,
    weight: Any,
    bias: Any,
    parameters: Mapping[str, Any],
    activation: tuple[str, Sequence[float]] | None,
    device: Any,
) -> Any:
    """What a planned layer runs on a torch device; see `convrs.backends.device.layer.Layer`.

    Raises:
        ImportError: there is no torch.
    """
    if importlib.util.find_spec("torch") is None:
        raise ImportError(f"device is {device}, where torch computes, and torch is not installed")
    return _torch().Layer(function, weight, bias, parameters, activation, device)


@cache
def _torch() -> Any:
    # An import statement takes a tenth of what a whole call may.
    from . import torch

    return torch
