"""A call as its reference takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .formats import Format
from .windows import Axis


@dataclass(frozen=True)
class Crop:
    """Some outputs of all: every combination of those kept along each axis."""

    channels: NDArray[np.int64]
    """Output channels that are kept, the same of every group."""
    sizes: tuple[int, ...]
    """How many outputs there are along each spatial axis."""
    kept: tuple[NDArray[np.int64], ...]


@dataclass(frozen=True)
class Call:
    """A call of an operator, all its arguments given."""

    name: str
    """Name of the function."""
    family: str
    """The name without "1d", "2d" or "3d"."""
    spatial: int
    form: Format
    """That of the input and the result."""
    arrays: Mapping[str, Any]
    """In wider dtypes; the input always has a batch."""
    parameters: Mapping[str, Any]
    batched: bool
    """Whether the caller's input has a batch."""
    crop: Crop | None = None
    """Outputs that are computed; all if None."""

    @property
    def indexed(self) -> bool:
        """Whether it returns indices too."""
        return bool(self.parameters.get("return_indices", False))

    def with_arrays(self, **arrays: Any) -> Call:
        """The call with other arrays."""
        return replace(self, arrays={**self.arrays, **arrays})

    def with_parameters(self, **parameters: Any) -> Call:
        """The call with other parameters."""
        return replace(self, parameters={**self.parameters, **parameters})

    def wanted(self, axes: Sequence[Axis]) -> Sequence[Axis]:
        """The axes with the outputs of the crop alone; a ValueError where the crop is of another size."""
        if self.crop is None:
            return axes
        if tuple(axis.outputs for axis in axes) != self.crop.sizes:
            raise ValueError("the result has another shape")
        return [axis.only(kept) for axis, kept in zip(axes, self.crop.kept, strict=True)]
