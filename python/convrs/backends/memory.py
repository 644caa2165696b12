"""Tensors and NumPy arrays over one memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .cpu import BFLOAT16

__all__ = ["from_kernels", "from_numpy", "to_numpy"]


def to_numpy(name: str, tensor: Tensor) -> NDArray[Any]:
    """A NumPy view of a CPU tensor's memory; a copy only where the tensor is lazily conjugated or negated."""
    # Torch refuses what has no such view, so that a plain tensor is asked nothing twice.
    try:
        if tensor.dtype is torch.bfloat16:
            return tensor.view(torch.int16).numpy().view(BFLOAT16)
        return tensor.numpy()
    except (RuntimeError, TypeError) as error:
        if tensor.layout != torch.strided:
            rule = f"write {name}.to_dense()"
            raise TypeError(f"{name} must be a dense tensor, got layout {tensor.layout}; {rule}") from error
        if tensor.is_conj() or tensor.is_neg():
            return tensor.resolve_conj().resolve_neg().numpy()
        if isinstance(error, RuntimeError):
            raise
        rule = "convrs takes float16, bfloat16, float32, float64, the integers, bool, complex64 and complex128"
        raise TypeError(f"{name} has dtype {tensor.dtype}: {rule}; write {name}.to(torch.float32)") from error


def from_kernels(array: NDArray[Any]) -> Tensor:
    """A tensor over a new array that the kernels have made of `to_numpy`'s."""
    if array.dtype.kind == "V":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def from_numpy(array: NDArray[Any]) -> Tensor:
    """A tensor over the memory of a NumPy array; over a copy where torch has no such layout."""
    if array.dtype.name == "bfloat16" or array.dtype == BFLOAT16:
        return from_numpy(array.view(np.int16)).view(torch.bfloat16)
    native, flags = array.dtype.newbyteorder("="), array.flags
    strided = all(stride >= 0 and stride % array.itemsize == 0 for stride in array.strides)
    if not (strided and flags.aligned and flags.writeable and array.dtype == native):
        array = array.astype(native, order="C")
    return torch.from_numpy(array)
