"""The dialects: against a reference with its own size arithmetic, published numbers, and ONNX's own cases."""

from __future__ import annotations

import itertools
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import convrs
import strategies
from convrs import check, rules
from operators import Operator, of

POOLS = of("max_pool", "min_pool", "avg_pool", "lp_pool")
FAMILIES = ("max_pool", "min_pool", "avg_pool", "lp_pool")


# --- every rule against the reference ---


@pytest.mark.parametrize("operator", POOLS, ids=str)
@given(data=st.data())
def test_every_rule_is_the_reference(operator: Operator, data: st.DataObject) -> None:
    call = data.draw(strategies.ruled_calls(operator))
    try:
        actual = call()
    except ValueError as error:
        if strategies.DOES_NOT_FIT not in str(error):
            raise
        return
    verdict = check.compare(actual, operator.name, **call.arrays, **call.parameters)
    assert verdict.agrees, f"{call}\n{verdict}"


@pytest.mark.parametrize(("rule", "spatial"), [("coreml", 2), ("onnxruntime-legacy", 2), ("onnxruntime-legacy", 3)])
@pytest.mark.parametrize("family", ["max_pool", "min_pool", "avg_pool"])
def test_windows_of_one_element_beyond_the_input(rule: str, family: str, spatial: int) -> None:
    """The last row of windows covers nothing; what follows the array in memory must not be read for it."""
    input = np.random.default_rng(0).standard_normal((1, 3, *[6] * (spatial - 1), 33))
    for stride in (3, 4, 5):
        parameters = {"kernel_size": 1, "stride": [*[stride] * (spatial - 1), 1], "ceil_mode": True, "rule": rule}
        result = getattr(convrs, f"{family}{spatial}d")(input, **parameters)
        verdict = check.compare(result, f"{family}{spatial}d", input, **parameters)
        assert verdict.agrees, str(verdict)


@pytest.mark.parametrize("operator", POOLS, ids=str)
@given(data=st.data())
def test_windows_are_what_the_pool_covers(operator: Operator, data: st.DataObject) -> None:
    """A maximum over a single large element finds the windows that cover it; a mean of ones the divisor."""
    call = data.draw(strategies.ruled_calls(operator))
    sizes = call.input.shape[-operator.spatial :]
    given_ = {name: value for name, value in call.parameters.items() if name != "return_indices"}
    try:
        tables = convrs.windows(operator.name, sizes, **given_)
    except ValueError as error:
        if strategies.DOES_NOT_FIT not in str(error):
            raise
        return
    place = tuple(data.draw(st.integers(0, size - 1)) for size in sizes)
    image = np.zeros((1, 1, *sizes))
    image[(0, 0, *place)] = 1
    covers = [np.array([int(at in window.taps) for window in axis]) for axis, at in zip(tables, place, strict=True)]
    name = f"max_pool{operator.spatial}d"
    own = {name: given_[name] for name in ("kernel_size", "stride", "padding", "ceil_mode", "rule") if name in given_}
    found = getattr(convrs, name)(image, **own, dilation=given_.get("dilation", 1))[0, 0] == 1
    np.testing.assert_array_equal(found, check.windows.outer(covers) == 1)
    for axis in tables:
        for window in axis:
            whole = range(window.start, window.stop, window.taps.step)
            assert window.clipped == sum(at not in window.taps for at in whole)
    if operator.family == "avg_pool" and given_.get("divisor_override") is None:
        counts = check.windows.outer([np.array([len(window.taps) for window in axis]) for axis in tables])
        divisors = check.windows.outer([np.array([window.divisor for window in axis]) for axis in tables])
        result = getattr(convrs, operator.name)(np.ones((1, 1, *sizes)), **given_)[0, 0]
        known = counts > 0
        np.testing.assert_allclose(result[known], counts[known] / divisors[known], rtol=1e-12)


# --- published disagreements ---

DISAGREEMENTS = json.loads((Path(__file__).parent / "disagreements.json").read_text())


@pytest.mark.parametrize(
    "case", DISAGREEMENTS, ids=lambda case: f"{case['source'].removeprefix('https://github.com/')} {case['op']}"
)
def test_published_disagreements(case: dict[str, Any]) -> None:
    """Both answers of the thread, each by its rule."""
    assert len(case["answers"]) == 2
    results = []
    for answer in case["answers"]:
        parameters = {**case["parameters"], **answer.get("parameters", {})}
        for name in ("weight", "indices"):
            if name in parameters:
                parameters[name] = np.array(parameters[name], np.int64 if name == "indices" else np.float32)
        if "rule" in answer:
            parameters["rule"] = answer["rule"]
        result = getattr(convrs, case["op"])(np.array(answer.get("input", case["input"]), np.float32), **parameters)
        values, indices = result if isinstance(result, tuple) else (result, None)
        if "values" in answer:
            # Half a unit of the fourth digit of 0.3431, the shortest published number.
            np.testing.assert_allclose(values, answer["values"], rtol=1.5e-4)
        if "shape" in answer:
            assert list(values.shape) == answer["shape"]
        if "first" in answer:
            assert values.ravel()[0] == answer["first"]
        if "indices" in answer:
            assert indices is not None
            np.testing.assert_array_equal(indices, answer["indices"])
        results.append(
            np.array(values.shape)
            if "shape" in answer and "first" not in answer
            else indices
            if indices is not None
            else values
        )
    one, two = results
    assert one.shape != two.shape or not np.array_equal(one, two, equal_nan=True)


