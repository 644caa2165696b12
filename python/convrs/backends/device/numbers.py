"""Dtypes that torch's operators lack, as dtypes they have."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["as_dtype", "as_signed", "disordered", "highest", "is_whole", "lowest", "ordered", "wide"]

SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}
"""Torch moves and converts these, and hardly anything else."""


def is_whole(dtype: torch.dtype) -> bool:
    """Whether it is an integer or bool."""
    return not (dtype.is_floating_point or dtype.is_complex)


def as_signed(tensor: Tensor) -> Tensor:
    """The same bits in a dtype that torch moves."""
    return tensor.view(SIGNED[tensor.dtype]) if tensor.dtype in SIGNED else tensor


def wide(tensor: Tensor) -> Tensor:
    """Integers as int64, modulo 2^64."""
    return tensor.view(torch.int64) if tensor.dtype == torch.uint64 else tensor.to(torch.int64)


def as_dtype(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """An int64 tensor in another dtype, by wrap-around."""
    return tensor.view(dtype) if dtype == torch.uint64 else tensor.to(dtype)


def ordered(tensor: Tensor) -> Tensor:
    """Integers as int64 of the same order."""
    return wide(tensor) ^ torch.iinfo(torch.int64).min if tensor.dtype == torch.uint64 else wide(tensor)


def disordered(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The way back from `ordered`."""
    return as_dtype(tensor ^ torch.iinfo(torch.int64).min if dtype == torch.uint64 else tensor, dtype)


def lowest(dtype: torch.dtype) -> int:
    """The least integer of a dtype, as `ordered` has it."""
    if dtype == torch.bool:
        return 0
    return torch.iinfo(torch.int64 if dtype == torch.uint64 else dtype).min


def highest(dtype: torch.dtype) -> int:
    """The largest integer of a dtype, as `ordered` has it."""
    if dtype == torch.bool:
        return 1
    return torch.iinfo(torch.int64 if dtype == torch.uint64 else dtype).max
