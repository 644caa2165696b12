"""Keeps float32 convolutions float32: where its flag allows, as by default, cuDNN rounds their inputs to TF32."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

import torch

from ..choice import tf32_is_allowed

__all__ = ["FULL", "may_be_shortened"]


def may_be_shortened(input: torch.Tensor) -> bool:
    """Whether a convolution of this input would be computed in TF32 if cuDNN's flag allowed it, and must not be."""
    return input.is_cuda and input.dtype in (torch.float32, torch.complex64) and not tf32_is_allowed()


class _Full:
    """While at least one call is inside, TF32 is off. A counter, since calls of several threads overlap."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._restore: str | bool | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._restore = _switch_off()
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._restore is not None:
                _switch_back(self._restore)


FULL = _Full()


def _switch_off() -> str | bool | None:
    """What `_switch_back` needs; None where TF32 was off. A flag that is off is not touched."""
    # Torch writes its newer flags where type checkers do not find them.
    flags: Any = torch.backends.cudnn
    try:
        if not flags.allow_tf32:
            return None
    except RuntimeError:
        # Convolutions and recurrent layers differ, which the older flag cannot say.
        precision: str = flags.conv.fp32_precision
        if precision != "tf32":
            return None
        flags.conv.fp32_precision = "ieee"
        return precision
    flags.allow_tf32 = False
    if flags.allow_tf32:
        # It is inherited from torch.backends.fp32_precision.
        flags.conv.fp32_precision = "ieee"
    return True


def _switch_back(before: str | bool) -> None:
    flags: Any = torch.backends.cudnn
    if isinstance(before, str):
        flags.conv.fp32_precision = before
    else:
        flags.allow_tf32 = before
