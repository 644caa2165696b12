"""Error of the direct and the Winograd convolution against float64, on what networks see and on adversarial inputs.

    python benches/accuracy.py > table.md

Prints the table of the README in Markdown. Winograd promises on network inputs at most 2.5 times the largest error of
the direct sum, and infinities and NaN only where the direct sum has them; else the exit status is 1. Adversarial inputs
are there to be looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from inputs import ADVERSARIAL_INPUTS, NETWORK_INPUTS, cancelling, equal_halves
from timing import head

import convrs
from convrs import nn

PROMISED = 2.5
EPSILON = float(np.finfo(np.float32).eps)
SMALLEST = float(np.finfo(np.float32).smallest_subnormal)


@dataclass(frozen=True)
class Case:
    """A layer that Winograd computes: its planes and channels, kernels of 3, padded to keep the size."""

    channels: int
    plane: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.plane)

    @property
    def name(self) -> str:
        return f"conv{self.rank}d {self.channels}@{'x'.join(map(str, self.plane))}"

    @property
    def taps(self) -> int:
        return self.channels * 3**self.rank

    def weight(self, generator: np.random.Generator) -> np.ndarray:
        weight = generator.standard_normal((self.channels, self.channels, *(3,) * self.rank), np.float32)
        return weight / np.float32(np.sqrt(self.taps))


CASES = (Case(128, (2000,)), Case(64, (56, 56)), Case(256, (14, 14)), Case(32, (8, 28, 28)))


class Reference:
    """Exact enough results (float64), and the sums of magnitudes that errors are measured by."""

    def __init__(self, case: Case, x: np.ndarray, w: np.ndarray) -> None:
        function = getattr(torch.nn.functional, f"conv{case.rank}d")
        wide = [torch.from_numpy(array).double() for array in (x, w)]
        self.result = function(*wide, padding=1).numpy()
        self.finite = np.isfinite(self.result)
        magnitude = function(*(array.abs() for array in wide), padding=1).numpy()
        # Products of denormals are rounded to a multiple of the smallest number, whatever their size.
        self.scale = EPSILON * magnitude + case.taps * SMALLEST

    def judge(self, y: np.ndarray) -> Judgement:
        """Errors where the exact result is finite; elsewhere only whether it is the same infinity, or NaN."""
        exact, ours = self.result[self.finite], y[self.finite].astype(np.float64)
        error = np.abs(ours - exact)
        spread = np.count_nonzero(~np.isfinite(error))
        other = ~np.isclose(y[~self.finite], self.result[~self.finite], equal_nan=True)
        error = np.where(np.isfinite(error), error, 0)
        return Judgement(
            of_largest=float(error.max() / np.abs(exact).max()),
            of_taps=float((error / self.scale[self.finite]).max()),
            wrong_kind=int(spread + np.count_nonzero(other)),
        )


@dataclass(frozen=True)
class Judgement:
    """Largest error over the largest result; over eps times the sum of the output's own taps; outputs finite on one
    side only."""

    of_largest: float
    of_taps: float
    wrong_kind: int


def computed(case: Case, algorithm: str, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    kind = getattr(nn, f"Conv{case.rank}d")
    return kind.from_weights(w, None, padding=1, algorithm=algorithm)(x)


@dataclass(frozen=True)
class Row:
    case: Case
    input_name: str
    direct: Judgement
    winograd: Judgement

    @property
    def ratio(self) -> float:
        return self.winograd.of_largest / self.direct.of_largest

    def as_markdown(self) -> str:
        cells: list[Any] = [self.case.name, self.input_name]
        cells += [f"{each.of_largest:.1e}" for each in (self.direct, self.winograd)]
        cells += [f"{each.of_taps:.2g}" for each in (self.direct, self.winograd)]
        cells.append(f"{self.ratio:.2g}")
        return f"| {' | '.join(map(str, cells))} |"

    def broken(self) -> Iterator[str]:
        """What was promised and is not so."""
        if self.input_name in NETWORK_INPUTS and self.ratio > PROMISED:
            yield f"{self.case.name}, {self.input_name}: {self.ratio:.2f} times the error of the direct sum"
        if wrong := self.direct.wrong_kind + self.winograd.wrong_kind:
            yield f"{self.case.name}, {self.input_name}: {wrong} outputs wrongly finite or wrongly not"


OF_LARGEST, OF_TAPS = "error / max abs y", "error / (eps sum abs x abs w)"
COLUMNS = (
    "layer",
    "input",
    *(f"{algorithm}: {OF_LARGEST}" for algorithm in ("direct", "Winograd")),
    *(f"{algorithm}: {OF_TAPS}" for algorithm in ("direct", "Winograd")),
    "Winograd / direct",
)


def rows(case: Case) -> Iterator[Row]:
    for name, fill in (NETWORK_INPUTS | ADVERSARIAL_INPUTS).items():
        generator = np.random.default_rng(0)
        w = equal_halves(case.weight(generator)) if fill is cancelling else case.weight(generator)
        x = fill((1, case.channels, *case.plane), generator)
        reference = Reference(case, x, w)
        direct, winograd = (reference.judge(computed(case, algorithm, x, w)) for algorithm in ("direct", "winograd"))
        yield Row(case, name, direct, winograd)


def main() -> None:
    print(f"{head(convrs.get_num_threads(), 'torch')}\n\n| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    broken = []
    for case in CASES:
        for row in rows(case):
            print(row.as_markdown(), flush=True)
            broken += row.broken()
    if broken:
        sys.exit("; ".join(broken))


if __name__ == "__main__":
    main()
