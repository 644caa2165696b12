"""Number formats: what rounding to one of them does, and in which wider one the reference is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.cpu import BFLOAT16


@dataclass(frozen=True)
class Format:
    """An element type. Integers and bool have a precision of 0: they are never rounded."""

    name: str
    wide: str
    """The dtype of the reference: longdouble for float64 (80 bits on x86), float64 for the shorter floats."""
    precision: int = 0
    """Bits of the significand, the implicit one included."""
    least_exponent: int = 0
    """Exponent of the smallest normal number."""
    complex: bool = False

    @property
    def roundoff(self) -> float:
        """The largest relative error of one rounding to nearest, u = 2^-precision."""
        return 2.0**-self.precision

    @property
    def smallest(self) -> float:
        """The smallest positive number, a subnormal."""
        return 2.0 ** (self.least_exponent - self.precision + 1)

    @property
    def overflow(self) -> Any:
        """Numbers from here on round to infinity; they need the wider dtype."""
        return np.exp2(np.longdouble(1 - self.least_exponent)) * (np.longdouble(2) - np.longdouble(self.roundoff))

    @property
    def largest(self) -> Any:
        """The largest finite number."""
        return np.exp2(np.longdouble(1 - self.least_exponent)) * (np.longdouble(2) - np.longdouble(2 * self.roundoff))

    @property
    def accumulator(self) -> Format:
        """The format in which sums are formed: float32 for the 16-bit floats."""
        return FORMATS["float32"] if self.name in ("float16", "bfloat16") else self

    @property
    def wide_roundoff(self) -> float:
        """The roundoff of the reference's own arithmetic."""
        return float(np.finfo(self.wide).eps) / 2

    def spacing(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """The distance of neighbouring numbers of the format around each value: one ULP; 1 for integers."""
        if not self.precision:
            return np.ones(values.shape)
        exponents = np.frexp(np.where(np.isfinite(values), np.abs(values), 1))[1] - 1
        lowest = np.maximum(exponents, self.least_exponent) - self.precision + 1
        return np.asarray(np.ldexp(np.ones(values.shape), lowest))

    def rounded(self, values: NDArray[Any]) -> NDArray[Any]:
        """Each value rounded to nearest in the format, ties to even; integers wrap around, bool is "not 0"."""
        if self.complex:
            real = FORMATS["float32" if self.name == "complex64" else "float64"]
            result: Any = np.empty_like(values)
            result.real, result.imag = real.rounded(np.real(values)), real.rounded(np.imag(values))
            return np.asarray(result)
        if self.name == "bool":
            return np.asarray(values != 0, values.dtype)
        if not self.precision:
            return values.astype(self.name).astype(values.dtype)
        spacing = self.spacing(values)
        nearest = np.rint(values / spacing) * spacing
        return np.where(np.abs(values) >= self.overflow, np.copysign(np.inf, values), nearest)


FORMATS = {
    form.name: form
    for form in (
        Format("float16", "float64", 11, -14),
        Format("bfloat16", "float64", 8, -126),
        Format("float32", "float64", 24, -126),
        Format("float64", "longdouble", 53, -1022),
        Format("complex64", "complex128", 24, -126, complex=True),
        Format("complex128", "clongdouble", 53, -1022, complex=True),
        Format("bool", "int64"),
        *(Format(f"int{bits}", "int64") for bits in (8, 16, 32, 64)),
        *(Format(f"uint{bits}", "int64") for bits in (8, 16, 32)),
        Format("uint64", "uint64"),
    )
}


def widened(name: str, array: NDArray[Any]) -> tuple[NDArray[Any], Format]:
    """An argument's elements in its format's wider dtype, where they are the same numbers, and its format."""
    if array.dtype.name == "bfloat16" or array.dtype == BFLOAT16:
        bits = array.view(np.uint16).astype(np.uint32) << np.uint32(16)
        return bits.view(np.float32).astype(np.float64), FORMATS["bfloat16"]
    form = FORMATS.get(array.dtype.name)
    if form is None:
        raise TypeError(f"{name} has dtype {array.dtype}: convrs computes in {', '.join(FORMATS)}")
    return array.astype(form.wide), form


def gamma(count: Any, roundoff: float) -> Any:
    """gamma_n = n u / (1 - n u), the relative error of n roundings; infinite from n u = 1.

    Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, SIAM 2002, lemma 3.1.
    """
    product = np.asarray(count, np.float64) * roundoff
    return np.where(product < 1, product / np.where(product < 1, 1 - product, 1), np.inf)
