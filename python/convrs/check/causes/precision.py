"""Numbers of fewer bits than the arrays have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats import FORMATS, Format, gamma
from .evidence import Evidence, Hypothesis, Trial

TF32 = Format("eleven bits (TF32, float16)", "float64", 11, -126)
"""What matrix units of GPUs make of float32: its exponent, and a significand as short as float16's."""

LESS = {
    "float64": (FORMATS["float32"], TF32, FORMATS["float16"], FORMATS["bfloat16"]),
    "float32": (TF32, FORMATS["float16"], FORMATS["bfloat16"]),
}


def _shortened(form: Format, array: NDArray[Any]) -> NDArray[Any]:
    """Rounded towards zero."""
    spacing = form.spacing(array)
    return np.where(np.isfinite(array), np.trunc(array / spacing) * spacing, array)


def _operands(evidence: Evidence) -> Iterator[Trial]:
    call = evidence.call
    for form in LESS.get(call.form.name, ()):
        for how in (form.rounded, lambda array, form=form: _shortened(form, array)):
            yield form.name, call.with_arrays(**_each(call.arrays, how, ("input", "weight")))


def _each(
    arrays: Any, change: Callable[[NDArray[Any]], NDArray[Any]], names: tuple[str, ...]
) -> dict[str, NDArray[Any]]:
    return {name: change(arrays[name]) for name in names if arrays.get(name) is not None}


def _formats(evidence: Evidence) -> Iterator[Format]:
    """Shorter formats in which every number that was judged can be written."""
    for form in LESS.get(evidence.call.form.name, ()):
        if form is not TF32 and np.array_equal(form.rounded(evidence.actual), evidence.actual, equal_nan=True):
            yield form


def _everything(evidence: Evidence) -> Iterator[Trial]:
    call = evidence.call
    for form in _formats(evidence):
        arrays = _each(call.arrays, form.rounded, ("input", "weight", "bias"))
        yield form.name, replace(call.with_arrays(**arrays), form=form)


def _result(evidence: Evidence) -> Iterator[Trial]:
    for form in _formats(evidence):
        yield form.name, replace(evidence.call, form=form)


def _sums(evidence: Evidence) -> Iterator[Trial]:
    """The bound of a sum grows with its roundings: as many as float32's own bound has, but coarser ones."""
    accumulator = evidence.call.form.accumulator
    if not evidence.comparable:
        return
    for form in _formats(evidence):
        coarser = evidence.result.bound * (form.roundoff / accumulator.roundoff)
        few = float(gamma(1, form.roundoff))
        bound = coarser * (1 + few) + form.smallest
        yield form.name, replace(evidence.result, bound=bound)


PRECISION = (
    Hypothesis(
        "shorter operands",
        "input and weight are rounded to {} before they are multiplied; ask for full precision (for TF32 "
        "torch.backends.cudnn.allow_tf32 = False), or compare with a reference of rounded arrays",
        _operands,
    ),
    Hypothesis(
        "result in a shorter dtype",
        "the sums are right, but were rounded to {}; keep the result in the dtype of the arrays",
        _result,
    ),
    Hypothesis(
        "computed in a shorter dtype",
        "everything is rounded to {}; compute in the dtype of the arrays, or compare with a reference in that dtype",
        _everything,
    ),
    Hypothesis(
        "summed in a shorter dtype",
        "the numbers are within what rounding every sum to {} explains; sum in float32 or wider",
        _sums,
    ),
)
