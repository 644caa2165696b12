"""What torch says: its own result where it has one, and the exact values in a wider dtype where its rule gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import torch
import torch.nn.functional
from numpy.typing import NDArray

from operators import BFLOAT16_RECORD, Call

Array = NDArray[Any]

# Where an index comes twice, torch's threads race for the last word.
torch.set_num_threads(1)

REFUSALS = (RuntimeError, TypeError, ValueError, IndexError)
"""What torch raises where it refuses; NotImplementedError is a RuntimeError."""


def plain(array: Array) -> Array:
    """A C-ordered copy in the machine's byte order, bfloat16 as ml_dtypes'."""
    if array.dtype == BFLOAT16_RECORD:
        array = np.array(array, order="C").view(ml_dtypes.bfloat16)
    return np.array(array, array.dtype.newbyteorder("="), order="C", ndmin=0)


def to_torch(array: Array) -> torch.Tensor:
    array = plain(array)
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def from_torch(tensor: torch.Tensor) -> Array:
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.resolve_conj().numpy()


def without_numpy(value: Any) -> Any:
    """NumPy's integers as Python's: parts of torch's Python code know those alone."""
    if isinstance(value, np.integer):
        return int(value)
    return type(value)(map(without_numpy, value)) if isinstance(value, tuple | list) else value


def torch_call(call: Call) -> Any:
    """Torch's own result, or its refusal."""
    if call.operator.family == "min_pool":
        return _torch_minimum(call)
    function = getattr(torch.nn.functional, call.operator.name)
    arrays = {name: None if array is None else to_torch(array) for name, array in call.arrays.items()}
    result = function(**arrays, **{name: without_numpy(value) for name, value in call.parameters.items()})
    return tuple(map(from_torch, result)) if isinstance(result, tuple) else from_torch(result)


def _torch_minimum(call: Call) -> Any:
    """Torch's maximum in the opposite order: of -x, or of -1 - x for integers."""

    def opposite(tensor: torch.Tensor) -> torch.Tensor:
        return -tensor if tensor.is_floating_point() else ~tensor

    function = getattr(torch.nn.functional, call.operator.name.replace("min", "max"))
    parameters = {name: without_numpy(value) for name, value in call.parameters.items()}
    result = function(opposite(to_torch(call.input)), **parameters)
    if isinstance(result, tuple):
        return from_torch(opposite(result[0])), from_torch(result[1])
    return from_torch(opposite(result))


def has_no_kernel(error: BaseException) -> bool:
    """Whether torch lacks the dtype rather than refuses the call."""
    return "not implemented for" in str(error) or "could not infer output dtype" in str(error)


def as_numbers(array: Array) -> Array:
    """The elements as float64, or as they are if they are not a 16-bit float: for comparing."""
    array = plain(array)
    return array.astype(np.float64) if array.dtype.itemsize == 2 and array.dtype.kind in "fV" else array


def each(value: Any, spatial: int) -> list[int]:
    numbers = list(value) if isinstance(value, Sequence) else [value]
    return [int(number) for number in (numbers * spatial if len(numbers) == 1 else numbers)]


# --- torch's words for what convrs alone has a word for ------------------------------------------------------------

