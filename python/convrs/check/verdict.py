"""The verdict on a result: is the difference to the reference rounding, or what else?"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import backends
from .call import Call
from .causes import Cause, Evidence, causes, places
from .difference import Difference, difference
from .formats import Format, widened
from .reference import Operator, as_given, call_of, result_of
from .result import Result

WRAPPED = textwrap.TextWrapper(118, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


@dataclass(frozen=True)
class Verdict:
    """What `compare` found. Print it to read it."""

    op: str
    """Name of the operator."""
    kind: Literal["exact", "rounding", "beyond rounding"]
    """Every element is the reference rounded to the dtype; or within the rounding bound; or not."""
    size: int
    """Number of elements."""
    wrong: int
    """Number of elements beyond the bound; of indices that differ."""
    max_abs: float
    """Largest |actual - reference|; infinite where just one of them is finite or the shapes differ, never NaN."""
    max_rel: float
    """Largest |actual - reference| / |reference| where the reference is neither zero nor infinite; never NaN."""
    max_ulp: float
    """Largest difference in units in the last place of the dtype at the reference; never NaN."""
    share: float
    """Largest difference as a share of its rounding bound; infinite where the bound is 0 and the difference is not."""
    index: tuple[int, ...] | None
    """Index of the element with the largest share; None for an empty result."""
    actual: str
    """That element as it is."""
    expected: str
    """That element in the reference."""
    bound: float
    """The rounding bound of that element."""
    message: str
    """The finding in one line."""
    causes: tuple[Cause, ...] = ()
    """What gives just these numbers if the reference is computed so; more than one if they all do."""
    places: str = ""
    """What the places of the wrong elements have in common."""

    @property
    def agrees(self) -> bool:
        """Whether rounding explains every difference."""
        return self.kind != "beyond rounding"

    def __str__(self) -> str:
        lines = [f"{self.op}: {self.kind}: {self.message}"]
        if self.index is not None and self.max_abs:
            lines.append(f"  worst element {self.index}: got {self.actual}, the reference is {self.expected}")
            lines.append(f"  its difference is {self.share:.3g} times what rounding explains, {self.bound:.3g}")
            largest = f"{self.max_abs:.3g} absolute, {self.max_rel:.3g} relative, {self.max_ulp:.3g} ULP"
            lines.append(f"  largest differences: {largest}")
        if self.places:
            lines.append(f"  where: {self.places}")
        for cause in self.causes:
            lines += WRAPPED.wrap(f"cause: {cause}")
        return "\n".join(lines)


def compare(actual: Any, op: Operator, *inputs: Any, **params: Any) -> Verdict:
    """Judges a result against the reference: exact, rounding, or beyond rounding.

    NaN agrees with NaN and an infinity with the same one; so the verdict holds no NaN. Where a sum may overflow on the
    way, or padding meets an infinite weight, an infinity or NaN agrees too: both are legitimate there.

    Args:
        actual: the result to judge, a NumPy array or torch tensor; a pair with its indices for `return_indices`.
        op: the name of a function of `convrs.functional`, or the function.
        *inputs: its arguments, NumPy arrays or torch tensors.
        **params: its arguments by keyword. Fractional pools need `_random_samples`.

    Returns:
        The verdict. Another shape or dtype than the reference's is "beyond rounding". Then its `causes` are those ways
        of going wrong of which each gives every number that was judged to within its rounding bound (none if no way
        that is known does), and `places` says what the places of the wrong elements have in common.

    Raises:
        ValueError: no such operator, or the arguments make no result.
        TypeError: a dtype that the operator does not take.

    Example:
        >>> import numpy as np
        >>> x, w = np.array([[[1, 2, 4]]], np.float32), np.array([[[0.1, 0.2]]], np.float32)
        >>> compare(np.array([[[0.5, 1.0000001]]], np.float32), "conv1d", x, w).kind
        'rounding'
        >>> print(compare(np.array([[[0.5, 2]]], np.float32), "conv1d", x, w))
        conv1d: beyond rounding: 1 of 2 elements differ by more than rounding explains
          worst element (0, 0, 1): got 2, the reference is 1.00000001
          its difference is 5.59e+06 times what rounding explains, 1.79e-07
          largest differences: 1 absolute, 1 relative, 8.39e+06 ULP
          where: length 1 (of 2)
        >>> print(*compare(np.array([[[0.4, 0.8]]], np.float32), "conv1d", x, w).causes)  # doctest: +ELLIPSIS
        kernel flipped: the kernel is turned round along length: a true convolution, where torch's is a cross-...
    """
    call = call_of(op, inputs, params)
    result = as_given(call, result_of(call))
    if call.indexed and not (isinstance(actual, tuple | list) and len(actual) == 2):
        return _refused(call, result, f"the result must be a pair of values and indices, got {type(actual).__name__}")
    values, indices = actual if call.indexed else (actual, None)
    try:
        array, form = widened("actual", backends.to_numpy("actual", values))
    except TypeError as error:
        return _refused(call, result, str(error))
    if form is not result.format:
        return _refused(call, result, f"the dtype is {form.name}, the reference's is {result.format.name}")
    if array.shape != result.values.shape:
        message = f"the shape is {array.shape}, the reference's is {result.values.shape}"
        return _reasoned(_refused(call, result, message), call, array, None, result)
    verdict = _judged(call.name, array, difference(array, result), result)
    if not verdict.agrees or not call.indexed:
        return _reasoned(verdict, call, array, None, result)
    places = backends.to_numpy("indices", indices)
    return _reasoned(_with_indices(verdict, call, places, result), call, array, places, result)


def assert_agrees(actual: Any, op: Operator, *inputs: Any, **params: Any) -> None:
    """Raises an AssertionError with the verdict unless rounding explains every difference; the arguments of `compare`.

    Example:
        >>> import numpy as np
        >>> from convrs import max_pool1d
        >>> signal = np.array([[[1, 5, 2, 4]]], np.float32)
        >>> assert_agrees(max_pool1d(signal, 2), "max_pool1d", signal, 2)
    """
    __tracebackhide__ = True
    verdict = compare(actual, op, *inputs, **params)
    if not verdict.agrees:
        raise AssertionError(str(verdict))


def _reasoned(
    verdict: Verdict, call: Call, actual: NDArray[Any], indices: NDArray[Any] | None, result: Result
) -> Verdict:
    """The verdict with the causes of what rounding does not explain."""
    if verdict.agrees:
        return verdict
    if not call.batched:
        actual, result = actual[None], result.map(lambda array: array[None])
        indices = None if indices is None else indices[None]
    evidence = Evidence(call, actual, indices, result)
    with np.errstate(all="ignore"):
        return replace(verdict, causes=causes(evidence), places=places(evidence))


def _judged(name: str, actual: NDArray[Any], found: Difference, result: Result) -> Verdict:
    form, values, error, share = result.format, result.values, found.error, found.share
    wrong = int(np.count_nonzero(found.wrong))
    size = np.abs(values)
    measurable = (size > 0) & np.isfinite(size)
    relative = np.where(measurable, error / np.where(measurable, size, 1), 0)
    if not error.size:
        message, index = "the result is empty", None
    else:
        # Of equal shares, infinite ones above all, the largest difference.
        worst = np.lexsort((-error.ravel(), -share.ravel()))[0]
        index = tuple(int(at) for at in np.unravel_index(worst, error.shape))
        message = _finding(wrong, error.size, exact=found.exact, rounds=form.precision > 0)
    return Verdict(
        op=name,
        kind="beyond rounding" if wrong else "exact" if found.exact else "rounding",
        size=error.size,
        wrong=wrong,
        max_abs=_largest(error),
        max_rel=_largest(relative),
        max_ulp=_largest(error / form.spacing(np.abs(values))),
        share=_largest(share),
        index=index,
        actual="" if index is None else _shown(actual[index], form),
        expected="" if index is None else _shown(values[index], form),
        bound=0.0 if index is None else float(result.bound[index]),
        message=message,
    )


def _finding(wrong: int, size: int, *, exact: bool, rounds: bool) -> str:
    if wrong:
        return f"{wrong} of {size} elements differ" + (" by more than rounding explains" if rounds else "")
    if exact:
        return f"all {size} elements are the reference" + (", rounded to the dtype" if rounds else "")
    return f"all {size} elements lie within the rounding bound"


def _with_indices(verdict: Verdict, call: Call, indices: NDArray[Any], result: Result) -> Verdict:
    expected = result.indices
    assert expected is not None
    if indices.shape != expected.shape or indices.dtype != np.int64:
        found = f"the indices are {indices.dtype} of shape {indices.shape}, the reference's int64 of {expected.shape}"
        return _refused(call, result, found)
    differ = indices != expected
    if not differ.any():
        return verdict
    index = tuple(int(at) for at in np.argwhere(differ)[0])
    wrong = int(np.count_nonzero(differ))
    first = f"the first at {index}: got {indices[index]}, reference {expected[index]}"
    message = f"{wrong} of {differ.size} indices differ, {first}"
    return replace(verdict, kind="beyond rounding", wrong=wrong, message=message)


def _refused(call: Call, result: Result, message: str) -> Verdict:
    """The verdict on what cannot be compared element by element."""
    return Verdict(
        op=call.name,
        kind="beyond rounding",
        size=result.values.size,
        wrong=result.values.size,
        max_abs=np.inf,
        max_rel=np.inf,
        max_ulp=np.inf,
        share=np.inf,
        index=None,
        actual="",
        expected="",
        bound=0.0,
        message=message,
    )


def _largest(numbers: NDArray[Any]) -> float:
    return float(np.max(numbers, initial=0))


def _shown(number: Any, form: Format) -> str:
    if form.name == "bool":
        return str(bool(number))
    if form.complex:
        return str(complex(number))
    # As many digits as the format needs to tell its numbers apart.
    return f"{number:.{2 + form.precision * 3 // 10}g}" if form.precision else str(number)
