"""Is it rounding or a bug, and which? References by plain NumPy, rounding bounds, and verdicts that name causes.

Example:
    >>> import numpy as np
    >>> import convrs
    >>> x = np.random.default_rng(0).standard_normal((1, 3, 8, 8), np.float32)
    >>> w = np.random.default_rng(1).standard_normal((4, 3, 3, 3), np.float32)
    >>> convrs.check.compare(convrs.conv2d(x, w, padding=1), "conv2d", x, w, padding=1).kind
    'rounding'
    >>> print(convrs.check.compare(convrs.conv2d(x, w), "conv2d", x, w, padding=1))
    conv2d: beyond rounding: the shape is (1, 4, 6, 6), the reference's is (1, 4, 8, 8)
      cause: argument left out: padding=1 has no effect; pass it on

What went wrong is found by trying: the reference is computed as it would be wrong, and a way of going wrong is named
only where it gives the numbers that were judged, all of them. More than one is named where several do.

    >>> flipped = convrs.conv2d(x, w[:, :, ::-1, ::-1], padding=1)
    >>> convrs.check.compare(flipped, "conv2d", x, w, padding=1).causes[0].name
    'kernel flipped'
"""

from .causes import Cause
from .reference import reference, rounding_bound
from .verdict import Verdict, assert_agrees, compare

__all__ = ["Cause", "Verdict", "assert_agrees", "compare", "reference", "rounding_bound"]
