"""Inputs of accuracy.py: what networks see, and what an adversary would send. Each fills a shape (N, C, *plane)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Shape = tuple[int, ...]
Generator = np.random.Generator

SAMPLE_RATE = 16_000
# The first three formants in Hz of five vowels: Peterson and Barney (1952), men.
VOWELS = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))
BANDWIDTHS = (60, 90, 150)


def gaussian(shape: Shape, generator: Generator) -> np.ndarray:
    return generator.standard_normal(shape, np.float32)


def rectified(shape: Shape, generator: Generator) -> np.ndarray:
    """Gaussian numbers behind a ReLU: half of them zero, none negative."""
    return np.maximum(gaussian(shape, generator), 0)


def crops(source: np.ndarray, shape: Shape, generator: Generator) -> np.ndarray:
    """A different window of the source for every channel."""
    windows = np.lib.stride_tricks.sliding_window_view(source, shape[2:])
    starts = [generator.integers(0, length, shape[:2]) for length in windows.shape[: source.ndim]]
    return np.ascontiguousarray(windows[tuple(starts)], np.float32)


def photograph(shape: Shape, generator: Generator) -> np.ndarray:
    """Windows of scikit-learn's photograph of a temple, brightness in 0..1; volumes get the three colours as depth."""
    from sklearn.datasets import load_sample_image

    image = load_sample_image("china.jpg").astype(np.float64) / 255
    plane = shape[2:]
    if len(plane) == 1:
        return crops(image.mean(2).ravel(), shape, generator)
    if len(plane) == 2:
        return crops(image.mean(2), shape, generator)
    return crops(np.resize(np.moveaxis(image, 2, 0), (plane[0], *image.shape[:2])), shape, generator)


def vowel(formants: tuple[int, ...], pitch: float, seconds: float) -> np.ndarray:
    """A pulse train through one two-pole resonator a formant: the source-filter model of a spoken vowel."""
    sound = np.zeros(int(seconds * SAMPLE_RATE))
    sound[(np.arange(0, seconds, 1 / pitch) * SAMPLE_RATE).astype(int)] = 1
    for formant, bandwidth in zip(formants, BANDWIDTHS, strict=True):
        radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE)
        angle = 2 * np.pi * formant / SAMPLE_RATE
        before = earlier = 0.0
        for index, value in enumerate(sound):
            before, earlier = value + 2 * radius * np.cos(angle) * before - radius**2 * earlier, before
            sound[index] = before
    return sound / np.abs(sound).max()


def speech(shape: Shape, generator: Generator) -> np.ndarray:
    """Synthesised vowels: the wave itself for signals, magnitudes of its short-time spectrum for planes and volumes."""
    pitches = generator.uniform(90, 220, len(VOWELS))
    wave = np.concatenate([vowel(*each, 0.4) for each in zip(VOWELS, pitches, strict=True)])
    if len(shape) == 3:
        return crops(wave, shape, generator)
    frames = np.lib.stride_tricks.sliding_window_view(wave, 400)[::80] * np.hanning(400)
    spectrum = np.abs(np.fft.rfft(frames, axis=1))
    if len(shape) == 4:
        return crops(spectrum, shape, generator)
    return crops(np.resize(spectrum, (shape[2], *spectrum.shape)), shape, generator)


def spoiled(value: float) -> Callable[[Shape, Generator], np.ndarray]:
    """Gaussian numbers, one in the middle replaced."""

    def fill(shape: Shape, generator: Generator) -> np.ndarray:
        x = gaussian(shape, generator)
        x[tuple(length // 2 for length in shape)] = value
        return x

    return fill


def denormal(shape: Shape, generator: Generator) -> np.ndarray:
    return gaussian(shape, generator) * np.float32(1e-40)


def cancelling(shape: Shape, generator: Generator) -> np.ndarray:
    """Half of the channels are the others times -1, but for what is a millionth of them."""
    x = np.float32(1e6) * gaussian(shape, generator)
    half = shape[1] // 2
    x[:, half:] = -x[:, :half]
    return x + gaussian(shape, generator)


def equal_halves(w: np.ndarray) -> np.ndarray:
    """Weights under which the channels of `cancelling` cancel."""
    half = w.shape[1] // 2
    return np.concatenate([w[:, :half], w[:, :half]], axis=1)


NETWORK_INPUTS = {"Gaussian": gaussian, "ReLU": rectified, "photograph": photograph, "synthetic vowels": speech}
ADVERSARIAL_INPUTS = {
    "one value of 1e30": spoiled(1e30),
    "one infinity": spoiled(np.inf),
    "one NaN": spoiled(np.nan),
    "denormals": denormal,
    "cancelling pairs": cancelling,
}
