"""More than 2^31 elements: sizes, offsets and indices need 64 bits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import convrs

MANY = 2**31 + 24

pytestmark = pytest.mark.slow


def zeros_with_a_last_one() -> NDArray[np.int8]:
    signal = np.zeros((1, 1, MANY), np.int8)
    signal[0, 0, -2] = 5
    return signal


def test_pools() -> None:
    signal = zeros_with_a_last_one()
    pooled = convrs.max_pool1d(signal, 2)
    assert pooled.shape == (1, 1, MANY // 2)
    assert pooled[0, 0, -1] == 5
    assert np.count_nonzero(pooled) == 1
    assert convrs.avg_pool1d(signal, 2)[0, 0, -1] == 2


def test_convolution() -> None:
    signal = zeros_with_a_last_one()
    result = convrs.conv1d(signal, np.array([[[1, 3]]], np.int8))
    assert result.shape == (1, 1, MANY - 1)
    assert result[0, 0, -3:].tolist() == [0, 15, 5]
    assert np.count_nonzero(result) == 2


def test_many_channels_by_a_stride_of_zero() -> None:
    """An array that takes no memory."""
    image = np.broadcast_to(np.arange(3, dtype=np.int8), (2**11, 2**10, 2**10, 3))
    assert convrs.max_pool2d(image, (2**10, 3)).shape == (2**11, 2**10, 1, 1)


def test_windows_of_2_to_the_30() -> None:
    signal = zeros_with_a_last_one()
    values, indices = convrs.max_pool1d(signal, 2**30, ceil_mode=True, return_indices=True)
    assert indices.ravel().tolist() == [0, 2**30, MANY - 2]
    assert values.ravel().tolist() == [0, 0, 5]
    unpooled = convrs.max_unpool1d(values, indices, 2**30)
    assert unpooled.shape == (1, 1, 3 * 2**30)
    assert np.flatnonzero(unpooled).tolist() == [MANY - 2]


def test_adaptive() -> None:
    signal = zeros_with_a_last_one()
    assert convrs.adaptive_max_pool1d(signal, 4).ravel().tolist() == [0, 0, 0, 5]
    ones = np.broadcast_to(np.int8(1), (1, 1, MANY))
    assert convrs.adaptive_avg_pool1d(ones, 3).ravel().tolist() == [1, 1, 1]


def test_wide_bytes() -> None:
    """2^33 bytes of input in float32 by a stride of 0: the sums are of 2^31 equal numbers."""
    ones = np.broadcast_to(np.float32(1), (1, 1, MANY))
    assert convrs.adaptive_max_pool1d(ones, 2).ravel().tolist() == [1, 1]
