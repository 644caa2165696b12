"""Where wrong elements lie, and whether they are all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evidence import AXES, Evidence

NAMED = 5
"""So many places are named one by one."""


def places(evidence: Evidence) -> str:
    """What the places of the wrong elements have in common; empty if nothing."""
    if not evidence.comparable or evidence.indices is not None:
        return ""
    wrong = evidence.difference.wrong
    found = []
    for axis, name in enumerate(("images", "channels", *AXES.get(wrong.ndim - 2, ()))):
        others = tuple(other for other in range(wrong.ndim) if other != axis)
        hit = np.flatnonzero(wrong.any(axis=others))
        if 0 < len(hit) < wrong.shape[axis]:
            found.append(f"{name} {_listed(hit, wrong.shape[axis])} (of {wrong.shape[axis]})")
    values = evidence.actual[wrong]
    if len(values) > 1 and (np.isnan(values).all() or (values == values[0]).all()):
        found.append(f"every one is {values[0]:g}" + (": never written?" if values[0] == 0 else ""))
    return "; ".join(found)


def _listed(numbers: NDArray[Any], size: int) -> str:
    """Numbers of 0..size, as short as may be."""
    steps = np.unique(np.diff(numbers))
    if len(numbers) <= 2:
        return " and ".join(map(str, numbers))
    if len(steps) == 1:
        run = f"{numbers[0]} to {numbers[-1]}"
        return run if steps[0] == 1 else f"{run} by {steps[0]}"
    missing = np.setdiff1d(np.arange(size), numbers)
    if len(missing) <= 2:
        return f"all but {' and '.join(map(str, missing))}"
    shown = ", ".join(map(str, numbers[:NAMED]))
    return shown + (f" and {len(numbers) - NAMED} more" if len(numbers) > NAMED else "")
