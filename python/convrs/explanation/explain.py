"""The entry: one element of an operator's result explained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..check.reference import Operator
from . import averages, maxima, patches, weighted
from .call import Call, called
from .model import Explanation

FAMILIES: dict[str, Callable[[Call], Explanation]] = {
    "conv": weighted.conv,
    "conv_transpose": weighted.conv_transpose,
    "max_pool": maxima.max_pool,
    "min_pool": maxima.min_pool,
    "adaptive_max_pool": maxima.adaptive_max_pool,
    "fractional_max_pool": maxima.fractional_max_pool,
    "max_unpool": patches.max_unpool,
    "avg_pool": averages.avg_pool,
    "adaptive_avg_pool": averages.adaptive_avg_pool,
    "lp_pool": averages.lp_pool,
    "unfold": patches.unfold,
    "fold": patches.fold,
}
"""Explanations by the operator's name without "1d", "2d" or "3d"."""


def explain(op: Operator, *inputs: Any, index: int | Sequence[int], **params: Any) -> Explanation:
    """Takes one element of a result apart: every tap, product, sum, bias, divisor or winner, and the size formulas.

    The taps are added up in the kernel's order and arithmetic, so that the explanation ends at the kernel's bits; it
    also calls the operator and says whether that is so.

    Args:
        op: the name of a function of `convrs`, or the function.
        *inputs: its arguments, NumPy arrays or torch tensors; any shapes and dtypes that the function takes.
        index: which element of the output, one number an axis; negative ones count from the end.
        **params: its arguments by keyword. Fractional pools need `_random_samples`.

    Returns:
        The explanation; print it to read it.

    Raises:
        IndexError: the output has no such element.
        ValueError: no such operator, or the operator refuses a value.
        TypeError: the operator refuses a kind or dtype, or `out` is given, or a rule other than torch's.

    Example:
        >>> import numpy as np
        >>> signal = np.arange(16, dtype=np.float32).reshape(1, 1, 16)
        >>> taps = np.array([[[0.5, 0.25, 0.25]]], np.float32)
        >>> explanation = explain("conv1d", signal, taps, index=(0, 0, 1))
        >>> explanation.equation
        '1 * 0.5 + 2 * 0.25 + 3 * 0.25 = 1.75'
        >>> explanation.agrees
        True
        >>> print(explanation)
        conv1d: output[0, 0, 1] = 1.75
          1 * 0.5 + 2 * 0.25 + 3 * 0.25 = 1.75
          output shape (1, 1, 14), float32
        <BLANKLINE>
        Sizes
                  floor((input + before + after - dilation * (kernel - 1) - 1) / stride) + 1
          length  floor((   16 +      0 +     0 -        1 * (     3 - 1) - 1) /      1) + 1 = 14
        <BLANKLINE>
        Window on the input ([ ] taps)
          channel 0
          column   0   1   2   3   4
                   0  [1] [2] [3]  4
        <BLANKLINE>
        Taps, in the order in which the kernel takes them
          tap  input           value  weight           value  product  so far
            0  input[0, 0, 1]      1  weight[0, 0, 0]    0.5      0.5     0.5
            1  input[0, 0, 2]      2  weight[0, 0, 1]   0.25      0.5       1
            2  input[0, 0, 3]      3  weight[0, 0, 2]   0.25     0.75    1.75
        <BLANKLINE>
        Result
          sum of the 3 products = 1.75
          conv1d itself returns 1.75: the same bits
    """
    call = called(op, inputs, index, params)
    with np.errstate(all="ignore"):
        return FAMILIES[call.family](call)
