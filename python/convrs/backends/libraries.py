"""Arrays of other libraries, taken and given back by DLPack without a copy."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import cpu
from .choice import chosen
from .placement import expect_one_home, namespace_of, place_of

__all__ = ["call", "to_numpy"]


def call(function: cpu.Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """Runs a function of `convrs.functional` on arrays of one other library and device, and answers in its arrays.

    On the CPU the kernels compute, over the same memory; elsewhere torch, which is imported then.

    Raises:
        TypeError: the arrays are of several libraries or devices, or the library takes nothing by DLPack.
        ImportError: the arrays live on a device, and there is no torch.
    """
    expect_one_home(arrays)
    library, place = namespace_of(arrays["input"]), place_of(arrays["input"])
    if not hasattr(library, "from_dlpack"):
        name = type(arrays["input"]).__name__
        raise TypeError(
            f"input is a {name}, whose library has no from_dlpack for the result; write numpy.asarray(input)"
        )
    if place == "cpu" and chosen() != "torch":
        views = {name: None if array is None else to_numpy(name, array) for name, array in arrays.items()}
        result = function(**views, **parameters)
    else:
        result = _by_torch(function, arrays, parameters, place)
    values, *indices = result if isinstance(result, tuple) else (result,)
    shown = library.from_dlpack(values) if arrays["out"] is None else arrays["out"]
    return (shown, *map(library.from_dlpack, indices)) if indices else shown


def to_numpy(name: str, array: Any) -> NDArray[Any]:
    """A NumPy view of an array in memory that the CPU reads."""
    place = place_of(array)
    if place != "cpu":
        raise TypeError(f"{name} lives on {place}; hand over a copy in the CPU's memory")
    try:
        view: NDArray[Any] = np.from_dlpack(array)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise TypeError(f"{name} is a {type(array).__name__} that NumPy cannot view: {error}") from error
    return view


def _by_torch(function: cpu.Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any], place: str) -> Any:
    if place.startswith("DLPack"):
        raise TypeError(f"input lives on {place}, which torch does not know; hand over a copy in the CPU's memory")
    if importlib.util.find_spec("torch") is None:
        raise ImportError(f"input lives on {place}, where torch computes, and torch is not installed")
    from . import torch

    return torch.call_foreign(function, arrays, parameters)