def test_there_are_enough_published_disagreements() -> None:
    assert len({case["source"] for case in DISAGREEMENTS}) >= 12
    assert {rule for case in DISAGREEMENTS for answer in case["answers"] if (rule := answer.get("rule"))} >= {
        "torch",
        "onnx",
        "onnxruntime-legacy",
        "coreml",
        "tensorflow-valid",
    }


# --- ONNX's own node cases ---

OPERATORS = ("MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "MaxUnpool")

NOT_REPRODUCED: dict[str, str] = {}
"""Names of node cases that we do not give, each with its reason."""


def node_cases() -> list[Any]:
    with warnings.catch_warnings():
        # Other operators' cases overflow on purpose.
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    return [case for case in cases if len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in OPERATORS]


def run_node(node: Any, arrays: list[Any]) -> list[Any]:
    """A pool node of ONNX by our functions."""
    from onnx import helper

    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    spatial = arrays[0].ndim - 2
    if node.op_type.startswith("Global"):
        kind = "max" if "Max" in node.op_type else "avg"
        return [getattr(convrs, f"adaptive_{kind}_pool{spatial}d")(arrays[0], 1)]
    pads = attributes.get("pads", [0] * 2 * spatial)
    pairs = list(zip(pads[:spatial], pads[spatial:], strict=True))
    words = {b"SAME_UPPER": "same", b"SAME_LOWER": "same_lower", b"VALID": "valid", b"NOTSET": pairs}
    parameters: dict[str, Any] = {
        "kernel_size": tuple(attributes["kernel_shape"]),
        "stride": tuple(attributes.get("strides", [1] * spatial)),
        "padding": words[attributes.get("auto_pad", b"NOTSET")],
        "rule": "onnx",
    }
    if node.op_type == "MaxUnpool":
        size = [int(number) for number in arrays[2]] if len(arrays) == 3 else None
        return [getattr(convrs, f"max_unpool{spatial}d")(*arrays[:2], **parameters, output_size=size)]
    parameters |= {"dilation": tuple(attributes.get("dilations", [1] * spatial))}
    parameters |= {"ceil_mode": bool(attributes.get("ceil_mode", 0))}
    if node.op_type == "MaxPool":
        result = getattr(convrs, f"max_pool{spatial}d")(arrays[0], **parameters, return_indices=len(node.output) == 2)
        if len(node.output) == 1:
            return [result]
        values, indices = result
        if attributes.get("storage_order", 0) == 1:
            indices = rules.convert_indices(indices, arrays[0].shape, "onnx", "onnx-column-major")
        return [values, indices]
    if node.op_type == "LpPool":
        return [getattr(convrs, f"lp_pool{spatial}d")(arrays[0], attributes.get("p", 2), **parameters)]
    included = bool(attributes.get("count_include_pad", 0))
    return [getattr(convrs, f"avg_pool{spatial}d")(arrays[0], **parameters, count_include_pad=included)]


def test_onnx_node_cases() -> None:
    cases = node_cases()
    seen = {case.model.graph.node[0].op_type for case in cases}
    assert seen >= {"MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "MaxUnpool"}
    assert len(cases) >= 45
    for case in cases:
        if case.name in NOT_REPRODUCED:
            continue
        for arrays, expected in case.data_sets:
            results = run_node(case.model.graph.node[0], arrays)
            for result, right in zip(results, expected, strict=True):
                assert (result.shape, result.dtype) == (right.shape, right.dtype), case.name
                np.testing.assert_allclose(result, right, case.rtol, case.atol, err_msg=case.name)


# --- differences ---


def test_differences_are_those_that_the_results_show() -> None:
    """Wherever two rules give other numbers for an image, the table says so, and nowhere else."""
    generator = np.random.default_rng(0)
    settings = itertools.product(FAMILIES, (5, 6, 9), (2, 3), (2, 3), (0, 1), (False, True))
    for family, size, kernel, stride, padding, ceil_mode in settings:
        norm: dict[str, Any] = {"norm_type": 2} if family == "lp_pool" else {}
        problem = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode, **norm}
        found = rules.differences(f"{family}2d", (size, size + 1), kernel, **problem)
        image = generator.random((1, 2, size, size + 1))
        function = getattr(convrs, f"{family}2d")
        base = function(image, kernel_size=kernel, **problem)
        for rule in rules.RULES[1:]:
            own = {**problem, **({"padding": 0, "ceil_mode": False} if rule.startswith("tensorflow") else {})}
            try:
                result = function(image, kernel_size=kernel, rule=rule, **own)
            except ValueError:
                assert [one.kind for one in found.of(rule)] == ["refused"]
                continue
            assert found.shapes[rule] == result.shape[2:]
            common = tuple(map(min, result.shape[2:], base.shape[2:]))
            window = (0, 0, *map(slice, common))
            differs = ~np.isclose(result[window], base[window], equal_nan=True)
            said = np.zeros(common, bool)
            for one in found.of(rule):
                if one.kind in ("windows", "divisor", "empty"):
                    for axis, indices in enumerate(one.axes):
                        inside = [at for at in indices if at < common[axis]]
                        np.moveaxis(said, axis, 0)[inside] = True
            if family == "lp_pool":
                # Torch counts short windows as if they were full.
                assert "powers" in {one.kind for one in found.of(rule)}
            elif family == "avg_pool":
                np.testing.assert_array_equal(differs, said & differs)
                assert differs.any() == said.any()
            else:
                assert not (differs & ~said).any()
            assert (result.shape != base.shape) == ("shape" in {one.kind for one in found.of(rule)})


def test_differences_in_words() -> None:
    text = str(rules.differences("max_pool2d", (224, 224), 3, stride=2, padding=1))
    assert "torch gives 112 x 112 outputs" in text
    for rule in rules.RULES[1:]:
        assert rule in text
    assert "windows" in text
    assert "index" in text
    refused = rules.differences("avg_pool3d", 4, 2, ceil_mode=True)
    assert refused.shapes["coreml"] is None
    assert "1-D and 2-D" in str(refused)
    for wrong in ("conv1d", "adaptive_avg_pool1d", "max_unpool1d"):
        with pytest.raises(ValueError, match="op is"):
            rules.differences(wrong, 4, 2)
    with pytest.raises(ValueError, match="must be one of torch"):
        rules.differences("max_pool1d", 4, 2, against="caffe")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int64", "bool"])
def test_the_largest_magnitude_of_a_window_without_elements_is_zero(dtype: str) -> None:
    pair = np.ones((1, 1, 2), dtype)
    beyond = {"stride": 4, "padding": 1, "ceil_mode": True, "rule": "onnxruntime-legacy"}
    np.testing.assert_array_equal(convrs.lp_pool1d(pair, np.inf, 2, **beyond), [[[1, 0]]])
    between = {"padding": 1, "dilation": 3}
    np.testing.assert_array_equal(convrs.lp_pool1d(pair, np.inf, 2, **between), [[[0]]])
    with convrs.use_backend("torch"):
        np.testing.assert_array_equal(convrs.lp_pool1d(pair, np.inf, 2, **between), [[[0]]])
    if dtype == "int8":
        # Which is its own magnitude, and no largest one of others.
        least = np.full((1, 1, 2), -128, dtype)
        np.testing.assert_array_equal(convrs.lp_pool1d(least, np.inf, 2), [[[-128]]])


# --- windows of the other pools ---


def test_adaptive_and_fractional_windows() -> None:
    for size, outputs in itertools.product((1, 3, 7, 8), (1, 2, 5, 9)):
        (axis,) = convrs.windows("adaptive_avg_pool1d", size, outputs)
        ramp = np.arange(size, dtype=np.float64).reshape(1, 1, size)
        expected = torch.nn.functional.adaptive_avg_pool1d(torch.from_numpy(ramp), outputs).numpy().ravel()
        np.testing.assert_allclose([np.mean(window.taps) for window in axis], expected)
        assert all(window.divisor == len(window.taps) and window.clipped == 0 for window in axis)
    samples = np.array([0.3, 0.9], np.float32)
    height, width = convrs.windows("fractional_max_pool2d", (9, 12), 2, output_size=(4, 5), _random_samples=samples)
    plane = np.arange(9 * 12, dtype=np.float32).reshape(1, 1, 9, 12)
    pooled = convrs.fractional_max_pool2d(plane, 2, output_size=(4, 5), _random_samples=samples.reshape(1, 1, 2))
    np.testing.assert_array_equal(
        [[row.stop * 12 - 12 + column.stop - 1 for column in width] for row in height], pooled[0, 0]
    )
    with pytest.raises(ValueError, match="_random_samples"):
        convrs.windows("fractional_max_pool2d", (9, 12), 2, output_size=3)
    with pytest.raises(ValueError, match="op is 'conv1d'"):
        convrs.windows("conv1d", 4, 2)
    with pytest.raises(ValueError, match="kernel_size"):
        convrs.windows("max_pool1d", 4, 0)


# --- indices ---


@given(data=st.data())
def test_indices_count_the_same_elements(data: st.DataObject) -> None:
    spatial = data.draw(st.integers(1, 3))
    shape = tuple(data.draw(st.integers(1, 4)) for _ in range(spatial + 2))
    image = np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape).astype(np.float64)
    values, indices = getattr(convrs, f"max_pool{spatial}d")(image, 1, return_indices=True)
    onnx = rules.convert_indices(indices, shape)
    np.testing.assert_array_equal(image.ravel()[onnx], values)
    last = rules.convert_indices(onnx, shape, "onnx", "tensorflow")
    for number, one in enumerate(image):
        np.testing.assert_array_equal(np.moveaxis(one, 0, -1).ravel()[last[number]], values[number])
    columns = rules.convert_indices(indices, shape, "torch", "onnx-column-major")
    for order, converted in (("onnx", onnx), ("tensorflow", last), ("onnx-column-major", columns)):
        np.testing.assert_array_equal(rules.convert_indices(converted, shape, order, "torch"), indices)
    own = getattr(convrs, f"max_pool{spatial}d")
    np.testing.assert_array_equal(own(image, 1, return_indices=True, rule="onnx")[1], onnx)
    np.testing.assert_array_equal(own(image, 1, return_indices=True, rule="tensorflow-same")[1], last)
    back = getattr(convrs, f"max_unpool{spatial}d")(values, onnx, 1, rule="onnx")
    np.testing.assert_array_equal(back, image)


