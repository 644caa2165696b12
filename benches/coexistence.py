"""What torch and convrs cost each other in one process: the time of one, alone and beside the other.

Each time is the median of a process of its own, alone and beside by turns. "used" means that the other was imported and
has computed with its threads before; "in turn" that it computes between any two of the calls that are timed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

Call = Callable[[], object]

SECONDS = 1.0


def of_torch(threads: int) -> dict[str, Call]:
    import torch

    torch.set_num_threads(threads)
    image, weight, matrix = torch.randn(1, 64, 56, 56), torch.randn(64, 64, 3, 3), torch.randn(512, 512)
    return {
        "conv2d": lambda: torch.nn.functional.conv2d(image, weight, padding=1),
        "matmul": lambda: matrix @ matrix,
        "relu": lambda: image.relu(),
    }


def of_convrs(threads: int) -> dict[str, Call]:
    import convrs

    convrs.set_num_threads(threads)
    image, weight = (np.random.randn(*shape).astype(np.float32) for shape in ((1, 64, 56, 56), (64, 64, 3, 3)))
    layer = convrs.nn.Conv2d.from_weights(weight, padding=1)
    return {
        "conv2d": lambda: convrs.conv2d(image, weight, padding=1),
        "planned conv2d": lambda: layer(image),
        "max_pool2d": lambda: convrs.max_pool2d(image, 2),
    }


LIBRARIES = {"torch": of_torch, "convrs": of_convrs}
OTHER = {"torch": "convrs", "convrs": "torch"}
BESIDE = ("alone", "used", "in turn")


def measure(library: str, beside: str, threads: int) -> list[float]:
    """Median seconds of each call of a library."""
    # glibc keeps memory from the first large array on that is given back, whosever it was.
    np.empty(2**24, np.uint8)
    others = [] if beside == "alone" else list(LIBRARIES[OTHER[library]](threads).values())
    for call in others:
        call()
    medians = []
    for call in LIBRARIES[library](threads).values():
        times: list[float] = []
        begin = time.perf_counter()
        while time.perf_counter() - begin < SECONDS or len(times) < 10:
            if beside == "in turn":
                others[len(times) % len(others)]()
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        medians.append(statistics.median(times))
    return medians


def in_a_process(library: str, beside: str, threads: int) -> list[float]:
    command = [sys.executable, __file__, "--measure", library, beside, "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(map(float, done.stdout.split()))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(*measure(*options.measure, options.threads))
        return
    from timing import head

    print(head(options.threads, "torch"))
    print(
        f"the best of {options.rounds} processes each; microseconds alone, then times as long beside the other library"
    )
    print(f"{'library':9}{'call':16}{'alone':>9}" + "".join(f"{beside:>9}" for beside in BESIDE[1:]))
    for library, calls in LIBRARIES.items():
        rounds = [[in_a_process(library, beside, options.threads) for beside in BESIDE] for _ in range(options.rounds)]
        for number, name in enumerate(calls(options.threads)):
            # A slow process has met other programs, a fast one nobody.
            alone, *beside = (min(times[place][number] for times in rounds) for place in range(len(BESIDE)))
            print(f"{library:9}{name:16}{alone * 1e6:9.1f}" + "".join(f"{time / alone:9.3f}" for time in beside))


if __name__ == "__main__":
    main()
