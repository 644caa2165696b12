"""Share of one thread's multiply-add peak over a grid of convolutions: is there a size at which the kernels fall?

    python benches/sweep.py [--algorithm direct] [--functional] [--only depthwise] [--svg sweep.svg]

A table a slice of grid.py, in percent of the peak that a loop on registers alone reaches in the same run. A cell below
half of a neighbour is measured again, then flagged with "!", and the exit status is 1. Not flagged is what arithmetic
cannot speed up: a call that takes at most twice as long as an empty call and a copy of as many bytes together.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from charts import HeatMap, heat_maps
from grid import SLICES, Problem, Slice
from timing import Others, head, seconds_of

import convrs

CLIFF = 0.5
EXCUSED = 2.0
NUMBERS = np.random.default_rng(0).standard_normal(1_000_003, np.float32)

Prepare = Callable[[Problem], Callable[[], Any]]
Rates = list[list[float | None]]


def operands(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    return np.resize(NUMBERS, problem.input_shape), np.resize(NUMBERS, problem.weight_shape)


def functional(problem: Problem) -> Callable[[], Any]:
    x, w = operands(problem)
    return lambda: convrs.conv2d(x, w, **problem.params)


def planned(algorithm: str) -> Prepare:
    from convrs.nn import Conv2d

    def prepare(problem: Problem) -> Callable[[], Any]:
        x, w = operands(problem)
        layer = Conv2d.from_weights(w, None, **problem.params, algorithm=algorithm)
        out = layer(x)
        return lambda: layer(x, out=out)

    return prepare


def fma_peak() -> float | None:
    """Multiply-adds a second of one thread on registers alone; None where this build of convrs does not measure it."""
    measure = getattr(convrs._convrs, "fma_peak", None)
    return None if measure is None else max(measure() for _ in range(5))


def peak_or_fastest(rates: list[float]) -> tuple[float, str]:
    """What the shares are of, and how it is called."""
    peak = fma_peak()
    if peak is None:
        return max(rates), "the fastest cell, since this build of convrs has no fma_peak"
    return peak, "the peak of one thread"


class Sweep:
    """Measures rates (multiply-adds a second) and tells cliffs from what memory or the call itself costs."""

    def __init__(self, prepare: Prepare) -> None:
        self.prepare = prepare
        smallest = Problem(inputs=1, outputs=1, size=1, kernel=(1, 1))
        self.empty_call = seconds_of(prepare(smallest))

    def rate(self, problem: Problem) -> float:
        return problem.products / seconds_of(self.prepare(problem))

    def rates(self, part: Slice) -> Rates:
        problems = [[part.problem(row, column) for column in part.columns] for row in part.rows]
        return [[self.rate(problem) if problem.is_measured else None for problem in row] for row in problems]

    def is_excused(self, problem: Problem, rate: float) -> bool:
        x, w = operands(problem)
        elements = x.size + w.size + problem.batch * problem.outputs * int(np.prod(problem.output_size))
        source = np.resize(NUMBERS, elements // 2)
        target = np.empty_like(source)
        copy = seconds_of(lambda: np.copyto(target, source))
        return problem.products / rate <= EXCUSED * (self.empty_call + copy)

    def cliffs(self, part: Slice, rates: Rates) -> frozenset[tuple[int, int]]:
        """Cells below half of a neighbour, after a second measurement of each, which is kept if it is the faster."""
        for row, column in list(lagging(rates)):
            again = self.rate(part.problem(part.rows[row], part.columns[column]))
            rates[row][column] = max(again, rates[row][column])
        return frozenset(
            (row, column)
            for row, column in lagging(rates)
            if not self.is_excused(part.problem(part.rows[row], part.columns[column]), rates[row][column])
        )


def lagging(rates: Rates) -> Iterator[tuple[int, int]]:
    """Cells below half of a neighbour above, below, to the left or to the right."""
    known = {
        (row, column): rate for row, line in enumerate(rates) for column, rate in enumerate(line) if rate is not None
    }
    for (row, column), rate in known.items():
        beside = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        if any(rate < CLIFF * known[place] for place in beside if place in known):
            yield row, column


def heat_map(part: Slice, rates: Rates, flagged: frozenset[tuple[int, int]], peak: float) -> HeatMap:
    shares = [[None if rate is None else rate / peak for rate in line] for line in rates]
    rows, columns = ([label(value) for value in values] for values in (part.rows, part.columns))
    return HeatMap(part.title, part.row_name, part.column_name, rows, columns, shares, flagged)


def label(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithm", default="direct", help="of the planned layers (default: direct)")
    parser.add_argument("--functional", action="store_true", help="measure the functional call, not planned layers")
    parser.add_argument("--only", default="", help="slices whose title or axes hold this text")
    parser.add_argument("--svg", type=Path, help="also draw the tables there")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    if not arguments.functional and importlib.util.find_spec("convrs.nn") is None:
        sys.exit("this build of convrs has no planned layers (convrs.nn): run with --functional")
    convrs.set_num_threads(1)
    title = [f"{head(1)}; " + ("functional call" if arguments.functional else f"planned, {arguments.algorithm}")]
    sweep = Sweep(functional if arguments.functional else planned(arguments.algorithm))
    measured, others = [], Others()
    for part in SLICES:
        if arguments.only in f"{part.title} {part.row_name} {part.column_name}":
            print(f"measuring {part.title}: {part.row_name}, {part.column_name}", file=sys.stderr, flush=True)
            rates = sweep.rates(part)
            measured.append((part, rates, sweep.cliffs(part, rates)))
    every_rate = [rate for _, rates, _ in measured for line in rates for rate in line if rate is not None]
    peak, what = peak_or_fastest(every_rate)
    maps = [heat_map(part, rates, flagged, peak) for part, rates, flagged in measured]
    flags = sum(len(each.flagged) for each in maps)
    title += [
        f"percent of {what}, {2e-9 * peak:.0f} GFLOP/s; {len(every_rate)} cells, "
        f"median {statistics.median(every_rate) / peak:.0%}",
        f"{flags} cells below half of a neighbour that neither memory nor the call itself holds up",
        str(others),
    ]
    print("\n\n".join(["\n".join(title), *(each.as_text() for each in maps)]))
    if arguments.svg:
        arguments.svg.write_text(heat_maps(title, maps))
    sys.exit(1 if flags else 0)


if __name__ == "__main__":
    main()
