"""Convolutions of whole numbers, exact in wrap-around, from float64 convolutions of their 16-bit digits.

Modulo 2^64 a number is the sum of its digits d_i * 2^(16 i), two's complement included, and a product is the sum of
d_i * e_j * 2^(16 (i + j)), of which those from the dtype's width on vanish. A sum of K products of two digits is below
K * 2^32, which float64 holds exactly up to K = 2^21.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .numbers import as_dtype, wide
from .problem import refused

__all__ = ["whole_convolution"]

DIGIT = 16
MOST_TERMS = 2 ** (53 - 2 * DIGIT)


def whole_convolution(
    convolved: Callable[[Tensor, Tensor], Tensor],
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    terms: int,
    spatial: int,
) -> Tensor:
    """A convolution in an integer dtype's wrap-around, or of bool, which adds by "or".

    Args:
        convolved: the convolution without its bias, of float64.
        input: the input.
        weight: the weight, of the same dtype.
        bias: the bias, of the same dtype.
        terms: the most products that one output is the sum of.
        spatial: spatial axes.
    """
    dtype = input.dtype
    others = {"weight": weight, "bias": bias}
    for name, tensor in others.items():
        if tensor is not None and tensor.dtype != dtype:
            raise TypeError(f"{name} has dtype {tensor.dtype}, but input has {dtype}; write {name}.to({dtype})")
    if terms > MOST_TERMS:
        raise refused(f"an output that sums {terms} products of whole numbers", f"{MOST_TERMS} are exact in float64")
    if dtype == torch.bool:
        total = (convolved(input.double(), weight.double()) > 0).to(torch.int64)
    else:
        count = max(dtype.itemsize * 8 // DIGIT, 1)
        pairs = [(first, second) for first in range(count) for second in range(count - first)]
        inputs, weights = _digits(input, count), _digits(weight, count)
        total = sum(
            (convolved(inputs[first], weights[second]).long() << DIGIT * (first + second) for first, second in pairs),
            start=torch.zeros((), dtype=torch.int64, device=input.device),
        )
    if bias is not None:
        total = total + wide(bias).reshape(-1, *[1] * spatial)
    return as_dtype(total, dtype)


def _digits(tensor: Tensor, count: int) -> list[Tensor]:
    """The lowest digits, as float64."""
    return [((wide(tensor) >> DIGIT * digit) & (2**DIGIT - 1)).double() for digit in range(count)]
