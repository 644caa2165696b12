"""Every hypothesis tried on the evidence."""

from __future__ import annotations

import numpy as np

from ..call import Call
from ..reference import result_of
from ..result import Result
from .evidence import Cause, Evidence, Hypothesis, fits
from .indices import INDICES
from .layouts import LAYOUTS
from .parameters import PARAMETERS
from .precision import PRECISION
from .results import FITTED, RESULTS

HYPOTHESES: tuple[tuple[Hypothesis, ...], ...] = (
    (*LAYOUTS, *PARAMETERS, *RESULTS),
    *((hypothesis,) for hypothesis in (*FITTED, *PRECISION)),
)
"""First those that leave nothing open, all of which may be named; then those with numbers to fit and those that round,
each of which is tried only where none before it fits."""

SEPARATE = (
    "conv",
    "conv_transpose",
    "max_pool",
    "min_pool",
    "avg_pool",
    "lp_pool",
    "adaptive_avg_pool",
    "adaptive_max_pool",
)
"""Operators of which some outputs can be computed without the others; no other calls are tried for the rest."""

LEAST_BITS = 16
"""Wrong elements that have fewer bits together are explained by chance too easily."""


def causes(evidence: Evidence) -> tuple[Cause, ...]:
    """The hypotheses that give the numbers that were judged, each to within its own rounding bound."""
    actual, values = evidence.actual, evidence.result.values
    if actual.ndim != values.ndim or len(actual) != len(values) or not actual.size:
        return ()
    if evidence.indices is not None:
        return _found(INDICES, evidence)
    wrong = np.count_nonzero(evidence.difference.wrong) if evidence.comparable else actual.size
    if wrong * {"bool": 1, "int8": 8, "uint8": 8}.get(evidence.call.form.name, LEAST_BITS) < LEAST_BITS:
        return ()
    return next((found for group in HYPOTHESES if (found := _found(group, evidence))), ())


def _found(hypotheses: tuple[Hypothesis, ...], evidence: Evidence) -> tuple[Cause, ...]:
    return tuple(cause for hypothesis in hypotheses if (cause := _tried(hypothesis, evidence)) is not None)


def _tried(hypothesis: Hypothesis, evidence: Evidence) -> Cause | None:
    """The cause, if one of its trials gives the numbers."""
    for words, other in hypothesis.trials(evidence):
        if _explains(other, evidence):
            return Cause(hypothesis.name, hypothesis.sentence.format(words))
    return None


def _explains(other: Call | Result, evidence: Evidence) -> bool:
    if isinstance(other, Result):
        return evidence.explained_by(other)
    if evidence.call.family not in SEPARATE:
        return False
    try:
        part = result_of(evidence.cropped_call(other))
        return fits(evidence.cropped(evidence.actual), part) and evidence.explained_by(result_of(other))
    except (ValueError, IndexError):
        # Such a call makes no result.
        return False
