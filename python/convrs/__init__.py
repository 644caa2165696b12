"""Convolution and pooling of torch.nn.functional on NumPy arrays.

Example:
    >>> import numpy as np
    >>> import convrs
    >>> signal = np.arange(6, dtype=np.float32).reshape(1, 1, 6)
    >>> convrs.conv1d(signal, np.array([[[0.5, 0.25, 0.25]]], np.float32))
    array([[[0.75, 1.75, 2.75, 3.75]]], dtype=float32)
    >>> convrs.max_pool1d(signal, 2)
    array([[[1., 3., 5.]]], dtype=float32)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._convrs import __version__, get_num_threads, set_num_threads
from .backends import allow_tf32, use_backend
from .functional import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    fold,
    fractional_max_pool2d,
    fractional_max_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
    min_pool1d,
    min_pool2d,
    min_pool3d,
    unfold,
)

if TYPE_CHECKING:
    from . import check as check
    from . import nn as nn
    from . import rules as rules
    from . import torch as torch
    from .explanation import explain as explain
    from .rules import windows as windows

__all__ = [
    "__version__",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "allow_tf32",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "backends",
    "check",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "explain",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "functional",
    "get_num_threads",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "min_pool1d",
    "min_pool2d",
    "min_pool3d",
    "nn",
    "rules",
    "set_num_threads",
    "unfold",
    "use_backend",
    "windows",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    # The tools are loaded when first asked for, so that `import convrs` stays light.
    if name == "explain":
        return importlib.import_module(".explanation", __name__).explain
    if name == "windows":
        return importlib.import_module(".rules", __name__).windows
    if name in ("check", "explanation", "nn", "rules", "torch"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
