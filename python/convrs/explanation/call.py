"""A call of an operator, and the element of its result that is to be explained."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import backends, functional
from ..check.reference import ARRAYS, Operator, bound_arguments, name_of
from ..check.windows import each
from ..rules.windows import NAMES
from .arithmetic import Arithmetic, element, same
from .model import Axis, Explanation, Plane, Tap


@dataclass(frozen=True)
class Call:
    """A call with its result; every argument is there."""

    op: str
    spatial: int
    arrays: Mapping[str, NDArray[Any]]
    """Those given."""
    parameters: Mapping[str, Any]
    actual: NDArray[Any]
    indices: NDArray[np.int64] | None
    """The indices that the call returns."""
    index: tuple[int, ...]
    """Of the element to explain, counted from 0."""
    batched: bool

    @property
    def family(self) -> str:
        """Name of the operator without the number of axes."""
        return re.sub("[123]d$", "", self.op)

    @property
    def input(self) -> NDArray[Any]:
        """The first argument."""
        return self.arrays["input"]

    @property
    def arithmetic(self) -> Arithmetic:
        """How elements of the input are computed with."""
        return Arithmetic(backends.dtype_name(self.input.dtype))

    @property
    def batch(self) -> tuple[int, ...]:
        """Index of the element's image; empty without a batch."""
        return self.index[: int(self.batched)]

    @property
    def channel(self) -> int:
        """The element's channel."""
        return self.index[int(self.batched)]

    @property
    def place(self) -> tuple[int, ...]:
        """The element's index in the spatial axes."""
        return self.index[int(self.batched) + 1 :]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Spatial sizes of the input."""
        return self.input.shape[-self.spatial :]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the spatial axes."""
        return NAMES[self.spatial]

    def each(self, *names: str) -> list[list[Any]]:
        """Parameters with one value for each spatial axis."""
        return [each(self.parameters[name], self.spatial) for name in names]

    def stride(self) -> list[int]:
        """The stride of a pool: by default its kernel_size."""
        given = self.parameters["stride"]
        kernel: list[int] = each(self.parameters["kernel_size"], self.spatial)
        return kernel if given is None or (isinstance(given, Sequence) and not given) else each(given, self.spatial)

    def explanation(
        self,
        *,
        axes: Sequence[Axis],
        taps: Sequence[Tap],
        result: Any,
        equation: str,
        steps: Sequence[str],
        accumulator: str | None = None,
        planes: Sequence[Plane] = (),
        columns: Sequence[Any] = (),
        bias: Any = None,
        divisor: int | None = None,
        winner: Tap | None = None,
        notes: Sequence[str] = (),
    ) -> Explanation:
        """The explanation of the element, beside what the operator returns."""
        actual = element(self.actual, self.index)
        return Explanation(
            op=self.op,
            index=self.index,
            shape=self.actual.shape,
            dtype=backends.dtype_name(self.input.dtype),
            accumulator=accumulator or self.arithmetic.accumulator,
            axes=tuple(axes),
            taps=tuple(taps),
            planes=tuple(planes),
            columns=tuple(columns),
            bias=bias,
            divisor=divisor,
            winner=winner,
            steps=tuple(steps),
            equation=equation,
            result=result,
            actual=actual,
            agrees=same(result, actual),
            notes=tuple(notes),
        )


def called(op: Operator, inputs: tuple[Any, ...], index: Any, params: Mapping[str, Any]) -> Call:
    """Calls an operator and finds the element; what is wrong with the arguments is said by the operator."""
    name = name_of(op)
    function = getattr(functional, name)
    parameters = bound_arguments(name, inputs, params)
    if parameters.pop("out") is not None:
        raise TypeError("out is not for explain, which writes no result; leave it out")
    rule = parameters.get("rule", "torch")
    if rule != "torch":
        raise TypeError(
            f"rule={rule!r} is not for explain, which knows torch's rules; convrs.windows shows the windows of every "
            "rule, convrs.rules.differences what differs from torch"
        )
    given = {key: parameters.pop(key) for key in ARRAYS if key in parameters}
    if "_random_samples" in given and given["_random_samples"] is None:
        raise ValueError("_random_samples is None, which draws new windows in every call: give those that were used")
    arrays = {key: backends.to_numpy(key, array) for key, array in given.items() if array is not None}
    result = function(**arrays, **parameters)
    values, indices = result if isinstance(result, tuple) else (result, None)
    match = re.search("([123])d$", name)
    spatial = int(match[1]) if match else 2
    rank = 3 if name == "fold" else spatial + 2
    return Call(
        op=name,
        spatial=spatial,
        arrays=arrays,
        parameters=parameters,
        actual=values,
        indices=indices,
        index=_checked(index, values.shape),
        batched=arrays["input"].ndim == rank,
    )


def _checked(index: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index counted from 0, or an IndexError that gives the legal range."""
    try:
        numbers = tuple(operator.index(at) for at in (index if isinstance(index, Sequence | np.ndarray) else (index,)))
    except TypeError as error:
        raise TypeError(f"index must be one whole number for each axis of the output, got {index!r}") from error
    if len(numbers) != len(shape):
        example = tuple(size // 2 for size in shape)
        raise IndexError(
            f"index has {len(numbers)} numbers, but the output of shape {shape} has {len(shape)} axes; "
            f"write for example index={example}"
        )
    for axis, (at, size) in enumerate(zip(numbers, shape, strict=True)):
        if not -size <= at < size:
            legal = f"{-size} to {size - 1}" if size else "none, the axis is empty"
            raise IndexError(f"index is {at} on axis {axis} of the output of shape {shape}: legal are {legal}")
    return tuple(at % size for at, size in zip(numbers, shape, strict=True))
