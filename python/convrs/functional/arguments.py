"""Types of the arguments, for type checkers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..backends.torch import Tensor

NumPyArray = TypeVar("NumPyArray", bound=NDArray[Any])
"""A NumPy array; the result is of the same type."""

Array = TypeVar("Array", bound="NDArray[Any] | Tensor")
"""A NumPy array or a torch tensor; the result is of the same type. Calls also take what numpy.asarray takes."""

Indices: TypeAlias = NDArray[np.int64]
"""Positions in a plane, counted in C order."""

Size: TypeAlias = int | Sequence[int]
"""One number for all spatial axes, or one for each."""

AdaptiveSize: TypeAlias = int | Sequence[int | None] | None
"""An output size; None keeps the input's."""

Padding: TypeAlias = Size | Sequence[tuple[int, int]] | Literal["valid", "same", "same_lower"]
"""Padding of a convolution or pool: numbers, a (before, after) pair for each axis, or a rule."""

Rule: TypeAlias = Literal["torch", "onnx", "onnxruntime-legacy", "coreml", "tensorflow-same", "tensorflow-valid"]
"""Whose rules a pool follows; see `convrs.rules`."""

PaddingMode: TypeAlias = Literal["zeros"] | Literal["reflect", "replicate", "circular"]
"""What the padding of a convolution holds."""

Algorithm: TypeAlias = Literal["auto", "direct", "winograd", "fft"]
"""What computes a convolution; "auto" takes direct or Winograd, whichever is faster."""
