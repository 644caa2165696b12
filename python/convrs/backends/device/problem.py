"""A call of a function that torch lacks words for, checked by the kernels and with its batch in front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..choice import use_backend
from ..cpu import Function
from ..memory import to_numpy

__all__ = ["Problem", "refused"]


@dataclass(frozen=True)
class Problem:
    """The arguments of a call that is put together from others."""

    function: Function
    """The function of `convrs.functional`."""
    input: Tensor
    """The input with a batch in front."""
    sizes: tuple[int, ...]
    """The result's sizes without the batch."""
    dtype: torch.dtype
    """The result's dtype."""
    parameters: Mapping[str, Any]
    """What is not an array."""
    alone: bool
    """Whether the input came without a batch."""

    @classmethod
    def of(cls, function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any], rank: int) -> Problem:
        """Asks the kernels for the result of no images, which is where they refuse what they would refuse anywhere.

        Args:
            function: the function of `convrs.functional`.
            arrays: its arrays, the input with or without a batch.
            parameters: its other arguments.
            rank: axes of an input with a batch.
        """
        input: Tensor = arrays["input"]
        alone = input.dim() == rank - 1
        empty = {
            name: to_numpy(name, torch.empty((0, *array.shape[0 if alone else 1 :]), dtype=array.dtype))
            for name, array in arrays.items()
            if array is not None
        }
        with use_backend("rust"):
            result = function(**empty, **parameters)
        shown = result[0] if isinstance(result, tuple) else result
        dtype = input.dtype if shown.dtype == empty["input"].dtype else torch.from_numpy(shown).dtype
        return cls(function, input[None] if alone else input, shown.shape[1:], dtype, parameters, alone)

    @property
    def spatial(self) -> int:
        """How many spatial axes the function has."""
        return int(self.function.__name__[-2])

    def back(self, result: Tensor) -> Tensor:
        """A result in the caller's form."""
        return result[0] if self.alone else result


def refused(what: str, reason: str) -> TypeError:
    """The refusal of what only the kernels compute."""
    return TypeError(f"{what} is computed on the CPU alone, and input lives elsewhere: {reason}; write input.cpu()")
