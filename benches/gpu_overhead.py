"""What convrs adds to calling torch directly, in microseconds a call.

On a CUDA device calls return before the work is done, so the time of the caller's thread is measured, with the device
waited for between rounds. With --device cpu the same way through the layer is forced, on tensors of the CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as functional

import convrs

CALLS = 200
"""A round: few enough that the device's queue does not fill."""

ROUNDS = 25


def cases(device: str) -> dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Name of the function, arrays and parameters: small enough that a CPU's own work is little."""
    image = torch.randn(1, 4, 8, 8, device=device)
    weight = torch.randn(4, 4, 3, 3, device=device)
    pooled, indices = functional.max_pool2d(image, 2, return_indices=True)
    return {
        "conv2d float32": ("conv2d", (image, weight), {"padding": 1}),
        "conv2d float64": ("conv2d", (image.double(), weight.double()), {"padding": 1}),
        "conv_transpose2d float64": ("conv_transpose2d", (image.double(), weight.double()), {"stride": 2}),
        "max_pool2d": ("max_pool2d", (image, 2), {}),
        "avg_pool2d": ("avg_pool2d", (image, 2), {}),
        "adaptive_avg_pool2d": ("adaptive_avg_pool2d", (image, 1), {}),
        "max_unpool2d": ("max_unpool2d", (pooled, indices, 2), {}),
        "unfold": ("unfold", (image, 2), {}),
    }


def seconds(call: Callable[[], Any], device: str) -> float:
    """Seconds a call of the caller's thread."""
    begin = time.perf_counter()
    for _ in range(CALLS):
        call()
    taken = time.perf_counter() - begin
    if device != "cpu":
        torch.cuda.synchronize()
    return taken / CALLS


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    device = parser.parse_args().device
    name = torch.cuda.get_device_name() if device != "cpu" else "CPU tensors, sent to torch by use_backend"
    print(f"torch {torch.__version__}, {name}; microseconds a call, median of {ROUNDS} rounds")
    print(f"{'':26}{'torch':>8}{'convrs':>8}{'more':>8}")
    torch.set_num_threads(1)
    forced = convrs.use_backend("torch") if device == "cpu" else contextlib.nullcontext()
    with forced, torch.no_grad():
        for case, (function, arrays, parameters) in cases(device).items():
            pair = [partial(getattr(module, function), *arrays, **parameters) for module in (functional, convrs)]
            # Alternating, so that a slow moment meets both.
            both = [[seconds(call, device) * 1e6 for call in pair] for _ in range(ROUNDS)]
            direct, ours = (statistics.median(times) for times in zip(*both, strict=True))
            more = statistics.median(after - before for before, after in both)
            print(f"{case:26}{direct:8.2f}{ours:8.2f}{more:8.2f}")


if __name__ == "__main__":
    main()