NUMPY_PADDING = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def without_our_words(call: Call) -> Call:
    """A convolution whose padding torch has no word for, as one over an input that NumPy has padded."""
    mode = call.parameters.get("padding_mode", "zeros")
    padding = call.parameters.get("padding", 0)
    parameters = {name: value for name, value in call.parameters.items() if name != "padding_mode"}
    weight = call.arrays["weight"]
    assert weight is not None
    spatial = call.operator.spatial
    stride, dilation = each(parameters["stride"], spatial), each(parameters["dilation"], spatial)
    if padding in ("same", "same_lower"):
        pairs = []
        sizes = zip(call.input.shape[-spatial:], weight.shape[-spatial:], stride, dilation, strict=True)
        for size, kernel, step, far in sizes:
            both = max((-(-size // step) - 1) * step + far * (kernel - 1) + 1 - size, 0)
            less, more = both // 2, both - both // 2
            pairs.append((less, more) if padding == "same" else (more, less))
    elif padding == "valid":
        pairs = [(0, 0)] * spatial
    elif isinstance(padding, Sequence) and isinstance(padding[0], Sequence):
        pairs = [tuple(pair) for pair in padding]
    else:
        pairs = [(side, side) for side in each(padding, spatial)]
    lead = [(0, 0)] * (call.input.ndim - spatial)
    # NumPy's modes refuse an empty array that they need not fill.
    keyword = NUMPY_PADDING[mode] if call.input.size else "constant"
    padded = np.pad(plain(call.input), lead + pairs, keyword)
    return Call(call.operator, {**call.arrays, "input": padded}, {**parameters, "padding": 0})


# --- exact values ---

INT64_FAMILIES = ("conv", "conv_transpose", "max_pool", "min_pool", "avg_pool")
"""Families for which torch has an int64 kernel; the others compute integers as float64, exactly."""


def wide_dtype(call: Call) -> np.dtype[Any]:
    kind = plain(call.input).dtype.kind
    if kind == "c":
        return np.dtype(np.complex128)
    if kind in "iub" and call.operator.family in INT64_FAMILIES:
        return np.dtype(np.int64)
    return np.dtype(np.float64)


def widened(call: Call, dtype: np.dtype[Any] | None = None) -> Call:
    """The same call on the same numbers in a wide dtype; torch's fractional pools compute windows in their own."""
    dtype = wide_dtype(call) if dtype is None else dtype
    arrays = {
        name: array if array is None or name == "indices" else plain(array).astype(dtype)
        for name, array in call.arrays.items()
    }
    return Call(call.operator, arrays, call.parameters)


def exact(call: Call) -> Any:
    """Values by torch's rule in a wide dtype, before rounding or wrapping to the call's dtype; indices as they are."""
    family = call.operator.family
    if family == "conv":
        call = without_our_words(call)
    if family == "fractional_max_pool" and plain(call.input).dtype.kind in "fV":
        return torch_call(call)
    if family in ("avg_pool", "adaptive_avg_pool", "max_unpool") and plain(call.input).dtype.kind == "c":
        halves = [
            exact(call.with_arrays(input=np.ascontiguousarray(half)))
            for half in (plain(call.input).real, plain(call.input).imag)
        ]
        return halves[0] + 1j * halves[1]
    wide = widened(call)
    if family in ("max_pool", "min_pool"):
        # Torch knows some integers with indices alone.
        values, indices = torch_call(wide.with_parameters(return_indices=True))
        values = _empty_as_in(plain(call.input).dtype, values)
        return (values, indices) if call.parameters["return_indices"] else values
    return torch_call(wide)


def _empty_as_in(dtype: np.dtype[Any], values: Array) -> Array:
    """Extrema of windows without elements, the ends of int64, as the ends of the call's own integers."""
    if dtype.kind not in "iub":
        return values
    wide = np.iinfo(np.int64)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    low, high = (np.array(end, dtype).astype(np.int64) for end in (low, high))
    return np.where(values == wide.min, low, np.where(values == wide.max, high, values))


def narrowed(values: Array, dtype: np.dtype[Any]) -> Array:
    """Exact values in an integer dtype or bool, by truncation and wrap-around."""
    whole = np.trunc(values).astype(np.int64)
    return whole != 0 if dtype == np.bool_ else whole.astype(dtype)


# --- how far a sum may lie from its exact value ---

ROUNDOFF = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}
SMALLEST = {"float16": 2.0**-24, "bfloat16": 2.0**-133, "float32": 2.0**-149, "float64": 2.0**-1074}


def gamma(operations: int, roundoff: float) -> float:
    return operations * roundoff / (1 - operations * roundoff)


def terms(call: Call) -> int:
    """The most products or elements that one output element is the sum of, the bias included."""
    family, spatial = call.operator.family, call.operator.spatial
    if family in ("conv", "conv_transpose"):
        weight = call.arrays["weight"]
        assert weight is not None
        channels = weight.shape[1] if family == "conv" else weight.shape[0] // call.parameters["groups"]
        return int(channels * math.prod(weight.shape[2:]) + 1)
    if family == "adaptive_avg_pool":
        sizes = call.input.shape[-spatial:]
        output = call.parameters["output_size"]
        outputs = list(output) if isinstance(output, Sequence) else [output] * spatial
        pairs = zip(
            sizes, [size if out is None else out for size, out in zip(sizes, outputs, strict=True)], strict=True
        )
        return math.prod(-(-size // max(out, 1)) + 1 for size, out in pairs)
    return math.prod(each(call.parameters["kernel_size"], spatial))


def magnitudes(call: Call) -> Any:
    """The operator on absolute values: for every output element the sum of |x| |w|."""
    arrays = {
        name: array if array is None or name == "indices" else np.abs(plain(array)).astype(np.float64)
        for name, array in call.arrays.items()
    }
    return np.abs(exact(Call(call.operator, arrays, call.parameters)))


def bound(call: Call, values: Array) -> Array:
    """gamma_(K+1) sum |x| |w| of the call's accumulator and of the float64 authority, and one rounding to 16 bits.

    A complex product has one rounding more, and each part is a sum of twice as many terms.
    """
    name = str(plain(call.input).dtype)
    parts = {"complex64": "float32", "complex128": "float64"}.get(name, name)
    short = parts in ("float16", "bfloat16")
    accumulator = "float32" if short else parts
    count = terms(call) + 1
    if name in ("complex64", "complex128"):
        count += 1
    error = (gamma(count, ROUNDOFF[accumulator]) + gamma(count, ROUNDOFF["float64"])) * magnitudes(call)
    error = error + count * SMALLEST[accumulator]
    if short:
        error = error + ROUNDOFF[parts] * (np.abs(values) + error) + SMALLEST[parts]
    return np.asarray(error)


def power_mean_limits(call: Call) -> tuple[Array, Array, Array]:
    """The least and the largest value a power mean may have, and where its sum may be negative as well as positive.

    The sum of powers has a relative error as above, each power one of its own; the root is monotone in the sum, has an
    error of its own, and an exponent 1 / p that is rounded.
    """
    name = str(plain(call.input).dtype)
    short = name in ("float16", "bfloat16")
    unit = ROUNDOFF["float32" if short else name]
    norm = float(call.parameters["norm_type"])
    kernel = each(call.parameters["kernel_size"], call.operator.spatial)
    average = getattr(torch.nn.functional, f"avg_pool{call.operator.spatial}d")
    windows = {name: call.parameters[name] for name in ("kernel_size", "stride", "ceil_mode")}

    def total(powers: Array) -> Array:
        return average(torch.from_numpy(powers), **windows).numpy() * math.prod(kernel)

    with np.errstate(all="ignore"):
        powers = plain(call.input).astype(np.float64) ** norm
        middle = total(powers)
        error = gamma(terms(call) + 6, unit) * total(np.abs(powers))
        roots = [np.where(np.isinf(middle), middle, middle + sign * error) ** (1 / norm) for sign in (-1, 1)]
        spread = 6 * unit * (1 + np.abs(np.log(np.abs(middle)) / norm))
        spread = np.where(np.isfinite(spread), spread, 0)
        low, high = np.minimum(*roots), np.maximum(*roots)
        low, high = low - spread * np.abs(low), high + spread * np.abs(high)
        if short:
            low, high = (
                end + sign * (ROUNDOFF[name] * np.abs(end) + SMALLEST[name]) for sign, end in ((-1, low), (1, high))
            )
    return low, high, np.abs(middle) <= error
