"""The guided tour of `convrs demo`: worked examples taken apart, then a network that reads handwritten digits."""

from __future__ import annotations

import time

from .. import __version__, get_num_threads
from .._convrs import instruction_set
from . import digits, tour

__all__ = ["run"]


def run() -> None:
    """Prints the tour."""
    start = time.perf_counter()
    print(f"convrs {__version__}, {instruction_set()}, {get_num_threads()} threads\n")
    tour.run()
    digits.run()
    print(f"The tour took {time.perf_counter() - start:.1f} s. Take apart your own numbers: print(convrs.explain(...))")
