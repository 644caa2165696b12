"""The worked examples of a tutorial on convolution and pooling, each number with what it is made of."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import functional
from ..explanation import Explanation, explain
from ..explanation.text import shown, sized

WIDTH = 100

SIXTEEN = np.arange(16, dtype=np.float32)
ROW = SIXTEEN.reshape(1, 1, 16)
TWO_CHANNELS = SIXTEEN.reshape(1, 2, 8)
IMAGE = np.arange(20, dtype=np.float32).reshape(1, 1, 4, 5)
TAPS = np.array([[[0.1, 0.2, 0.3]]], np.float32)
TWO_ROWS = np.array([[[0.1, 0.2, 0.3], [1, 1, 1]]], np.float32)


class Tour:
    """Prints calls with their results and counts the numbers that were taken apart."""

    def __init__(self) -> None:
        self.taken_apart = 0
        self.agreeing = 0

    def call(self, written: str, op: str, *inputs: Any, equations: int = 0, **params: Any) -> list[Explanation]:
        """Prints a call as one writes it, its result, and the first equations and the last one of its elements.

        Every element is taken apart, printed or not.
        """
        result: NDArray[Any] = getattr(functional, op)(*inputs, **params)
        explanations = [explain(op, *inputs, index=index, **params) for index in np.ndindex(result.shape)]
        self.taken_apart += len(explanations)
        self.agreeing += sum(explanation.agrees for explanation in explanations)
        print(f"  {written}")
        for line in table(result):
            print(f"    {line}")
        chosen = explanations if len(explanations) <= equations else [*explanations[: equations - 1], explanations[-1]]
        for explanation in chosen if equations else []:
            if explanation is chosen[-1] and len(chosen) < len(explanations):
                print("      ...")
            print(f"      {explanation.index}: {explanation.equation}")
        print()
        return explanations


def table(result: NDArray[Any]) -> list[str]:
    """The elements of a result with one axis or two, batch and channel left out."""
    cells = [[shown(value, 6) for value in row] for row in result.reshape(-1, result.shape[-1])]
    width = max(len(cell) for row in cells for cell in row) if len(cells) > 1 else 0
    rows = [" ".join(cell.rjust(width) for cell in row) for row in cells]
    wrapped = [line for row in rows for line in textwrap.wrap(row, WIDTH - 20)]
    first = f"shape {result.shape}: "
    return [(first if number == 0 else " " * len(first)) + line for number, line in enumerate(wrapped)]


def say(text: str) -> None:
    """A paragraph."""
    print(textwrap.fill(text, WIDTH))


def title(text: str) -> None:
    """A heading."""
    print(f"{text}\n{'-' * len(text)}")


def run() -> None:
    """Prints the examples."""
    tour = Tour()
    title("1. Convolution: every output is a sum of products")
    print("  x = 0, 1, ... 15 as (1, 1, 16); w = [0.1, 0.2, 0.3] as (1, 1, 3)")
    explanations = tour.call("conv1d(x, w)", "conv1d", ROW, TAPS, equations=4)
    say("A last digit as in 1.4000001 is no mistake: float32 cannot hold 0.1. Whole results are cut to six digits.")
    print()
    say("How long is the result? The formula stands above its numbers:")
    print("\n".join(sized(explanations[0].axes)[1:]) + "\n")
    say("Two channels in: the sum goes over both. x = 0..15 as (1, 2, 8); w = [[0.1, 0.2, 0.3], [1, 1, 1]].")
    explanations = tour.call("conv1d(x, w)", "conv1d", TWO_CHANNELS, TWO_ROWS, equations=3)
    say("convrs.explain shows everything about one number, here about the first of these:")
    print('  print(convrs.explain("conv1d", x, w, index=(0, 0, 0)))')
    print(textwrap.indent(str(explanations[0]), "    ") + "\n")

    title("2. Pooling: every output is the maximum or the mean of a window")
    print("  image = 0, 1, ... 19 as (1, 1, 4, 5)")
    explanations = tour.call("max_pool2d(image, 2, stride=2)", "max_pool2d", IMAGE, 2, stride=2, equations=4)
    say("The image has five columns, but the windows take two each. explain says about the width:")
    print("\n".join(f"    {note}" for note in explanations[0].axes[1].notes) + "\n")
    tour.call("avg_pool2d(image, 2, stride=2)", "avg_pool2d", IMAGE, 2, stride=2, equations=4)
    tour.call("max_pool1d(x, 2)         x = 0..15 as (1, 1, 16)", "max_pool1d", ROW, 2, equations=3)
    tour.call("max_pool1d(x, 2)         x = 0..15 as (1, 2, 8)", "max_pool1d", TWO_CHANNELS, 2, equations=3)

    title("3. Every parameter changes something")
    parameters(tour)
    agreed = "all agree" if tour.agreeing == tour.taken_apart else f"{tour.taken_apart - tour.agreeing} DIFFER"
    say(
        f"{tour.taken_apart} numbers were computed twice: by the kernel, and by explain from their taps, in the "
        f"kernel's order. Bit by bit, {agreed}."
    )
    print()


def parameters(tour: Tour) -> None:
    """Prints one call for each parameter, beside the call without it."""
    print("  x = 0..15 as (1, 1, 16); w = [0.1, 0.2, 0.3]: 14 values from 0.8 to 8.6, as above")
    tour.call("conv1d(x, w, stride=2)       every second window", "conv1d", ROW, TAPS, stride=2, equations=2)
    tour.call("conv1d(x, w, padding=1)      a zero on each side", "conv1d", ROW, TAPS, padding=1, equations=2)
    tour.call("conv1d(x, w, dilation=2)     taps two apart", "conv1d", ROW, TAPS, dilation=2, equations=2)
    print("  x = 0..15 as (1, 2, 8); w = [[0.1, 0.2, 0.3]], [[1, 1, 1]] as (2, 1, 3)")
    written = "conv1d(x, w, groups=2)       each output channel sees one input channel"
    tour.call(written, "conv1d", TWO_CHANNELS, TWO_ROWS.reshape(2, 1, 3), groups=2, equations=2)
    print("  image = 0..19 as (1, 1, 4, 5)")
    tour.call("max_pool2d(image, 2)                   the fifth column is left over", "max_pool2d", IMAGE, 2)
    explanations = tour.call(
        "max_pool2d(image, 2, ceil_mode=True)   it gets windows of its own, which hang over the edge",
        "max_pool2d",
        IMAGE,
        2,
        ceil_mode=True,
        equations=3,
    )
    say("explain says about the width of the last one:")
    print("\n".join(f"    {note}" for note in explanations[-1].axes[1].notes) + "\n")
    written = "avg_pool2d(image, 3, 2, padding=1)     zeros of the padding count in the divisor"
    tour.call(written, "avg_pool2d", IMAGE, 3, 2, padding=1, equations=2)
    written = "avg_pool2d(image, 3, 2, padding=1, count_include_pad=False)     they do not"
    tour.call(written, "avg_pool2d", IMAGE, 3, 2, padding=1, count_include_pad=False, equations=2)
