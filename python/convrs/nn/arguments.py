"""What all pools share: without weights to pack, a layer holds the arguments of the function of the same name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..functional.arguments import Array


class _Arguments:
    """The arguments of a pool."""

    __slots__ = ("_arguments",)

    _arguments: dict[str, Any]
    _function: ClassVar[Callable[..., Any]]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._arguments.items())})"


class Pool(_Arguments):
    """A pool that gives values alone."""

    __slots__ = ()

    def __call__(self, input: Array, *, out: Array | None = None) -> Array:
        """Pools an array.

        Args:
            input: (batch, channels, ...) or (channels, ...), of a dtype that the function of the same name takes.
            out: array that receives the result: its shape, dtype and kind, not overlapping the input.

        Returns:
            What the function of the same name returns.

        Raises:
            ValueError: a value is out of range, or a shape does not fit.
            TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.
        """
        result: Array = self._function(input, out=out, **self._arguments)
        return result


class IndexedPool(_Arguments):
    """A pool that can give the places of its values too."""

    __slots__ = ()

    def __call__(self, input: Array, *, out: Array | None = None) -> Any:
        """Pools an array.

        Args:
            input: (batch, channels, ...) or (channels, ...), of a dtype that the function of the same name takes.
            out: array that receives the values: their shape, dtype and kind, not overlapping the input.

        Returns:
            What the function of the same name returns; with return_indices a pair of values and int64 indices.

        Raises:
            ValueError: a value is out of range, or a shape does not fit.
            TypeError: a kind or dtype is wrong, or the arrays are not all NumPy's or all on one torch device.
        """
        return self._function(input, out=out, **self._arguments)
