"""Calls on tensors that torch computes: on its own device and stream, without a copy and without waiting.

What torch has a word for is one call of `torch.nn.functional`. The rest (rules, one-sided padding, dilated means, whole
numbers, ...) is put together from other calls, with the windows that the kernels use, and gives their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ..cpu import Function
from .convolutions import conv, conv_transpose
from .extrema import adaptive_max_pool, extremum_pool, fractional_max_pool
from .means import adaptive_avg_pool, avg_pool, lp_pool
from .moves import fold, max_unpool, unfold

__all__ = ["call", "into"]

FAMILIES: dict[str, Callable[[Function, Mapping[str, Any], Mapping[str, Any]], Any]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "max_pool": extremum_pool,
    "min_pool": extremum_pool,
    "avg_pool": avg_pool,
    "lp_pool": lp_pool,
    "adaptive_avg_pool": adaptive_avg_pool,
    "adaptive_max_pool": adaptive_max_pool,
    "fractional_max_pool": fractional_max_pool,
    "max_unpool": max_unpool,
}

OPERATORS = {
    **{f"{family}{spatial}d": operator for family, operator in FAMILIES.items() for spatial in (1, 2, 3)},
    "unfold": unfold,
    "fold": fold,
}


def call(function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """Runs a function of `convrs.functional` in torch, on tensors of one device.

    Raises:
        TypeError: what only the kernels compute.
        ValueError: `out` has another shape than the result, or what the kernels refuse.
    """
    tensors = {name: tensor for name, tensor in arrays.items() if name != "out"}
    result = OPERATORS[function.__name__](function, tensors, parameters)
    out = arrays["out"]
    if out is None:
        return result
    return (into(out, result[0]), result[1]) if isinstance(result, tuple) else into(out, result)


def into(out: Tensor, values: Tensor) -> Tensor:
    """Writes the values into the caller's tensor."""
    if out.shape != values.shape:
        raise ValueError(
            f"out has shape {tuple(out.shape)}, but the result has shape {tuple(values.shape)}; "
            f"write out=torch.empty({tuple(values.shape)}, dtype={values.dtype}, device={str(out.device)!r})"
        )
    if out.dtype != values.dtype:
        raise TypeError(f"out has dtype {out.dtype}, but the result has dtype {values.dtype}")
    return out.copy_(values)
