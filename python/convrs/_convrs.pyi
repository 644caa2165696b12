"""Kernels of convrs; the documented functions are in `convrs.functional`."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypeVar, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Layer",
    "__version__",
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "adaptive_windows",
    "avg_pool",
    "conv",
    "conv_transpose",
    "fma_peak",
    "fold",
    "fractional_max_pool",
    "fractional_windows",
    "get_num_threads",
    "instruction_set",
    "lp_pool",
    "max_pool",
    "max_unpool",
    "multiply_add",
    "set_num_threads",
    "sliding_windows",
    "unfold",
]

__version__: str

# What is not a NumPy array is refused at run time, so that one signature serves what functional has told apart by then.
_Array = TypeVar("_Array")
_Size: TypeAlias = int | Sequence[int]
_Padding: TypeAlias = _Size | Sequence[tuple[int, int]] | str
# For each spatial axis, for each output: start, first covered element, covered elements, their distance, counted ones.
_Windows: TypeAlias = list[list[tuple[int, int, int, int, int]]]
_MaybeIndexed: TypeAlias = _Array | tuple[_Array, NDArray[np.int64]]

def conv(
    n: int,
    input: _Array,
    weight: _Array,
    bias: _Array | None,
    stride: _Size,
    padding: _Padding,
    dilation: _Size,
    groups: int,
    padding_mode: str,
    algorithm: str,
    out: _Array | None,
    /,
) -> _Array: ...
def conv_transpose(
    n: int,
    input: _Array,
    weight: _Array,
    bias: _Array | None,
    stride: _Size,
    padding: _Size,
    output_padding: _Size,
    groups: int,
    dilation: _Size,
    out: _Array | None,
    /,
) -> _Array: ...
def max_pool(
    n: int,
    smallest: bool,
    input: _Array,
    kernel_size: _Size,
    stride: _Size | None,
    padding: _Padding,
    dilation: _Size,
    ceil_mode: bool,
    return_indices: bool,
    rule: str,
    out: _Array | None,
    /,
) -> _MaybeIndexed[_Array]: ...
def avg_pool(
    n: int,
    input: _Array,
    kernel_size: _Size,
    stride: _Size | None,
    padding: _Padding,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    dilation: _Size,
    rule: str,
    out: _Array | None,
    /,
) -> _Array: ...
def lp_pool(
    n: int,
    input: _Array,
    norm_type: float,
    kernel_size: _Size,
    stride: _Size | None,
    ceil_mode: bool,
    padding: _Padding,
    dilation: _Size,
    rule: str,
    out: _Array | None,
    /,
) -> _Array: ...
def adaptive_avg_pool(
    n: int, input: _Array, output_size: int | Sequence[int | None] | None, out: _Array | None, /
) -> _Array: ...
def adaptive_max_pool(
    n: int,
    input: _Array,
    output_size: int | Sequence[int | None] | None,
    return_indices: bool,
    out: _Array | None,
    /,
) -> _MaybeIndexed[_Array]: ...
def fractional_max_pool(
    n: int,
    input: _Array,
    kernel_size: _Size,
    output_size: _Size | None,
    output_ratio: float | Sequence[float] | None,
    return_indices: bool,
    random_samples: object,
    out: _Array | None,
    /,
) -> _MaybeIndexed[_Array]: ...
def max_unpool(
    n: int,
    input: _Array,
    indices: object,
    kernel_size: _Size,
    stride: _Size | None,
    padding: _Padding,
    output_size: Sequence[int] | None,
    rule: str,
    out: _Array | None,
    /,
) -> _Array: ...
def unfold(
    input: _Array, kernel_size: _Size, dilation: _Size, padding: _Size, stride: _Size, out: _Array | None, /
) -> _Array: ...
def fold(
    input: _Array,
    output_size: _Size,
    kernel_size: _Size,
    dilation: _Size,
    padding: _Size,
    stride: _Size,
    out: _Array | None,
    /,
) -> _Array: ...
def sliding_windows(
    n: int,
    input_size: _Size,
    kernel_size: _Size,
    stride: _Size | None,
    padding: _Padding,
    dilation: _Size,
    ceil_mode: bool,
    rule: str,
    within_input: bool,
    /,
) -> _Windows: ...
def adaptive_windows(n: int, input_size: _Size, output_size: int | Sequence[int | None] | None, /) -> _Windows: ...
def fractional_windows(
    n: int,
    input_size: _Size,
    kernel_size: _Size,
    output_size: _Size | None,
    output_ratio: float | Sequence[float] | None,
    samples: NDArray[Any],
    /,
) -> _Windows: ...
def fma_peak() -> float: ...
def set_num_threads(num_threads: int, /) -> None: ...
def get_num_threads() -> int: ...
def instruction_set() -> Literal["avx512", "avx2", "portable"]: ...
def multiply_add(x: float, w: float, accumulator: float, single: bool, /) -> float: ...

@final
class Layer:
    def __new__(
        cls,
        n: int,
        transposed: bool,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        stride: _Size,
        padding: _Padding,
        output_padding: _Size,
        dilation: _Size,
        groups: int,
        padding_mode: str,
        activation: tuple[str, list[float]] | None,
        algorithm: str,
        /,
    ) -> Layer: ...
    def run(self, input: _Array, residual: _Array | None, out: _Array | None, /) -> _Array: ...
    def plan(self, shape: Sequence[int], /) -> dict[str, Any]: ...
