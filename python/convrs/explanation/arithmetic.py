"""The kernels' arithmetic, one operation at a time, on NumPy scalars."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _convrs
from ..backends import dtype_name
from ..check.formats import FORMATS


def element(array: NDArray[Any], index: tuple[int, ...]) -> Any:
    """An element as a NumPy scalar; a bfloat16, which NumPy lacks, as the float32 it is."""
    if dtype_name(array.dtype) == "bfloat16":
        bits = array[index].tobytes() if array.dtype.isnative else array[index].byteswap().tobytes()
        return np.frombuffer(b"\0\0" + bits, np.float32)[0]
    return array[index].astype(array.dtype.newbyteorder("="))


@dataclass(frozen=True)
class Arithmetic:
    """Computes with elements of one dtype as the kernels do."""

    dtype: str
    """Name of the dtype."""

    @property
    def accumulator(self) -> str:
        """In which dtype products are added up."""
        return "float32" if self.dtype in ("float16", "bfloat16") else self.dtype

    @property
    def total(self) -> str:
        """In which dtype averages are added up."""
        if self.real or self.complex:
            return self.accumulator
        return "uint64" if self.dtype == "uint64" else "int64"

    @property
    def real(self) -> bool:
        """Whether it is a floating-point dtype."""
        return self.dtype in ("float16", "bfloat16", "float32", "float64")

    @property
    def complex(self) -> bool:
        """Whether it is a complex dtype."""
        return self.dtype.startswith("complex")

    @property
    def zero(self) -> Any:
        """A zero as `element` gives it."""
        return cast(0, "float32" if self.dtype == "bfloat16" else self.dtype)

    def product(self, x: Any, w: Any) -> Any:
        """x * w, rounded or wrapped to the accumulator."""
        if self.complex:
            part = np.float32 if self.dtype == "complex64" else np.float64
            (a, b), (c, d) = ((part(number.real), part(number.imag)) for number in (x, w))
            return _complex(self.dtype, a * c - b * d, a * d + b * c)
        if self.dtype == "bool":
            return np.bool_(x and w)
        if self.real:
            return cast(x, self.accumulator) * cast(w, self.accumulator)
        return cast(int(x) * int(w), self.dtype)

    def multiply_add(self, x: Any, w: Any, accumulator: Any) -> Any:
        """One step of a convolution."""
        if self.real:
            single = self.accumulator == "float32"
            return cast(_convrs.multiply_add(float(x), float(w), float(accumulator), single), self.accumulator)
        return plus(accumulator, self.product(x, w), self.accumulator)

    def narrow(self, value: Any) -> Any:
        """A result rounded or wrapped to the dtype; a bfloat16 stays a float32 that holds it."""
        if self.dtype == "bfloat16":
            return np.float32(FORMATS["bfloat16"].rounded(np.asarray(value, np.float64)))
        return cast(value, self.dtype)

    def coordinate(self, value: float) -> float:
        """A number rounded to the precision in which torch computes where the windows of fractional pools start."""
        return float(FORMATS[self.dtype if self.real else "float64"].rounded(np.asarray(value, np.float64)))


def cast(value: Any, dtype: str) -> Any:
    """A number as a scalar of a dtype; integers wrap around."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        return np.array(int(value) % (1 << 8 * kind.itemsize), f"u{kind.itemsize}").view(kind)[()]
    return np.asarray(value).astype(kind)[()]


def plus(a: Any, b: Any, dtype: str) -> Any:
    """a + b in a dtype: rounded, wrapped, or for bool "or"."""
    if dtype == "bool":
        return np.bool_(a or b)
    if np.dtype(dtype).kind in "iu":
        return cast(int(a) + int(b), dtype)
    return a + b


def divided(value: Any, count: int, dtype: str) -> Any:
    """value / count in a dtype; integers are rounded toward zero."""
    if np.dtype(dtype).kind in "iu":
        quotient = abs(int(value)) // abs(count)
        return cast(quotient if (value < 0) == (count < 0) else -quotient, dtype)
    if dtype.startswith("complex"):
        return _complex(dtype, value.real / type(value.real)(count), value.imag / type(value.imag)(count))
    return value / cast(count, dtype)


def power(value: Any, exponent: float) -> Any:
    """value ** exponent in its own precision; the exact cases by products and roots."""
    if exponent == 0.5:
        return np.sqrt(value)
    if exponent in (1, 2, 3):
        return [value, value * value, value * value * value][int(exponent) - 1]
    # Of scalars, not of arrays: that is the C library's power, which the kernels use too.
    return operator.pow(value, type(value)(exponent))


def same(a: Any, b: Any) -> bool:
    """Whether two elements are the same bit by bit, where a NaN is a NaN."""
    if np.iscomplexobj(a):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if a != a or b != b:
        return bool(a != a and b != b)
    return bool(a == b and np.signbit(a) == np.signbit(b)) if np.asarray(a).dtype.kind == "f" else bool(a == b)


def _complex(dtype: str, real: Any, imaginary: Any) -> Any:
    result = np.zeros((), dtype)
    result.real, result.imag = real, imaginary
    return result[()]
