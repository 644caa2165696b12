"""A small convolutional network, trained elsewhere, reads real handwritten digits with convrs and NumPy alone.

The images are held-out ones of the digits of scikit-learn (E. Alpaydin and C. Kaynak, Optical Recognition of
Handwritten Digits, UCI Machine Learning Repository, 1998); scripts/train_digits.py trained the network without them.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..functional import conv2d, max_pool2d
from .tour import say, title

Floats = NDArray[np.float32]

SHADES = " .:-=+*#%@"
SHOWN = 5
"""Digits drawn side by side."""
REPEATS = 20


def run() -> None:
    """Prints what the network reads, how fast, and how far torch is from it."""
    title("4. A network that reads handwriting")
    with np.load(Path(__file__).with_name("digits.npz")) as file:
        weights: dict[str, NDArray[Any]] = dict(file)
    images, labels = weights.pop("images"), weights.pop("labels").astype(np.int64)
    pixels = normalised(images)
    guesses = scores(pixels, weights).argmax(axis=1)
    right = int(np.count_nonzero(guesses == labels))
    seconds = fastest(lambda: scores(pixels, weights))
    size = sum(array.size for array in weights.values())
    say(
        f"conv2d, relu and max_pool2d, all twice, then a linear layer: {size:,} float32 weights. Of {len(labels)} "
        f"digits that it had never seen it reads {right} right, {right / len(labels):.1%}, at "
        f"{len(labels) / seconds:,.0f} images a second."
    )
    print()
    one_of_each = np.unique(np.where(guesses == labels, labels, -1), return_index=True)[1][-10:]
    for chosen in (one_of_each[:SHOWN], one_of_each[SHOWN:]):
        draw(images, labels, guesses, chosen)
    mistakes = np.flatnonzero(guesses != labels)
    if mistakes.size:
        say("It got wrong:" if mistakes.size <= SHOWN else f"It got {mistakes.size} wrong, the first of them:")
        draw(images, labels, guesses, mistakes[:SHOWN])
    if importlib.util.find_spec("torch") is None:
        say("torch is not installed, so there is nothing to compare with; convrs does not need it.")
    else:
        from . import torch

        torch.run(pixels, weights, seconds)
    print()


def normalised(images: NDArray[np.uint8]) -> Floats:
    """Pixels of 0 to 16 as (batch, 1, height, width) of 0 to 1."""
    return images[:, None].astype(np.float32) / np.float32(16)


def hidden_layers(pixels: Floats, weights: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """What the second convolution and the linear layer see."""
    first = max_pool2d(np.maximum(conv2d(pixels, weights["conv1_weight"], weights["conv1_bias"], padding=1), 0), 2)
    second = max_pool2d(np.maximum(conv2d(first, weights["conv2_weight"], weights["conv2_bias"], padding=1), 0), 2)
    return first, second


def scores(pixels: Floats, weights: Mapping[str, Floats]) -> Floats:
    """Ten scores an image; the largest is the guess."""
    _, last = hidden_layers(pixels, weights)
    return last.reshape(len(pixels), -1) @ weights["linear_weight"].T + weights["linear_bias"]


def fastest(call: Callable[[], Any]) -> float:
    """Seconds of the fastest of several runs."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def draw(images: NDArray[np.uint8], labels: NDArray[Any], guesses: NDArray[Any], chosen: NDArray[np.intp]) -> None:
    """Images side by side with the guess below."""
    for row in range(images.shape[1]):
        shades = images[chosen, row] * (len(SHADES) - 1) // 16
        drawn = ("".join(2 * SHADES[shade] for shade in line) for line in shades)
        print(("  " + "  ".join(drawn)).rstrip())
    captions = (f"read as {guesses[at]}" + (f", is {labels[at]}" if guesses[at] != labels[at] else "") for at in chosen)
    print(("  " + "  ".join(caption.center(2 * images.shape[2]) for caption in captions)).rstrip() + "\n")
