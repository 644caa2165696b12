"""Filters of one channel beside SciPy and torch: 3 to 4096 taps of a signal, 3 x 3 to 63 x 63 of an image (float32).

    python benches/filters.py [--threads 2] [--rounds 7]

Engines take turns as in vs_peers.py. A result of ours further from float64 than the a-priori bound of a float32 sum
allows stops the bench; a peer's may be as far anywhere as the largest bound, since a Fourier transform errs that way.
`signal` is `scipy.signal.convolve`, which chooses between direct and Fourier convolution; `fft` is ours by name.
Exits with 1 where neither the function nor the planned layer is the fastest.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import scipy.ndimage
import scipy.signal
import torch
from timing import Call, head, in_turn

import convrs
from convrs import nn

SIGNAL, IMAGE = (200_000,), (512, 512)
TAPS = (3, 5, 9, 17, 33, 65, 129, 257, 513, 1025, 2049, 4096)
SIDES = (3, 5, 7, 9, 11, 15, 21, 31, 45, 63)
PEERS = ("signal", "ndimage", "torch")


def engines(x: np.ndarray, w: np.ndarray) -> dict[str, Call]:
    """Calls that give the "valid" outputs: no padding, the kernel not turned round."""
    rank = x.ndim
    data, kernel = x[None, None], w[None, None]
    function = getattr(convrs, f"conv{rank}d")
    layer, fft = (
        getattr(nn, f"Conv{rank}d").from_weights(kernel, algorithm=algorithm) for algorithm in ("auto", "fft")
    )
    turned = w[(slice(None, None, -1),) * rank].copy()
    inside = tuple(slice(taps // 2, size - taps // 2) for size, taps in zip(x.shape, w.shape, strict=True))
    tensors = torch.from_numpy(data), torch.from_numpy(kernel)
    peer = getattr(torch.nn.functional, f"conv{rank}d")
    out = function(data, kernel)
    calls: dict[str, Call] = {
        "convrs": lambda: function(data, kernel),
        "planned": lambda: layer(data, out=out),
        "fft": lambda: fft(data, out=out),
        "signal": lambda: scipy.signal.convolve(x, turned, "valid"),
        "torch": lambda: peer(*tensors),
    }
    if w.size <= 2500:
        # Beyond, it takes seconds.
        calls["ndimage"] = lambda: scipy.ndimage.correlate(x, w, mode="constant", origin=0)[inside]
    return calls


def checked(x: np.ndarray, w: np.ndarray, calls: dict[str, Call]) -> None:
    wide, taps = torch.from_numpy(x).double()[None, None], torch.from_numpy(w).double()[None, None]
    exact = getattr(torch.nn.functional, f"conv{x.ndim}d")
    expected, magnitude = exact(wide, taps).numpy(), exact(wide.abs(), taps.abs()).numpy()
    bound = (w.size + 1) * np.finfo(np.float32).eps * magnitude
    for name, call in calls.items():
        result = np.asarray(call(), np.float64).reshape(expected.shape)
        if not np.all(np.abs(result - expected) <= (bound.max() if name in PEERS else bound)):
            sys.exit(f"{name} is beyond the bound for a kernel of {w.shape}")


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    convrs.set_num_threads(arguments.threads)
    torch.set_num_threads(arguments.threads)
    names = ("convrs", "planned", "fft", *PEERS)
    print(head(arguments.threads, "torch", "scipy"))
    print(f"\n{'microseconds':20}" + "".join(f"{name:>12}" for name in names) + f"{'best peer / ours':>20}")
    generator = np.random.default_rng(0)
    slower = []
    for shape in [(taps,) for taps in TAPS] + [(side, side) for side in SIDES]:
        x = generator.standard_normal(SIGNAL if len(shape) == 1 else IMAGE, np.float32)
        w = generator.standard_normal(shape, np.float32)
        calls = engines(x, w)
        checked(x, w, calls)
        seconds = in_turn(calls, arguments.rounds)
        best = min(seconds[name] for name in PEERS if name in seconds)
        ratio = best / min(seconds["convrs"], seconds["planned"])
        title = " x ".join(map(str, shape))
        cells = [f"{seconds[name] * 1e6:12.1f}" if name in seconds else f"{'-':>12}" for name in names]
        print(f"{title:20}" + "".join(cells) + f"{ratio:20.2f}", flush=True)
        if ratio < 1:
            slower.append(title)
    if slower:
        sys.exit(f"a peer is faster for {', '.join(slower)}")


if __name__ == "__main__":
    main()