def test_indices_outside_a_plane_are_refused() -> None:
    indices = np.array([[[1], [3]]])
    for source in ("torch", "tensorflow"):
        with pytest.raises(ValueError, match="outside a plane of 3"):
            rules.convert_indices(indices + 5, (1, 2, 3), source, "onnx")
    with pytest.raises(ValueError, match="source is 'caffe'"):
        rules.convert_indices(indices, (1, 2, 3), "caffe")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="indices must be at least 3"):
        convrs.max_unpool1d(np.ones((1, 2, 1)), np.minimum(indices, 2), 3, rule="onnx")
    with pytest.raises(ValueError, match="indices must be at most 2"):
        convrs.max_unpool1d(np.ones((1, 2, 1)), indices + 2, 3, rule="onnx")


# --- refusals ---

X = np.ones((1, 1, 6, 6))

REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "no such rule": ("max_pool2d", {"rule": "caffe"}, "must be one of .torch., .onnx."),
    "padding of TensorFlow": ("max_pool2d", {"rule": "tensorflow-same", "padding": 1}, "leave it 0"),
    "ceil_mode of TensorFlow": ("avg_pool2d", {"rule": "tensorflow-valid", "ceil_mode": True}, "leave it False"),
    "uneven ceil_mode of Core ML": (
        "avg_pool2d",
        {"rule": "coreml", "ceil_mode": True, "padding": ((0, 1), (0, 1))},
        "both sides",
    ),
    "indices of Core ML": ("max_pool2d", {"rule": "coreml", "return_indices": True}, "leave it False"),
    "powers of Core ML": ("lp_pool2d", {"rule": "coreml", "norm_type": 3}, "power mean of 2 alone"),
    "powers of TensorFlow": ("lp_pool2d", {"rule": "tensorflow-same", "norm_type": 2}, "no power mean"),
    "padding of torch": ("max_pool2d", {"padding": ((0, 2), (0, 0))}, "nearest legal value is 1"),
    "padding below 0": ("max_pool2d", {"rule": "onnx", "padding": ((0, -1), (0, 0))}, "padding must be at least 0"),
    "a word": ("avg_pool2d", {"padding": "full"}, "same_lower"),
    "an unpool of Core ML": ("max_unpool2d", {"rule": "coreml", "indices": np.zeros(X.shape, np.int64)}, "torch"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str) -> None:
    name, parameters, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        getattr(convrs, name)(X, kernel_size=2, **parameters)


def test_explain_knows_torchs_rule() -> None:
    with pytest.raises(TypeError, match=r"convrs\.windows"):
        convrs.explain("max_pool2d", X, 2, rule="onnx", index=(0, 0, 0, 0))
    assert convrs.explain("avg_pool2d", X, 3, 2, "same", dilation=2, index=(0, 0, 0, 0)).agrees
    assert convrs.explain("lp_pool2d", X, 2, 3, 2, padding=((1, 0), (0, 1)), index=(0, 0, 0, 0)).agrees
