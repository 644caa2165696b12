"""What a reference knows about a result: its elements and how far rounding may move them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .formats import Format, gamma


@dataclass(frozen=True)
class Result:
    """Elements in the format's wider dtype, with what may be asked of an implementation."""

    format: Format
    values: NDArray[Any]
    bound: NDArray[Any]
    """Largest legitimate |actual - values| of a finite element."""
    loose: NDArray[np.bool_]
    """Where an infinity or NaN is legitimate though the value is finite: rounding or the order of the sum decides."""
    indices: NDArray[np.int64] | None = None

    def map(self, change: Any) -> Result:
        """The result with every array changed in the same way."""
        indices = None if self.indices is None else change(self.indices)
        return replace(
            self, values=change(self.values), bound=change(self.bound), loose=change(self.loose), indices=indices
        )


def exact(form: Format, values: NDArray[Any], indices: NDArray[np.int64] | None = None) -> Result:
    """A result that nothing rounds: elements that were only moved, or integers."""
    return Result(form, form.rounded(values), np.zeros(values.shape), np.zeros(values.shape, np.bool_), indices)


def summed(form: Format, values: NDArray[Any], magnitude: NDArray[Any], roundings: Any, underflows: Any) -> Result:
    """A sum, formed in the format's accumulator in any order and then rounded to the format.

    Args:
        form: the format.
        values: the sums.
        magnitude: the sums of the terms' absolute values.
        roundings: for each sum, the most roundings that one of its terms passes through.
        underflows: for each sum, the operations that can underflow, products and quotients; sums cannot.

    The a-priori bound of the sum is gamma_roundings * magnitude (N. J. Higham, Accuracy and Stability of Numerical
    Algorithms, 2nd edition, SIAM 2002, section 3.1), plus the smallest subnormal for each underflow (half of it would
    do, section 2.8). The reference's own sum errs by the same formula with its own roundoff; twice that covers the
    magnitude's error too.
    """
    if not form.precision:
        return exact(form, values)
    accumulator = form.accumulator
    own = 2 * gamma(roundings, form.wide_roundoff)
    bound = (gamma(roundings, accumulator.roundoff) + own) * magnitude + underflows * accumulator.smallest
    return stored(form, values, bound, np.isfinite(magnitude) & (magnitude + bound >= accumulator.overflow))


def stored(form: Format, values: NDArray[Any], bound: NDArray[Any], loose: NDArray[np.bool_]) -> Result:
    """A value known up to `bound` in the accumulator, after its rounding to the format."""
    size = np.abs(values)
    if form.accumulator is not form:
        bound = bound + form.roundoff * (size + bound) + form.smallest / 2
    bound = np.where(np.isfinite(size) & ~np.isnan(bound), bound, 0)
    near = np.isfinite(size) & (size - bound < form.overflow) & (size + bound >= form.overflow)
    return Result(form, values, bound.astype(np.float64), loose | near)
