"""Whose arrays are these? Routes a call to the backend that owns them; torch is never imported for the question."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TypeVar

from numpy.typing import NDArray

from . import cpu
from .choice import allow_tf32, chosen, use_backend

__all__ = ["allow_tf32", "call", "to_numpy", "use_backend"]

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
    if any(_is_tensor(array) for array in arrays.values()):
        from . import torch

        result = torch.call(function, arrays, parameters)
    elif chosen() == "torch":
        from . import torch

        result = torch.call_arrays(function, arrays, parameters)
    else:
        result = cpu.call(function, arrays, parameters)
    return result


def to_numpy(name: str, array: Any) -> NDArray[Any]:
    """The NumPy array of an argument, wherever it lives; a view where that is possible."""
    if _is_tensor(array):
        from . import torch

        return torch.to_numpy(name, array.detach().cpu())
    return cpu.to_numpy(name, array)


def _is_tensor(array: object) -> bool:
    # A module that is being imported by another thread may lack the name.
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    return tensor is not None and isinstance(array, tensor)
