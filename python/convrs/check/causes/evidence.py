"""What a cause is looked for in, and what a hypothesis about it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..call import Call, Crop
from ..difference import Difference, difference, distance
from ..result import Result

AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""Names of the spatial axes."""


@dataclass(frozen=True)
class Evidence:
    """A result that rounding does not explain. All arrays have a batch."""

    call: Call
    actual: NDArray[Any]
    """Its elements in the wider dtype of the reference."""
    indices: NDArray[np.int64] | None
    """Its indices, where these are what differs."""
    result: Result
    """The reference."""

    @property
    def comparable(self) -> bool:
        """Whether it has the reference's shape."""
        return bool(self.actual.shape == self.result.values.shape)

    @cached_property
    def difference(self) -> Difference:
        """From the reference."""
        return difference(self.actual, self.result)

    @cached_property
    def worst(self) -> tuple[int, ...]:
        """An element that is wrong: the farthest from the reference, or where shapes differ the last."""
        if not self.comparable:
            return tuple(size - 1 for size in self.actual.shape)
        return tuple(int(at) for at in np.unravel_index(np.argmax(self.difference.share), self.actual.shape))

    @cached_property
    def crop(self) -> Crop:
        """Few outputs along each axis, a wrong one, the first and the last among them."""
        sizes = self.actual.shape[2:]
        count = {1: 12, 2: 4, 3: 3}[len(sizes)]
        kept = [_spread(size, count, at) for size, at in zip(sizes, self.worst[2:], strict=True)]
        groups = self.call.parameters.get("groups", 1)
        each = max(1, self.actual.shape[1] // groups)
        channels = np.arange(groups)[:, None] * each + _spread(each, 4, self.worst[1] % each)
        return Crop(channels.ravel(), sizes, tuple(kept))

    def cropped(self, array: NDArray[Any]) -> NDArray[Any]:
        """These outputs of the image of the worst element."""
        index: Any = np.ix_(np.array(self.worst[:1]), self.crop.channels, *self.crop.kept)
        part: NDArray[Any] = array[index]
        return part

    def cropped_call(self, call: Call) -> Call:
        """The call that computes these outputs alone."""
        image = self.worst[0]
        input = call.arrays["input"][image : image + 1]
        if "weight" not in call.arrays:
            input = input[:, self.crop.channels]
        return replace(call.with_arrays(input=input), crop=self.crop)

    def explained_by(self, result: Result) -> bool:
        """Whether a result is the one that was judged, to within its bound.

        Where only numbers were changed and not how they are rounded, that must move the worst element by more than
        either bound: else it explains nothing.
        """
        if not fits(self.actual, result):
            return False
        if self.indices is not None:
            return np.array_equal(self.indices, np.asarray(result.indices))
        if not self.comparable or result.format is not self.result.format or result.values is self.result.values:
            return True
        bound = max(result.bound[self.worst], self.result.bound[self.worst])
        near = distance(result.values, self.result.values)[self.worst] <= bound
        return not near

    @cached_property
    def sample(self) -> Evidence:
        """The evidence in the crop."""
        return replace(self, actual=self.cropped(self.actual), result=self.result.map(self.cropped))


def _spread(size: int, count: int, at: int) -> NDArray[np.int64]:
    """A number below `size` and others from the first to the last."""
    return np.unique(np.append(np.linspace(0, size - 1, count).astype(np.int64), at))


def fits(actual: NDArray[Any], result: Result) -> bool:
    """Whether rounding explains every difference to a result."""
    return actual.shape == result.values.shape and not difference(actual, result).wrong.any()


Trial = tuple[str, Call | Result]
"""What was changed, in words that the sentence has a place for; the changed call, or what it would have given."""


@dataclass(frozen=True)
class Hypothesis:
    """Something that may have gone wrong."""

    name: str
    sentence: str
    """What it is and how to mend it, with {} for what a trial says."""
    trials: Callable[[Evidence], Iterable[Trial]]
    """The ways in which it may have happened."""


@dataclass(frozen=True)
class Cause:
    """What went wrong: computed so, the reference gives the numbers that were judged.

    Attributes:
        name: a few words, the same whatever the call.
        text: what it is and how to mend it.
    """

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"
