"""What torch has a word for: the rest is put together from other calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["each", "in_torchs_words", "is_paired"]

IMPLIED = {"rule": "torch", "dilation": 1, "padding": 0}
"""What torch computes where its function lacks a parameter of ours."""


def in_torchs_words(parameters: Mapping[str, Any], lacking: Sequence[str]) -> dict[str, Any] | None:
    """The parameters as torch takes them, None if it cannot be said to torch.

    Args:
        parameters: those of a pool of ours.
        lacking: the names that torch's function lacks.
    """
    given = dict(parameters)
    for name in lacking:
        if given.pop(name) != IMPLIED[name]:
            return None
    padding = given.get("padding", 0)
    return None if isinstance(padding, str) or is_paired(padding) else given


def is_paired(padding: Any) -> bool:
    """Whether padding is given as (before, after) pairs."""
    return isinstance(padding, list | tuple) and any(isinstance(side, Sequence) for side in padding)


def each(value: Any, spatial: int) -> list[Any]:
    """One value for each spatial axis."""
    numbers = list(value) if isinstance(value, Sequence) else [value]
    return numbers * spatial if len(numbers) == 1 else numbers
