"""What callers choose for their own calls: who computes, and whether TF32 may be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, Self, TypeAlias

from numpy import ndarray

__all__ = ["PLAIN", "Backend", "allow_tf32", "chosen", "tf32_is_allowed", "use_backend"]

Backend: TypeAlias = Literal["rust", "torch"]

PLAIN: ContextVar[type | None] = ContextVar("convrs_plain", default=ndarray)
"""The type of arrays that go to the kernels without a question; None while `use_backend` sends them to torch."""

_chosen: ContextVar[Backend | None] = ContextVar("convrs_backend", default=None)
_tf32: ContextVar[bool] = ContextVar("convrs_tf32", default=False)


@contextmanager
def use_backend(name: Backend) -> Iterator[None]:
    """Has the calls within it computed by one side, wherever their arrays live: to check one against the other.

    Arrays come back in the kind and on the device they came in, copied on the way where that is needed. It holds for
    the thread or asynchronous task that opened it, not for others. Planned layers compute where their weights live.

    Args:
        name: "rust" for the kernels on the CPU, "torch" for torch, which is imported.

    Raises:
        ValueError: no such backend.

    Example:
        >>> import convrs, numpy as np
        >>> with convrs.use_backend("rust"):
        ...     convrs.max_pool1d(np.array([[1.0, 3.0, 2.0, 0.0]]), 2)
        array([[3., 2.]])
    """
    if name not in ("rust", "torch"):
        raise ValueError(f'name is "{name}": it must be "rust" or "torch"')
    before, plain = _chosen.set(name), PLAIN.set(ndarray if name == "rust" else None)
    try:
        yield
    finally:
        PLAIN.reset(plain)
        _chosen.reset(before)


def chosen() -> Backend | None:
    """What `use_backend` forces in this context, None where every array goes its own way."""
    return _chosen.get()


class allow_tf32:
    """Says whether float32 convolutions on a CUDA device may be computed in TF32, whose products have 10 bits.

    They may not unless this says so, whatever cuDNN's flag is; then CPU and GPU agree to rounding. It holds from the
    call on, in the thread or asynchronous task that called it; as a context manager it ends with the block.

    Where it is off, cuDNN's flag is switched off while a call is on its way if it was on, and back on after the last of
    the calls that overlap. Torch's own convolutions that other threads start in that moment are more exact than
    asked for, never less. Where it is on, torch's flag decides, which by torch's default allows TF32.

    Args:
        allowed: True or False.

    Raises:
        TypeError: `allowed` is not a bool.

    Example:
        >>> import convrs
        >>> with convrs.allow_tf32(True):
        ...     pass  # convrs.conv2d(on_cuda, weight)
    """

    def __init__(self, allowed: bool) -> None:
        if not isinstance(allowed, bool):
            raise TypeError(f"allowed must be True or False, got {allowed!r}")
        self._before = _tf32.get()
        _tf32.set(allowed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        _tf32.set(self._before)


def tf32_is_allowed() -> bool:
    """What `allow_tf32` has said in this context."""
    return _tf32.get()
