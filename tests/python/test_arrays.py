"""What comes in and what goes out: kinds of arrays, memory, `out=`."""

from __future__ import annotations

import array as stdlib_array
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import convrs
from layouts import LAYOUTS
from operators import BFLOAT16_RECORD

X = np.arange(24, dtype=np.float32).reshape(1, 2, 12)
W = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
RIGHT = convrs.conv1d(X, W)


class Image(np.ndarray):
    """A subclass."""


@pytest.mark.parametrize(
    "convert",
    [
        np.ndarray.tolist,
        lambda array: tuple(map(tuple, array.tolist()[0])),
        memoryview,
        lambda array: array.view(Image),
        np.ma.asarray,
        lambda array: np.lib.stride_tricks.as_strided(array, array.shape, array.strides),
    ],
    ids=["lists", "tuples", "memoryview", "subclass", "masked without a mask", "as_strided"],
)
def test_what_asarray_takes(convert: Any) -> None:
    result = convrs.max_pool1d(convert(X), 2)
    expected = convrs.max_pool1d(np.asarray(convert(X)), 2)
    assert type(result) is np.ndarray
    assert result.dtype == np.asarray(convert(X)).dtype
    np.testing.assert_array_equal(result, expected)


def test_lists_in_every_place() -> None:
    wide = convrs.conv1d(X.tolist(), W.tolist(), [0.0, 1.0])
    assert wide.dtype == np.float64
    np.testing.assert_array_equal(wide, RIGHT + np.array([[0], [1]]))
    np.testing.assert_array_equal(convrs.max_unpool1d([[5.0]], [[1]], 2), [[0, 5]])


def test_a_buffer_without_numpy() -> None:
    samples = stdlib_array.array("d", [1, 3, 2, 5])
    np.testing.assert_array_equal(convrs.max_pool1d(memoryview(samples).cast("B").cast("d", (1, 4)), 2), [[3, 5]])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_are_never_written(layout: str) -> None:
    moved, kernel = LAYOUTS[layout](X), LAYOUTS[layout](W)
    np.testing.assert_array_equal(convrs.conv1d(moved, kernel), RIGHT)
    np.testing.assert_array_equal(moved, X)
    np.testing.assert_array_equal(kernel, W)


@given(
    pads=st.lists(st.integers(0, 3), min_size=6, max_size=6),
    steps=st.lists(st.sampled_from([-3, -2, -1, 1, 2, 3]), min_size=3, max_size=3),
)
def test_any_view_is_its_copy(pads: list[int], steps: list[int]) -> None:
    larger = np.arange(20 * 21 * 22, dtype=np.float32).reshape(20, 21, 22)
    cut = larger[tuple(slice(None, None, step) for step in steps)][
        pads[0] : pads[1] + 6, pads[2] : pads[3] + 6, pads[4] : pads[5] + 6
    ]
    order = np.argsort(steps)
    view = cut.transpose(order)
    np.testing.assert_array_equal(convrs.max_pool2d(view, 2), convrs.max_pool2d(view.copy(), 2))


# --- results ---


@pytest.mark.parametrize("layout", LAYOUTS)
def test_results_are_fresh_and_c_ordered(layout: str) -> None:
    result, indices = convrs.max_pool1d(LAYOUTS[layout](X), 1, return_indices=True)
    for array in (result, indices):
        assert type(array) is np.ndarray
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.flags.owndata
        assert array.dtype.isnative
    assert not np.shares_memory(result, X)


def test_an_identity_is_a_copy() -> None:
    result = convrs.max_pool1d(X, 1)
    result[...] = -1
    assert X[0, 0, 1] == 1


# --- bfloat16 --------------------------------------------------------------------------------------------------------


def test_bfloat16_of_ml_dtypes_and_as_a_record() -> None:
    image, kernel = X.astype(ml_dtypes.bfloat16), W.astype(ml_dtypes.bfloat16)
    result = convrs.conv1d(image, kernel)
    assert result.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(result.astype(np.float32), RIGHT.astype(ml_dtypes.bfloat16).astype(np.float32))
    record = convrs.conv1d(image.view(BFLOAT16_RECORD), kernel.view(BFLOAT16_RECORD))
    assert record.dtype == BFLOAT16_RECORD
    assert record.tobytes() == result.tobytes()


