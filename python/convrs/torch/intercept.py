"""Any torch program through convrs, for cross-checking it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional
from torch.overrides import TorchFunctionMode

from .. import functional
from .running import REFUSALS, computes_plainly

NATIVE = {torch: ("conv", "max_pool", "avg_pool", "adaptive_avg_pool"), torch._C._nn: ("avg_pool", "adaptive_avg_pool")}
"""Families that have the same arguments outside of torch.nn.functional."""


def _taken() -> dict[Any, Callable[..., Any]]:
    """Torch's functions, under all of their names, and ours."""
    taken: dict[Any, Callable[..., Any]] = {}
    for name in functional.__all__:
        ours = getattr(functional, name)
        homes = [home for home, families in NATIVE.items() if name.startswith(families)]
        taken |= {getattr(home, name): ours for home in (torch.nn.functional, *homes) if hasattr(home, name)}
        indexed = getattr(torch.nn.functional, f"{name}_with_indices", None)
        if indexed is not None:
            taken[indexed] = _with_indices(ours)
    return taken


def _with_indices(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def indexed(*args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.arguments["return_indices"] = True
        return function(*bound.args, **bound.kwargs)

    return indexed


class intercept(TorchFunctionMode):
    """Within it, convolutions and pools of any torch code on CPU tensors are computed by convrs.

    Functions of `torch.nn.functional` and those that modules call are sent through the functions of the same names,
    with their gradients. What convrs does not take goes to torch: other devices, other dtypes than floating-point ones,
    subclasses, autocast, compilation, and what convrs refuses, so that a program raises what it raised.

    Attributes:
        calls: how many calls of each name convrs has computed.

    Example:
        >>> import torch
        >>> layer = torch.nn.Conv1d(1, 2, 3)
        >>> signal = torch.randn(1, 1, 8)
        >>> with intercept() as taken:
        ...     ours = layer(signal)
        >>> torch.allclose(ours, layer(signal), atol=1e-6), taken.calls
        (True, {'conv1d': 1})
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[str, int] = {}

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = by_convrs(func, args, kwargs or {})
        if result is NotImplemented:
            return func(*args, **kwargs or {})
        name = TAKEN[func].__name__
        self.calls[name] = self.calls.get(name, 0) + 1
        return result


def by_convrs(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call of a torch function by convrs; NotImplemented where convrs does not take it."""
    ours, input = TAKEN.get(function), args[0] if args else kwargs.get("input")
    if ours is None or not computes_plainly(input):
        return NotImplemented
    try:
        return ours(*args, **kwargs)
    except REFUSALS:
        return NotImplemented


TAKEN = _taken()
