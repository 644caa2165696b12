"""Strategies that draw whole calls: every parameter of every operator, legal ones and odd ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from convrs.check.windows import each
from convrs.rules import RULES
from layouts import LAYOUTS, broadcast
from operators import BFLOAT16_RECORD, COMPLEX, FLOATS, INTEGERS, ORDERED, Call, Operator

Draw = Callable[..., Any]

SPATIAL = st.integers(1, 7) | st.sampled_from([8, 9, 15, 16, 17, 31, 32, 33, 65])
"""Sizes around the widths of vectors."""


def numpy_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def values(generator: np.random.Generator, shape: Sequence[int], dtype: str, content: str = "plain") -> NDArray[Any]:
    """An array of plain numbers; "special" mixes in NaN, infinities, zeros of both signs and equal numbers."""
    shape = tuple(shape)
    if dtype == "bool":
        return generator.random(shape) < 0.5
    if dtype in INTEGERS:
        limits = np.iinfo(dtype)
        low, high = max(limits.min, -(2**31)), min(limits.max, 2**31)
        if content == "special":
            low, high = max(low, -2), 3
        return generator.integers(low, high, shape, endpoint=True).astype(dtype)
    if dtype in COMPLEX:
        real, imaginary = generator.standard_normal((2, *shape))
        return (real + 1j * imaginary).astype(dtype)
    array = generator.standard_normal(shape) * 2.0 ** generator.integers(-3, 4, shape)
    if content == "special":
        array = np.where(generator.random(shape) < 0.5, generator.integers(-1, 2, shape), array)
        chosen = generator.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], shape)
        array = np.where(generator.random(shape) < 0.2, chosen, array)
    return array.astype(numpy_dtype(dtype))


@st.composite
def generators(draw: Draw) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


@st.composite
def spelled(draw: Draw, numbers: list[int], single: bool = True) -> Any:
    """The same numbers in a form that a caller may write: 3, (3,), [3, 3], numpy integers."""
    forms: list[Any] = [tuple(numbers), list(numbers), tuple(np.int64(number) for number in numbers)]
    if len(set(numbers)) == 1:
        forms = [numbers[0], np.int32(numbers[0]), *forms]
        if single or len(numbers) == 1:
            forms.append((numbers[0],))
    return draw(st.sampled_from(forms))


def one_an_axis(spatial: int, low: int, high: int) -> st.SearchStrategy[list[int]]:
    numbers = st.integers(low, high)
    return numbers.map(lambda number: [number] * spatial) | st.lists(numbers, min_size=spatial, max_size=spatial)


@st.composite
def spatial_sizes(draw: Draw, least: Sequence[int]) -> list[int]:
    """Sizes from `least` on; only the last axis is long, to keep the volume small."""
    sizes = [draw(st.integers(low, low + 5)) for low in least]
    if draw(st.booleans()):
        sizes[-1] = max(draw(SPATIAL), least[-1])
    return sizes


@st.composite
def batches(draw: Draw) -> list[int]:
    """The axes before the channels."""
    return draw(st.sampled_from([[1], [2], [3], [], [0]]))


CHANNELS = st.integers(1, 4) | st.sampled_from([8, 9, 17, 33])


@st.composite
def laid_out(draw: Draw, array: NDArray[Any]) -> NDArray[Any]:
    """The array in some memory layout, its elements perhaps repeated along an axis."""
    if array.ndim and draw(st.integers(0, 9)) == 0:
        array = broadcast(array, draw(st.integers(0, array.ndim - 1)))
        return array
    array = LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](array)
    if array.dtype == ml_dtypes.bfloat16 and draw(st.booleans()):
        return array.view(BFLOAT16_RECORD)
    return array


# --- calls ---


def calls(operator: Operator, dtype: str, content: str = "plain", layouts: bool = True) -> st.SearchStrategy[Call]:
    """Legal calls of an operator."""
    return _calls(operator, dtype, content, layouts)


@st.composite
def _calls(draw: Draw, operator: Operator, dtype: str, content: str, layouts: bool) -> Call:
    generator = draw(generators())
    shapes, parameters = draw(_PROBLEMS[operator.family](operator.spatial))
    arrays: dict[str, NDArray[Any] | None] = {}
    for name, shape in shapes.items():
        if shape is None:
            arrays[name] = None
        elif name == "_random_samples":
            arrays[name] = generator.random(shape).astype(numpy_dtype(dtype if dtype in FLOATS else "float64"))
        elif name == "indices":
            arrays[name] = _indices(generator, shape, parameters)
        else:
            arrays[name] = values(generator, shape, dtype, content)
    parameters.pop("plane", None)
    if layouts:
        arrays = {name: None if array is None else draw(laid_out(array)) for name, array in arrays.items()}
    return Call(operator, arrays, parameters)


Problem = tuple[dict[str, list[int] | None], dict[str, Any]]


@st.composite
def convolutions(draw: Draw, spatial: int) -> Problem:
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    inner, outer = draw(CHANNELS), draw(CHANNELS)
    if groups > 1 and draw(st.booleans()):
        inner = 1
    kernel = draw(one_an_axis(spatial, 1, 4 if spatial > 1 else 9))
    stride, dilation = draw(one_an_axis(spatial, 1, 4)), draw(one_an_axis(spatial, 1, 3))
    mode = draw(st.sampled_from(["zeros", "zeros", "zeros", "reflect", "replicate", "circular"]))
    form = draw(st.sampled_from(["numbers", "numbers", "pairs", "valid", "same", "same_lower"]))
    spans = [far * (size - 1) + 1 for size, far in zip(kernel, dilation, strict=True)]
    if form == "numbers":
        each = draw(one_an_axis(spatial, 0, 4))
        pairs, padding = [(side, side) for side in each], draw(spelled(each))
    elif form == "pairs":
        pairs = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=spatial, max_size=spatial))
        padding = draw(st.sampled_from([tuple(pairs), list(pairs)]))
    else:
        # These pad by up to the whole span.
        pairs, padding = [(span, 0) if form != "valid" else (0, 0) for span in spans], form
    least = [max(1, span - sum(pair)) for span, pair in zip(spans, pairs, strict=True)]
    if mode != "zeros":
        least = [max(low, max(pair) + 1) for low, pair in zip(least, pairs, strict=True)]
    size = draw(spatial_sizes(least))
    parameters = {
        "stride": draw(spelled(stride)),
        "padding": padding,
        "dilation": draw(spelled(dilation)),
        "groups": groups,
        "padding_mode": mode,
    }
    shapes = {
        "input": [*draw(batches()), inner * groups, *size],
        "weight": [outer * groups, inner, *kernel],
        "bias": draw(st.sampled_from([None, [outer * groups]])),
    }
    return shapes, parameters


@st.composite
def transposed(draw: Draw, spatial: int) -> Problem:
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    inner, outer = draw(CHANNELS), draw(CHANNELS)
    kernel = draw(one_an_axis(spatial, 1, 4 if spatial > 1 else 9))
    stride, dilation = draw(one_an_axis(spatial, 1, 4)), draw(one_an_axis(spatial, 1, 3))
    extra = [draw(st.integers(0, max(step, far) - 1)) for step, far in zip(stride, dilation, strict=True)]
    size = draw(spatial_sizes([1] * spatial))
    whole = [
        (length - 1) * step + far * (taps - 1) + more + 1
        for length, step, far, taps, more in zip(size, stride, dilation, kernel, extra, strict=True)
    ]
    padding = [draw(st.integers(0, min(4, (length - 1) // 2))) for length in whole]
    parameters = {
        "stride": draw(spelled(stride)),
        "padding": draw(spelled(padding)),
        "output_padding": draw(spelled(extra)),
        "groups": groups,
        "dilation": draw(spelled(dilation)),
    }
    shapes = {
        "input": [*draw(batches()), inner * groups, *size],
        "weight": [inner * groups, outer, *kernel],
        "bias": draw(st.sampled_from([None, [outer * groups]])),
    }
    return shapes, parameters


EXTREMA = ("max_pool", "min_pool")


@st.composite
def sliding(draw: Draw, spatial: int, family: str) -> Problem:
    kernel = draw(one_an_axis(spatial, 1, 5))
    stride = draw(st.none() | one_an_axis(spatial, 1, 4))
    dilation = draw(one_an_axis(spatial, 1, 3)) if family in EXTREMA else [1] * spatial
    padding = [0] * spatial if family == "lp_pool" else [draw(st.integers(0, size // 2)) for size in kernel]
    spans = [far * (size - 1) + 1 for size, far in zip(kernel, dilation, strict=True)]
    least = [max(1, span - 2 * side) for span, side in zip(spans, padding, strict=True)]
    if spatial == 3 and family not in EXTREMA:
        least = [max(low, size) for low, size in zip(least, kernel, strict=True)]
    parameters: dict[str, Any] = {
        "kernel_size": draw(spelled(kernel, single=family != "lp_pool")),
        "stride": stride if stride is None else draw(spelled(stride)),
        "ceil_mode": draw(st.booleans()),
    }
    if family == "lp_pool":
        parameters["norm_type"] = draw(st.sampled_from([1, 2, 2.0, 3, 1.5, 0.5, -1, -2.0, 7, math.inf, -math.inf]))
        if spatial == 1:
            parameters["kernel_size"] = kernel[0]
    else:
        parameters["padding"] = draw(spelled(padding))
    if family in EXTREMA:
        parameters |= {"dilation": draw(spelled(dilation)), "return_indices": draw(st.booleans())}
    if family == "avg_pool":
        parameters["count_include_pad"] = draw(st.booleans())
        if spatial > 1:
            parameters["divisor_override"] = draw(st.sampled_from([None, None, 1, 3, -2, 1000]))
    shapes = {"input": [*draw(batches()), draw(CHANNELS), *draw(spatial_sizes(least))]}
    return shapes, parameters


@st.composite
def adaptive(draw: Draw, spatial: int, family: str) -> Problem:
    size = draw(spatial_sizes([1] * spatial))
    output: list[int | None] = [draw(st.integers(0, 9)) for _ in size]
    if spatial > 1 and draw(st.booleans()):
        output[draw(st.integers(0, spatial - 1))] = None
    spelling = st.just(tuple(output)) if None in output else spelled([int(n or 0) for n in output], single=False)
    parameters: dict[str, Any] = {"output_size": draw(spelling)}
    if family == "adaptive_max_pool":
        parameters["return_indices"] = draw(st.booleans())
    return {"input": [*draw(batches()), draw(CHANNELS), *size]}, parameters


@st.composite
def fractional(draw: Draw, spatial: int) -> Problem:
    kernel = draw(one_an_axis(spatial, 1, 4))
    # Torch's 3-D version wants one element more.
    size = draw(spatial_sizes([taps + (spatial == 3) for taps in kernel]))
    lead, channels = draw(batches()), draw(CHANNELS)
    largest = [length - taps + (spatial == 2) for length, taps in zip(size, kernel, strict=True)]
    parameters: dict[str, Any] = {"kernel_size": draw(spelled(kernel, single=False))}
    output = [draw(st.integers(0, most)) for most in largest]
    if draw(st.booleans()) and min(output) > 0:
        ratios = [count / length for count, length in zip(output, size, strict=True)]
        # torch.nn.functional.fractional_max_pool2d takes a pair alone.
        parameters["output_ratio"] = tuple(min(max(ratio, 0.01), 0.99) for ratio in ratios)
        sizes = [int(length * ratio) for length, ratio in zip(size, parameters["output_ratio"], strict=True)]
        parameters["output_ratio"] = parameters["output_ratio"] if sizes == output else None
    if not parameters.get("output_ratio"):
        parameters["output_ratio"] = None
        parameters["output_size"] = draw(spelled(output, single=False))
    parameters["return_indices"] = draw(st.booleans())
    batch = lead[0] if lead else 1
    shapes = {
        "input": [*lead, channels, *size],
        "_random_samples": [batch + draw(st.integers(0, 1)), channels, spatial],
    }
    return shapes, parameters


@st.composite
def unpools(draw: Draw, spatial: int) -> Problem:
    kernel = draw(one_an_axis(spatial, 1, 4))
    stride = draw(st.none() | one_an_axis(spatial, 1, 4))
    steps = stride or kernel
    size = draw(spatial_sizes([1] * spatial))
    padding, plane = [], []
    for length, taps, step in zip(size, kernel, steps, strict=True):
        side = draw(st.integers(0, taps // 2))
        default = (length - 1) * step + taps - 2 * side
        if default < 0:
            side, default = 0, (length - 1) * step + taps
        padding.append(side)
        plane.append(default)
    parameters: dict[str, Any] = {
        "kernel_size": draw(spelled(kernel, single=False)),
        "stride": stride if stride is None else draw(spelled(stride, single=False)),
        "padding": draw(spelled(padding, single=False)),
    }
    lead, channels = draw(batches()), draw(CHANNELS)
    if draw(st.booleans()):
        plane = [
            draw(st.integers(max(0, default - step + 1), default + step - 1))
            for default, step in zip(plane, steps, strict=True)
        ]
        front = draw(st.sampled_from([[], [7, 9]]))
        parameters["output_size"] = draw(st.sampled_from([tuple(front + plane), front + plane]))
    parameters["plane"] = math.prod(plane)
    shape = [*lead, channels, *size]
    return {"input": shape, "indices": shape}, parameters


def _indices(generator: np.random.Generator, shape: Sequence[int], parameters: dict[str, Any]) -> NDArray[np.int64]:
    # In an empty plane no index is looked at.
    return generator.integers(0, max(parameters["plane"], 1), tuple(shape))


@st.composite
def blocks(draw: Draw, spatial: int, folded: bool) -> Problem:
    kernel, stride = draw(one_an_axis(spatial, 1, 4)), draw(one_an_axis(spatial, 1, 4))
    dilation, padding = draw(one_an_axis(spatial, 1, 3)), draw(one_an_axis(spatial, 0, 3))
    spans = [far * (size - 1) + 1 for size, far in zip(kernel, dilation, strict=True)]
    size = draw(spatial_sizes([max(1, span - 2 * side) for span, side in zip(spans, padding, strict=True)]))
    parameters = {
        "kernel_size": draw(spelled(kernel, single=False)),
        "dilation": draw(spelled(dilation, single=False)),
        "padding": draw(spelled(padding, single=False)),
        "stride": draw(spelled(stride, single=False)),
    }
    lead, channels = draw(batches()), draw(st.integers(1, 4))
    if not folded:
        return {"input": [*lead, channels, *size]}, parameters
    count = math.prod(
        (length + 2 * side - span) // step + 1
        for length, side, span, step in zip(size, padding, spans, stride, strict=True)
    )
    parameters = {"output_size": draw(spelled(size, single=False)), **parameters}
    return {"input": [*lead, channels * math.prod(kernel), count]}, parameters


_PROBLEMS: dict[str, Callable[[int], st.SearchStrategy[Problem]]] = {
    "conv": convolutions,
    "conv_transpose": transposed,
    "max_pool": lambda spatial: sliding(spatial, "max_pool"),
    "min_pool": lambda spatial: sliding(spatial, "min_pool"),
    "avg_pool": lambda spatial: sliding(spatial, "avg_pool"),
    "lp_pool": lambda spatial: sliding(spatial, "lp_pool"),
    "adaptive_avg_pool": lambda spatial: adaptive(spatial, "adaptive_avg_pool"),
    "adaptive_max_pool": lambda spatial: adaptive(spatial, "adaptive_max_pool"),
    "fractional_max_pool": fractional,
    "max_unpool": unpools,
    "unfold": lambda spatial: blocks(spatial, folded=False),
    "fold": lambda spatial: blocks(spatial, folded=True),
}


# --- calls by a rule ---

DOES_NOT_FIT = "kernel_size must be at most"
"""What is refused of drawn problems: their padding may be smaller than what the size was drawn for."""


@st.composite
def ruled_calls(draw: Draw, operator: Operator, layouts: bool = True) -> Call:
    """Legal calls of a pool by some rule, with any padding, on plain and on odd numbers."""
    dtypes = FLOATS if operator.family in ("avg_pool", "lp_pool") else ORDERED
    dtype, content = draw(st.sampled_from(dtypes)), draw(st.sampled_from(["plain", "special"]))
    call = draw(calls(operator, dtype, content, layouts))
    parameters, spatial = dict(call.parameters), operator.spatial
    rule = draw(st.sampled_from(RULES))
    parameters["rule"] = rule
    if operator.family == "lp_pool":
        rule = parameters["rule"] = draw(st.sampled_from(["torch", "onnx", "onnxruntime-legacy", "coreml"]))
        if rule == "coreml":
            parameters["norm_type"] = 2
    if "dilation" not in parameters and draw(st.booleans()):
        parameters["dilation"] = draw(st.integers(1, 2))
    if rule.startswith("tensorflow"):
        parameters |= {"padding": 0, "ceil_mode": False}
    else:
        kernel = each(parameters["kernel_size"], spatial)
        most = [int(size) // 2 if rule == "torch" else 4 for size in kernel]
        pairs = [tuple(draw(st.integers(0, side)) for _ in range(2)) for side in most]
        forms = [parameters.get("padding", 0), pairs, tuple(pairs), "valid", "same", "same_lower"]
        parameters["padding"] = draw(st.sampled_from(forms))
    if rule == "coreml":
        parameters["return_indices"] = False
        parameters["ceil_mode"] &= spatial < 3 and parameters["padding"] in (0, "valid")
        if "avg" in operator.family or "lp" in operator.family:
            del parameters["return_indices"]
    return Call(operator, call.arrays, parameters)


# --- odd calls ---

ODD_NUMBERS: list[Any] = [-1, 0, 1, 2, 3, 5, 8, 40, 2.0, 1.5, True, None, "2", (), [], "", b"\1\2", range(1, 3)]
ODD_NUMBERS += [{1, 2}, {1: 1, 2: 2}, {}, np.array([1, 2])]
ODD_FLAGS: list[Any] = [True, False, 0, 1, None, "yes"]
ODD: dict[str, list[Any]] = {
    "ceil_mode": ODD_FLAGS,
    "count_include_pad": ODD_FLAGS,
    "return_indices": [True, False],
    "divisor_override": [0, -1, 1, 2.5, True, None, "2"],
    "groups": [0, -1, 1, 2, 3, 1.0, True, None],
    "norm_type": [0, 0.0, 1, 2, math.inf, -math.inf, True],
    "output_ratio": [(0.5, 0.5), (0.5, 0.5, 0.5), (0.99, 0.99), (0.1, 1.5), None, "x"],
    "padding_mode": ["zeros"],
}


@st.composite
def odd_calls(draw: Draw, operator: Operator) -> Call:
    """A float32 call of which one or two arguments are replaced by anything."""
    call = draw(_calls(operator, "float32", "plain", False))
    spatial = operator.spatial
    if operator.family in ("conv", "conv_transpose"):
        # What torch has no word for is tested elsewhere.
        call.parameters.pop("padding_mode", None)
        if not isinstance(call.parameters["padding"], int | np.integer):
            call.parameters["padding"] = 1
    for _ in range(draw(st.integers(1, 2))):
        if draw(st.integers(0, 3)) == 0:
            name = draw(st.sampled_from([name for name, array in call.arrays.items() if array is not None]))
            call = call.with_arrays(**{name: draw(odd_array(call.arrays[name]))})
        else:
            name = draw(st.sampled_from(sorted(call.parameters)))
            numbers = st.sampled_from([-1, 0, 1, 2, 3, 4])
            anything = st.sampled_from(ODD_NUMBERS) | st.lists(numbers, min_size=spatial, max_size=spatial)
            anything |= st.lists(numbers, min_size=1, max_size=4).map(tuple)
            anything |= st.tuples(*[st.sampled_from([1, 2, 1.5, None, True, "1"])] * spatial)
            call = call.with_parameters(**{name: draw(st.sampled_from(ODD[name]) if name in ODD else anything)})
    return call


@st.composite
def odd_array(draw: Draw, array: NDArray[Any] | None) -> NDArray[Any]:
    """The array with another shape or dtype."""
    assert array is not None
    change = draw(st.sampled_from(["drop", "add", "grow", "shrink", "empty", "dtype"]))
    axis = draw(st.integers(0, max(array.ndim - 1, 0)))
    if change == "drop" and array.ndim and array.shape[axis]:
        return np.ascontiguousarray(np.take(array, 0, axis))
    if change == "add":
        return np.ascontiguousarray(np.expand_dims(array, axis))
    if change == "grow":
        return np.concatenate([array, array], axis)
    if change == "shrink" and array.ndim:
        return np.ascontiguousarray(np.take(array, range(array.shape[axis] // 2), axis))
    if change == "empty":
        return np.ascontiguousarray(np.take(array, [], axis))
    return array.astype(draw(st.sampled_from(["float64", "int32", "int64", "float16"])))
