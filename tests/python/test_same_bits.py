"""Same image, same bits: the batch, the threads, the memory layout and `out` do not change one of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convrs
import strategies
from authority import plain
from layouts import LAYOUTS
from operators import OPERATORS, Call, Operator, bits

EVERY = [*OPERATORS.values()]
EXAMPLES = max(settings().max_examples // 2, 1)


@st.composite
def calls(draw: strategies.Draw, operator: Operator) -> Call:
    dtype = draw(st.sampled_from(operator.dtypes) | st.sampled_from(["float32", "float16"]))
    content = draw(st.sampled_from(["plain", "special"]))
    return draw(strategies.calls(operator, dtype, content, layouts=False))


def batched(call: Call) -> bool:
    axes = 3 if call.operator.family == "fold" else call.operator.spatial + 2
    return call.input.ndim == axes and call.input.shape[0] > 0


@pytest.mark.parametrize("operator", EVERY, ids=str)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_batch(operator: Operator, data: st.DataObject) -> None:
    call = data.draw(calls(operator).filter(batched))
    whole = call()
    for image in range(call.input.shape[0]):
        one = {
            name: array[image : image + 1]
            for name, array in call.arrays.items()
            if array is not None and name in ("input", "indices", "_random_samples")
        }
        part = (
            tuple(result[image : image + 1] for result in whole)
            if isinstance(whole, tuple)
            else whole[image : image + 1]
        )
        assert bits(call.with_arrays(**one)()) == bits(part)


@pytest.mark.parametrize("operator", EVERY, ids=str)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_threads(operator: Operator, data: st.DataObject) -> None:
    call = data.draw(calls(operator))
    results = []
    for count in (1, 2, 3, 8):
        convrs.set_num_threads(count)
        results.append(bits(call()))
    assert results == [results[0]] * len(results)


@pytest.mark.parametrize("operator", EVERY, ids=str)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_layout(operator: Operator, data: st.DataObject) -> None:
    call = data.draw(calls(operator))
    layouts = st.sampled_from(sorted(LAYOUTS))
    moved = {name: LAYOUTS[data.draw(layouts)](array) for name, array in call.arrays.items() if array is not None}
    assert bits(call.with_arrays(**moved)()) == bits(call())


@pytest.mark.parametrize("operator", EVERY, ids=str)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_out(operator: Operator, data: st.DataObject) -> None:
    call = data.draw(calls(operator))
    if operator.family == "lp_pool" and call.input.dtype.kind in "iub":
        # Its result is float32.
        call = call.with_arrays(input=plain(call.input).astype(np.float32))
    expected = call()
    values = expected[0] if isinstance(expected, tuple) else expected
    rubbish = np.full(values.shape, 77, values.dtype)
    into = LAYOUTS[data.draw(st.sampled_from(["C", "Fortran", "sliced", "reversed", "channels last"]))](rubbish)
    result = call(out=into)
    assert (result[0] if isinstance(result, tuple) else result) is into
    assert bits(result) == bits(expected)


@pytest.mark.parametrize(
    ("shape", "kernel"),
    [((64, 56, 56), (64, 64, 3, 3)), ((96, 40, 41), (96, 1, 5, 5)), ((17, 63, 65), (33, 17, 1, 1))],
    ids=str,
)
def test_work_large_enough_for_threads(shape: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    images = generator.standard_normal((3, *shape)).astype(np.float32)
    weight = generator.standard_normal(kernel).astype(np.float32)
    groups = shape[0] // kernel[1]
    results = []
    for count in (1, 2, 3):
        convrs.set_num_threads(count)
        results.append(bits(convrs.conv2d(images, weight, padding=1, groups=groups)[:1]))
        results.append(bits(convrs.conv2d(images[:1], weight, padding=1, groups=groups)))
        results.append(bits(convrs.conv2d(np.asfortranarray(images[:1]), weight, padding=1, groups=groups)))
    assert results == [results[0]] * len(results)
