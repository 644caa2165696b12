"""How far a result is from a reference, element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .result import Result


@dataclass(frozen=True)
class Difference:
    """The differences of all elements."""

    error: NDArray[Any]
    """|actual - reference|; 0 where both are the same or any answer is legitimate, infinite where one is not finite."""
    share: NDArray[Any]
    """The error as a share of the rounding bound."""
    wrong: NDArray[np.bool_]
    """Where rounding does not explain it."""
    exact: bool
    """Whether every element is the reference rounded to the format."""


def difference(actual: NDArray[Any], result: Result) -> Difference:
    """Compares elements, in the reference's wider dtype, with a reference of the same shape."""
    with np.errstate(all="ignore"):
        form, values = result.format, result.values
        rounded = form.rounded(values)
        same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
        if form.complex:
            # Which part of a product of infinities is NaN depends on how products are formed.
            same |= ~np.isfinite(actual) & ~np.isfinite(rounded)
        both = np.isfinite(actual) & np.isfinite(values)
        excused = same | (result.loose & ~np.isfinite(actual))
        error = np.where(both, distance(actual, values), np.where(excused, 0, np.inf))
        share = np.where(error == 0, 0, error / np.where(error == 0, 1, result.bound))
        return Difference(error, share, np.asarray(error > result.bound), bool(same.all()))


def distance(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """|one - other|."""
    if np.issubdtype(other.dtype, np.integer):
        # Larger minus smaller fits the unsigned dtype, whatever wraps.
        distance = np.asarray(np.maximum(one, other) - np.minimum(one, other))
        return distance.view(np.uint64).astype(np.float64)
    return np.asarray(np.abs(one - other))
