"""From an operator's name and arguments to its reference, computed by plain NumPy."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import backends, functional
from . import conv, patches, pools
from .call import Call
from .formats import Format, widened
from .result import Result

ARRAYS = ("input", "weight", "bias", "indices", "_random_samples")

REFERENCES: dict[str, Callable[[Call], Result]] = {
    "conv": conv.conv,
    "conv_transpose": conv.conv_transpose,
    "max_pool": pools.max_pool,
    "min_pool": pools.min_pool,
    "max_unpool": pools.max_unpool,
    "avg_pool": pools.avg_pool,
    "lp_pool": pools.lp_pool,
    "adaptive_avg_pool": pools.adaptive_avg_pool,
    "adaptive_max_pool": pools.adaptive_max_pool,
    "fractional_max_pool": pools.fractional_max_pool,
    "unfold": patches.unfold,
    "fold": patches.fold,
}
"""By the family of operators."""

Operator = str | Callable[..., Any]
"""The name of a function of `convrs.functional`, or the function."""


def name_of(op: Operator, names: Sequence[str] = functional.__all__) -> str:
    """The operator's name, or a ValueError that says which of the names there are is nearest."""
    name = op if isinstance(op, str) else getattr(op, "__name__", repr(op))
    if name not in names:
        near = difflib.get_close_matches(name.lower().rpartition(".")[2], names, 1)
        rule = f"the nearest is {near[0]!r}" if near else f"it must be one of {', '.join(names)}"
        raise ValueError(f"op is {name!r}: {rule}")
    return name


def bound_arguments(name: str, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of a function by their names, those not given as they are by default."""
    try:
        bound = inspect.signature(getattr(functional, name)).bind(*inputs, **params)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    bound.apply_defaults()
    return dict(bound.arguments)


def call_of(op: Operator, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Call:
    """The call of an operator; what the operator refuses is refused."""
    name = name_of(op)
    parameters = bound_arguments(name, inputs, params)
    given = {key: parameters.pop(key) for key in ARRAYS if key in parameters}
    arrays: dict[str, Any] = {}
    formats: dict[str, Format] = {}
    for key, array in given.items():
        if array is None:
            arrays[key] = None
        else:
            arrays[key], formats[key] = widened(key, backends.to_numpy(key, array))
    form = formats["input"]
    for key in ("weight", "bias"):
        if formats.get(key, form) is not form:
            raise TypeError(f"{key} has dtype {formats[key].name}, but input has dtype {form.name}")
    _refuse_as_the_operator(name, given, parameters)
    match = re.fullmatch(r"(.*)([123])d", name)
    family, spatial = (match[1], int(match[2])) if match else (name, 1 if name == "fold" else 2)
    axes = arrays["input"].ndim
    if axes not in (spatial + 1, spatial + 2):
        raise ValueError(f"input must have {spatial + 2} axes, or {spatial + 1} without the batch")
    batched = axes == spatial + 2
    if not batched:
        arrays |= {key: arrays[key][None] for key in ("input", "indices") if key in arrays}
    return Call(name, family, spatial, form, arrays, parameters, batched)


def result_of(call: Call) -> Result:
    """The reference's result, with a batch."""
    with np.errstate(all="ignore"):
        return REFERENCES[call.family](call)


def as_given(call: Call, result: Result) -> Result:
    """The result without its batch where the call's input has none."""
    return result if call.batched else result.map(lambda array: array[0])


def reference(op: Operator, *inputs: Any, **params: Any) -> Any:
    """The result of an operator computed by plain NumPy, independently of the kernels.

    It is computed in float64 for float16, bfloat16 and float32, in longdouble (80 bits on x86) for float64, in the
    complex dtypes of these, and exactly for integers and bool, with the wrap-around of their dtype. It is slow.

    Args:
        op: the name of a function of `convrs.functional`, or the function.
        *inputs: its arguments, NumPy arrays or torch tensors.
        **params: its arguments by keyword. Fractional pools need `_random_samples`.

    Returns:
        The unrounded result in the wide dtype; with `return_indices` a pair of it and the indices.

    Raises:
        ValueError: no such operator, or the arguments make no result.
        TypeError: a dtype that the operator does not take.

    Example:
        >>> import numpy as np
        >>> reference("avg_pool1d", np.array([[[1, 2, 4]]], np.float32), 2, stride=1)
        array([[[1.5, 3. ]]])
    """
    call = call_of(op, inputs, params)
    result = as_given(call, result_of(call))
    return (result.values, result.indices) if call.indexed else result.values


def rounding_bound(op: Operator, *inputs: Any, **params: Any) -> NDArray[np.float64]:
    """How far rounding alone may move each element of an operator's result.

    For a convolution whose outputs have K products it is gamma_(K+1) * (sum |x| |w| + |bias|) with
    gamma_n = n u / (1 - n u), whatever the order of the sum; for an average of K elements
    gamma_(K+1) * sum |x| / divisor. u is the roundoff of the dtype in which sums are formed, 2^-24 for float32, float16
    and bfloat16; the 16-bit dtypes add their own final rounding. Complex ones have sqrt(10) gamma_(K+5). Powers
    (lp_pool) are taken to be right within 2 ULP. Each operation that may underflow adds the smallest subnormal; a
    kernel that flushes subnormals may differ by more. The error of the reference itself is included; it matters only
    for float64 where longdouble is no wider. Maxima, moved elements and integers have no rounding: 0.

    Args:
        op: the name of a function of `convrs.functional`, or the function.
        *inputs: its arguments, NumPy arrays or torch tensors.
        **params: its arguments by keyword.

    Returns:
        float64 array of the result's shape; infinite where the sum may overflow on the way.

    Raises:
        ValueError: no such operator, or the arguments make no result.
        TypeError: a dtype that the operator does not take.

    Source:
        N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, SIAM 2002, sections 2.8, 3.1, 3.6
        and 23.2.

    Example:
        >>> import numpy as np
        >>> ones = np.ones((1, 1, 3), np.float32)
        >>> rounding_bound("conv1d", ones, ones) / 2.0**-24
        array([[[12.00000291]]])
    """
    call = call_of(op, inputs, params)
    result = as_given(call, result_of(call))
    return np.where(result.loose, np.inf, result.bound)


def _refuse_as_the_operator(name: str, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Raises what the operator raises; of its result nothing is used."""
    numbers = {key: array if array is None else backends.to_numpy(key, array) for key, array in arrays.items()}
    with np.errstate(all="ignore"):
        getattr(functional, name)(**numbers, **{**parameters, "out": None})