def test_another_record_is_refused() -> None:
    with pytest.raises(TypeError, match="input"):
        convrs.max_pool1d(np.zeros((1, 4), np.dtype([("other", "<i2")])), 2)


# --- out ---


def test_out_of_every_family() -> None:
    out = np.empty((1, 2, 6), np.float32)
    values, indices = convrs.max_pool1d(X, 2, return_indices=True, out=out)
    assert values is out
    assert indices.dtype == np.int64
    assert convrs.avg_pool1d(X, 2, out=out) is out
    np.testing.assert_array_equal(out, convrs.avg_pool1d(X, 2))


MEMORY = np.zeros(100, np.float32)
INPUT = MEMORY[10:34].reshape(1, 2, 12)


@pytest.mark.parametrize(
    ("out", "kind", "words"),
    [
        (np.empty((1, 2, 11), np.float32), ValueError, ["shape", "[1, 2, 11]", "numpy.empty([1, 2, 12]"]),
        (np.empty((2, 12), np.float32), ValueError, ["shape", "[2, 12]"]),
        (np.empty((1, 2, 12), np.float64), TypeError, ["float64", "float32"]),
        (np.empty((1, 2, 12), ">f4"), (TypeError, ValueError), ["byte order"]),
        (LAYOUTS["read-only"](INPUT), ValueError, ["writable"]),
        (LAYOUTS["misaligned"](INPUT), ValueError, ["aligned"]),
        (np.lib.stride_tricks.as_strided(np.zeros(40, np.float32), (1, 2, 12), (0, 4, 4)), ValueError, ["own place"]),
        (INPUT, ValueError, ["overlap", "input"]),
        (INPUT[..., ::-1], ValueError, ["overlap"]),
        (MEMORY[0:24].reshape(1, 2, 12), ValueError, ["overlap"]),
        (MEMORY[33:57].reshape(1, 2, 12), ValueError, ["overlap"]),
        ([[[0.0] * 12] * 2], TypeError, ["out", "list"]),
        ("out", TypeError, ["out", "str"]),
    ],
    ids=[
        "size",
        "rank",
        "dtype",
        "byte order",
        "read-only",
        "misaligned",
        "broadcast",
        "same",
        "reversed",
        "before",
        "after",
        "list",
        "text",
    ],
)
def test_out_is_refused(out: Any, kind: type[Exception], words: list[str]) -> None:
    with pytest.raises(kind) as caught:
        convrs.max_pool1d(INPUT, 1, out=out)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("dtype", [">f4", ">i2"])
def test_out_must_not_overlap_an_input_that_is_copied(dtype: str) -> None:
    signal = np.arange(16).astype(dtype).reshape(1, 1, 16)
    with pytest.raises(ValueError, match="overlap input"):
        convrs.max_pool1d(signal, 1, out=signal.view(dtype.replace(">", "<")))
    assert (signal == np.arange(16)).all()


def test_out_must_not_overlap_a_misaligned_input() -> None:
    memory = np.zeros(100, np.int8)
    with pytest.raises(ValueError, match="overlap input"):
        convrs.max_pool1d(memory[1:65].view(np.float32)[None], 1, out=memory[4:68].view(np.float32)[None])


def test_out_beside_the_input_in_one_memory_is_taken() -> None:
    beside = MEMORY[34:58].reshape(1, 2, 12)
    assert convrs.max_pool1d(INPUT, 1, out=beside) is beside


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_out_must_not_overlap_other_arrays(name: str) -> None:
    arrays = {"weight": np.zeros((2, 2, 1), np.float32), "bias": np.zeros(2, np.float32)}
    memory = np.zeros(64, np.float32)
    overlapped = memory[20 : 20 + arrays[name].size].reshape(arrays[name].shape)
    with pytest.raises(ValueError, match=f"overlap {name}"):
        convrs.conv1d(X, **{**arrays, name: overlapped}, out=memory[4:28].reshape(1, 2, 12))


def test_a_refused_out_is_left_as_it_was() -> None:
    out = np.full((1, 2, 11), 7, np.float32)
    with pytest.raises(ValueError, match="out"):
        convrs.max_pool1d(X, 2, out=out)
    assert (out == 7).all()
