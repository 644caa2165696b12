"""The table of operators that all tests share, and a call as the tests pass it around."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import convrs

BFLOAT16_RECORD = np.dtype([("bfloat16", "<i2")])

FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
COMPLEX = ("complex64", "complex128")
ORDERED = (*FLOATS, *INTEGERS, "bool")
ALL = (*ORDERED, *COMPLEX)


@dataclass(frozen=True, repr=False)
class Operator:
    """One public function."""

    name: str
    family: str
    spatial: int
    dtypes: tuple[str, ...]

    def __repr__(self) -> str:
        return self.name

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # What hypothesis prints.
        printer.text(self.name)


def _table() -> dict[str, Operator]:
    families = {
        "conv": (ALL, (1, 2, 3)),
        "conv_transpose": (ALL, (1, 2, 3)),
        "max_pool": (ORDERED, (1, 2, 3)),
        "min_pool": (ORDERED, (1, 2, 3)),
        "avg_pool": (ALL, (1, 2, 3)),
        "lp_pool": (ORDERED, (1, 2, 3)),
        "adaptive_avg_pool": (ALL, (1, 2, 3)),
        "adaptive_max_pool": (ORDERED, (1, 2, 3)),
        "fractional_max_pool": (ORDERED, (2, 3)),
        "max_unpool": (ALL, (1, 2, 3)),
    }
    operators = [
        Operator(f"{family}{spatial}d", family, spatial, dtypes)
        for family, (dtypes, ranks) in families.items()
        for spatial in ranks
    ]
    operators += [Operator("unfold", "unfold", 2, ALL), Operator("fold", "fold", 2, ALL)]
    return {operator.name: operator for operator in operators}


OPERATORS = _table()

INDEXED = ("max_pool", "min_pool", "adaptive_max_pool", "fractional_max_pool")
"""Families that can return indices."""

EXACT = (*INDEXED, "max_unpool", "unfold")
"""Families whose result is made of input elements, whatever the dtype."""


def of(*families: str) -> list[Operator]:
    return [operator for operator in OPERATORS.values() if operator.family in families]


@dataclass(frozen=True)
class Call:
    """A call of an operator: its arrays, in the layout they are passed in, and its other arguments."""

    operator: Operator
    arrays: dict[str, NDArray[Any] | None]
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def input(self) -> NDArray[Any]:
        array = self.arrays["input"]
        assert array is not None
        return array

    def __call__(self, **changed: Any) -> Any:
        """The result of convrs."""
        return getattr(convrs, self.operator.name)(**{**self.arrays, **self.parameters, **changed})

    def with_arrays(self, **arrays: NDArray[Any] | None) -> Call:
        return replace(self, arrays={**self.arrays, **arrays})

    def with_parameters(self, **parameters: Any) -> Call:
        return replace(self, parameters={**self.parameters, **parameters})

    def __repr__(self) -> str:
        arrays = {
            name: None if array is None else f"{array.dtype}{list(array.shape)}" for name, array in self.arrays.items()
        }
        arguments = ", ".join(f"{name}={value}" for name, value in {**arrays, **self.parameters}.items())
        return f"{self.operator.name}({arguments})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # What hypothesis prints.
        printer.text(repr(self))


def bits(result: Any) -> list[tuple[tuple[int, ...], str, bytes]]:
    """What must be equal for two results to be the same bit for bit. Where two NaN are added, which of them comes out
    depends on the order of an instruction's operands, and that is the compiler's."""
    arrays = result if isinstance(result, tuple) else (result,)
    return [(array.shape, str(array.dtype), _with_one_nan(array).tobytes()) for array in arrays]


def _with_one_nan(array: NDArray[Any]) -> NDArray[Any]:
    array = np.array(array, order="C")
    if array.dtype.kind == "V":
        bfloat16 = array.view(np.uint16)
        bfloat16[bfloat16 & 0x7FFF > 0x7F80] = 0x7FC0
    elif array.dtype.kind in "fc":
        parts = array.reshape(-1).view(array.real.dtype)
        parts[np.isnan(parts)] = np.nan
    return array
