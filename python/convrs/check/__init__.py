"""Is it rounding or a bug? References by plain NumPy, rounding bounds, and a verdict instead of a largest difference.

Example:
    >>> import numpy as np
    >>> import convrs
    >>> x = np.random.default_rng(0).standard_normal((1, 3, 8, 8), np.float32)
    >>> w = np.random.default_rng(1).standard_normal((4, 3, 3, 3), np.float32)
    >>> convrs.check.compare(convrs.conv2d(x, w, padding=1), "conv2d", x, w, padding=1).kind
    'rounding'
    >>> print(convrs.check.compare(convrs.conv2d(x, w), "conv2d", x, w, padding=1))
    conv2d: beyond rounding: the shape is (1, 4, 6, 6), the reference's is (1, 4, 8, 8)
"""

from .reference import reference, rounding_bound
from .verdict import Verdict, assert_agrees, compare

__all__ = ["Verdict", "assert_agrees", "compare", "reference", "rounding_bound"]
