"""Numbers that stand in print: the tutorial's, the published ceil_mode and divisor cases, and failures of the past."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import convrs


def count(*shape: int, start: int = 0) -> NDArray[np.float32]:
    return np.arange(start, start + np.prod(shape), dtype=np.float32).reshape(shape)


def taps(*rows: list[float]) -> NDArray[np.float32]:
    return np.array([rows], np.float32)


RAMP, TWO_ROWS, IMAGE = count(1, 1, 16), count(1, 2, 8), count(1, 1, 4, 5)
NAN, INF = np.nan, np.inf

GOLDEN: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], Any]] = {
    # The tutorial.
    "weighted sums of neighbours": (
        "conv1d",
        (RAMP, taps([0.1, 0.2, 0.3])),
        {},
        [[[0.8, 1.4, 2.0, 2.6, 3.2, 3.8, 4.4, 5.0, 5.6, 6.2, 6.8, 7.4, 8.0, 8.6]]],
    ),
    "two channels are added up": (
        "conv1d",
        (TWO_ROWS, taps([0.1, 0.2, 0.3], [1, 1, 1])),
        {},
        [[[27.8, 31.4, 35.0, 38.6, 42.2, 45.8]]],
    ),
    "stride": ("conv1d", (RAMP, taps([0.1, 0.2, 0.3])), {"stride": 2}, [[[0.8, 2.0, 3.2, 4.4, 5.6, 6.8, 8.0]]]),
    "padding": (
        "conv1d",
        (RAMP, taps([0.1, 0.2, 0.3])),
        {"padding": 1, "stride": 5},
        [[[0.3, 3.2, 6.2, 4.4]]],
    ),
    "dilation": ("conv1d", (RAMP, taps([0.1, 0.2, 0.3])), {"dilation": 7}, [[[5.6, 6.2]]]),
    "groups": ("conv1d", (TWO_ROWS, np.ones((2, 1, 8), np.float32)), {"groups": 2}, [[[28], [92]]]),
    "bias": ("conv1d", (RAMP[..., :3], taps([0.1, 0.2, 0.3]), np.array([10], np.float32)), {}, [[[10.8]]]),
    "max_pool2d": ("max_pool2d", (IMAGE, 2), {"stride": 2}, [[[[6, 8], [16, 18]]]]),
    "max_pool2d, fifth column": (
        "max_pool2d",
        (IMAGE, 2),
        {"stride": 2, "ceil_mode": True},
        [[[[6, 8, 9], [16, 18, 19]]]],
    ),
    "avg_pool2d": ("avg_pool2d", (IMAGE, 2), {"stride": 2}, [[[[3, 5], [13, 15]]]]),
    "avg_pool2d, fifth column": (
        "avg_pool2d",
        (IMAGE, 2),
        {"stride": 2, "ceil_mode": True},
        [[[[3, 5, 6.5], [13, 15, 16.5]]]],
    ),
    "max_pool1d": ("max_pool1d", (RAMP, 2), {}, [[[1, 3, 5, 7, 9, 11, 13, 15]]]),
    "max_pool1d of two channels": ("max_pool1d", (TWO_ROWS, 2), {}, [[[1, 3, 5, 7], [9, 11, 13, 15]]]),
    # The last window in ceil mode, and its divisor: onnxruntime, tract and Core ML got these wrong.
    "corners of a padded mean": (
        "avg_pool2d",
        (count(1, 1, 4, 4, start=1), 3),
        {"stride": 2, "padding": 1, "ceil_mode": True},
        [[[[14 / 9, 10 / 3, 2], [19 / 3, 11, 6], [4.5, 7.5, 4]]]],
    ),
    "a mean of one": ("avg_pool1d", (count(1, 1, 5, start=1), 2), {"ceil_mode": True}, [[[1.5, 3.5, 5]]]),
    "windows apart": (
        "avg_pool2d",
        (count(1, 1, 7, 7), 2),
        {"stride": 3, "ceil_mode": True},
        [[[[4, 7, 9.5], [25, 28, 30.5], [42.5, 45.5, 48]]]],
    ),
    "padding not counted": (
        "avg_pool1d",
        (count(1, 1, 5, start=1), 3),
        {"stride": 2, "padding": 1, "count_include_pad": False, "ceil_mode": True},
        [[[1.5, 3, 4.5]]],
    ),
    "windows wider than half the input": (  # onnxruntime#16203
        "avg_pool1d",
        (np.array([[[2.0903, 4.6493, 1.6320, -3.2051, 4.6975, 4.7296, 3.3653, -1.5815, -2.3832]]]), 7, 3, 3, True),
        {},
        [[[5.1665 / 7, 17.9589 / 7, 5.6226 / 7, -0.5994 / 6]]],
    ),
    "a window that would start in the padding is dropped": (
        "max_pool1d",
        (count(1, 1, 4), 2),
        {"stride": 3, "padding": 1, "ceil_mode": True},
        [[[0, 3]]],
    ),
    "a divisor of one's own": ("avg_pool2d", (IMAGE, 2), {"divisor_override": -1}, [[[[-12, -20], [-52, -60]]]]),
    # Whole numbers are divided towards zero.
    "mean of integers": ("avg_pool1d", (np.array([[[-5, -2, 3, 4, -7, -2]]]), 2), {}, [[[-3, 3, -4]]]),
    # Maxima.
    "NaN wins": ("max_pool1d", (np.array([[[1, NAN, 3, 4, 5, 6]]]), 3), {}, [[[NAN, 6]]]),
    "nothing but -inf": ("max_pool1d", (np.full((1, 1, 4), -INF), 2), {}, [[[-INF, -INF]]]),
    "a window between the elements": (
        "max_pool1d",
        (np.ones((1, 1, 1)), 2),
        {"stride": 1, "padding": 1, "dilation": 2},
        [[[-INF]]],
    ),
    # The power mean takes no absolute values, and a short window counts as a full one.
    "p = 1 keeps signs": ("lp_pool1d", (np.array([[[3.0, 4, -5, 2]]]), 1, 2), {}, [[[7, -3]]]),
    "p = 3 of a negative sum": ("lp_pool1d", (np.array([[[3.0, 4, -5, 2]]]), 3, 2), {}, [[[91 ** (1 / 3), NAN]]]),
    "p = 1, short window": ("lp_pool1d", (count(1, 1, 5, start=1), 1, 2), {"ceil_mode": True}, [[[3, 7, 10]]]),
    "p = inf": ("lp_pool1d", (np.array([[[3.0, 4, -5, 0.5]]]), INF, 2), {}, [[[4, 5]]]),
    "p = -inf": ("lp_pool1d", (np.array([[[3.0, 4, -5, 0.5]]]), -INF, 2), {}, [[[3, 0.5]]]),
    # Adaptive windows overlap, or repeat elements.
    "8 into 3": ("adaptive_avg_pool1d", (count(1, 1, 8), 3), {}, [[[1, 3.5, 6]]]),
    "3 into 5": ("adaptive_avg_pool1d", (count(1, 1, 3), 5), {}, [[[0, 0.5, 1, 1.5, 2]]]),
    # Integers wrap around.
    "int8": ("conv1d", (np.full((1, 1, 3), 100, np.int8), np.full((1, 1, 3), 100, np.int8)), {}, [[[48]]]),
    "uint8": ("conv1d", (np.full((1, 1, 3), 100, np.uint8), np.full((1, 1, 3), 100, np.uint8)), {}, [[[48]]]),
    # 16-bit floats are summed in float32, and the padding is multiplied like any element.
    "sums beyond float16": ("avg_pool1d", (np.full((1, 1, 4), 60000, np.float16), 4), {}, [[[60000]]]),
    "inf * 0 of the padding": (
        "conv1d",
        (np.ones((1, 1, 2)), np.array([[[INF, 1, 1]]])),
        {"padding": 1},
        [[[NAN, INF]]],
    ),
    "no multiplication by what is not there": (
        "conv_transpose1d",
        (np.ones((1, 1, 2)), np.array([[[INF, 1, 1]]])),
        {},
        [[[INF, INF, 2, 1]]],
    ),
    "odd padding goes after": (
        "conv1d",
        (count(1, 1, 3, start=1), taps([1, 10])),
        {"padding": "same"},
        [[[21, 32, 3]]],
    ),
    "same with a stride": (
        "conv1d",
        (count(1, 1, 5, start=1), taps([1, 10, 100])),
        {"padding": "same", "stride": 2},
        [[[210, 432, 54]]],
    ),
    "no channels: the bias": (
        "conv1d",
        (np.ones((1, 0, 3), np.float32), np.ones((2, 0, 2), np.float32), np.array([5, 6], np.float32)),
        {},
        [[[5, 5], [6, 6]]],
    ),
    "output_padding": (
        "conv_transpose1d",
        (np.ones((1, 1, 3)), np.ones((1, 1, 3))),
        {"stride": 2, "output_padding": 1},
        [[[1, 1, 2, 1, 2, 1, 1, 0]]],
    ),
    "the last of two values stays": (
        "max_unpool1d",
        (count(1, 1, 2, start=1), np.zeros((1, 1, 2), np.int64), 2),
        {},
        [[[2, 0, 0, 0]]],
    ),
    "fold of bool": ("fold", (np.ones((1, 4, 1), bool), 2, 2), {}, [[[[True, True], [True, True]]]]),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_golden(case: str) -> None:
    name, arguments, parameters, expected = GOLDEN[case]
    result = getattr(convrs, name)(*arguments, **parameters)
    assert result.dtype == arguments[0].dtype
    np.testing.assert_allclose(result, expected, rtol=3e-7 if result.dtype == np.float32 else 1e-15)


INDICES: dict[str, tuple[str, Any, tuple[Any, ...], dict[str, Any], Any]] = {
    "the last NaN": ("max_pool1d", [[[1, NAN, 3, NAN, 5, 6]]], (6,), {}, [[[3]]]),
    "the first of equal numbers": ("max_pool1d", [[[0, 0, 0, 0]]], (3,), {"stride": 2, "padding": 1}, [[[0, 1]]]),
    "the first of -inf": ("max_pool2d", [[[[-INF] * 3] * 3]], (2,), {"padding": 1}, [[[[0, 1], [3, 4]]]]),
    "outside the plane, where no element is": (
        "max_pool2d",
        [[[[5, 6], [7, 8]]]],
        (2,),
        {"stride": 1, "padding": 1, "dilation": 3},
        [[[[6]]]],
    ),
    "counted in each plane": ("max_pool1d", [[[1, 2], [2, 1]], [[3, 4], [4, 3]]], (2,), {}, [[[1], [0]], [[1], [0]]]),
    "repeated elements": ("adaptive_max_pool1d", [[[0, 1, 2]]], (5,), {}, [[[0, 1, 1, 2, 2]]]),
}


@pytest.mark.parametrize("case", INDICES)
def test_golden_indices(case: str) -> None:
    name, numbers, arguments, parameters, expected = INDICES[case]
    _, indices = getattr(convrs, name)(np.array(numbers, np.float64), *arguments, return_indices=True, **parameters)
    np.testing.assert_array_equal(indices, expected)


def test_fractional_windows_are_rounded_in_the_dtype() -> None:
    """Torch computes the starts in the input's dtype; with 16 / 11 of float16 the sixth window starts one earlier."""
    ramp = np.arange(17, dtype=np.float16).reshape(1, 1, 1, 17)
    samples = np.full((1, 1, 2), 0.5, np.float16)
    for dtype, expected in (("float16", 7), ("float32", 8)):
        arrays = {"input": ramp.astype(dtype), "_random_samples": samples.astype(dtype)}
        assert convrs.fractional_max_pool2d(**arrays, kernel_size=1, output_size=(1, 12)).ravel()[5] == expected
