"""A refusal says which argument, what it was, the rule with its numbers, and the nearest legal value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convrs

X1, X2, X3 = (np.ones((1, 4, *[8] * spatial), np.float32) for spatial in (1, 2, 3))
W1 = np.ones((6, 4, 3), np.float32)
W2 = np.ones((6, 4, 3, 3), np.float32)

Refusal = tuple[str, tuple[Any, ...], dict[str, Any], type[Exception], list[str]]

REFUSALS: dict[str, Refusal] = {
    # Values: the nearest legal one.
    "kernel too large": (
        "conv1d",
        (X1, np.ones((6, 4, 11), np.float32)),
        {"padding": 1},
        ValueError,
        ["kernel", "11", "10"],
    ),
    "dilated kernel too large": ("conv1d", (X1, W1), {"dilation": 4}, ValueError, ["4 * (3 - 1) + 1 = 9", "8"]),
    "stride 0": ("conv2d", (X2, W2), {"stride": 0}, ValueError, ["stride", "0", "nearest legal value is 1"]),
    "dilation 0": ("conv2d", (X2, W2), {"dilation": (1, 0)}, ValueError, ["dilation", "0", "nearest legal value is 1"]),
    "padding -1": ("conv2d", (X2, W2), {"padding": -1}, ValueError, ["padding", "-1", "nearest legal value is 0"]),
    "groups 0": ("conv2d", (X2, W2), {"groups": 0}, ValueError, ["groups", "0", "1"]),
    "groups 3": ("conv2d", (X2, W2), {"groups": 3}, ValueError, ["12", "4"]),
    "reflection too long": (
        "conv1d",
        (X1, W1),
        {"padding": 8, "padding_mode": "reflect"},
        ValueError,
        ["padding", "8", "7"],
    ),
    "output_padding": (
        "conv_transpose1d",
        (X1, np.ones((4, 6, 3), np.float32)),
        {"stride": 2, "output_padding": 2},
        ValueError,
        ["output_padding", "2", "nearest legal value is 1"],
    ),
    "pool padding": ("max_pool2d", (X2, 3), {"padding": 2}, ValueError, ["padding", "2", "nearest legal value is 1"]),
    "pool kernel": ("avg_pool2d", (X2, 9), {}, ValueError, ["kernel_size", "9", "nearest legal value is 8"]),
    "pool kernel 0": ("max_pool1d", (X1, 0), {}, ValueError, ["kernel_size", "0", "nearest legal value is 1"]),
    "divisor 0": (
        "avg_pool2d",
        (X2, 2),
        {"divisor_override": 0},
        ValueError,
        ["divisor_override", "0", "nearest legal value is 1"],
    ),
    "norm 0": ("lp_pool2d", (X2, 0, 2), {}, ValueError, ["norm_type is 0: ", "-1 and 1"]),
    "endless norm": ("lp_pool2d", (X2, 10**400, 2), {}, ValueError, ["norm_type is 1000", "000...: ", "float64"]),
    "output_size -1": (
        "adaptive_avg_pool2d",
        (X2, -1),
        {},
        ValueError,
        ["output_size", "-1", "nearest legal value is 0"],
    ),
    "fractional output": (
        "fractional_max_pool2d",
        (X2, 2, 8),
        {},
        ValueError,
        ["output_size", "8", "nearest legal value is 7"],
    ),
    "no output size": ("fractional_max_pool2d", (X2, 2), {}, ValueError, ["output_size", "output_ratio"]),
    "index": ("max_unpool1d", (X1, np.full(X1.shape, 16), 2), {}, ValueError, ["indices", "16", "15"]),
    "negative index": ("max_unpool1d", (X1, np.full(X1.shape, -1), 2), {}, ValueError, ["indices", "-1", "0"]),
    "unpool size": (
        "max_unpool1d",
        (X1, np.zeros(X1.shape, int), 2),
        {"output_size": (18,)},
        ValueError,
        ["output_size", "14", "18"],
    ),
    "blocks": ("fold", (np.ones((1, 4, 8), np.float32), 4, 2), {}, ValueError, ["8 blocks", "3 * 3 = 9"]),
    "columns": ("fold", (np.ones((1, 5, 9), np.float32), 4, 2), {}, ValueError, ["5 columns", "2 * 2 = 4"]),
    # Shapes.
    "rank": ("conv2d", (X1[0], W2), {}, ValueError, ["input", "[4, 8]", "4 axes", "3 without the batch"]),
    "channels": ("conv1d", (X1, np.ones((6, 3, 3), np.float32)), {}, ValueError, ["4", "3"]),
    "bias": ("conv1d", (X1, W1, np.ones(5, np.float32)), {}, ValueError, ["bias", "[5]", "6"]),
    "no kernel": (
        "conv2d",
        (X2, W2[..., :0]),
        {},
        ValueError,
        ["weight has shape [6, 4, 3, 0]", "kernel size"],
    ),
    "no weights": ("conv_transpose1d", (X1, W1[:4, :0]), {}, ValueError, ["weight has shape [4, 0, 3]"]),
    "no height": (
        "conv2d",
        (X2[:, :, :0], W2),
        {},
        ValueError,
        ["input", "[4, 0, 8] (channels, then the spatial axes)"],
    ),
    "no length": (
        "max_pool1d",
        (X1[..., :0], 2),
        {},
        ValueError,
        ["input", "[4, 0] (channels, then the spatial axes)"],
    ),
    "no channels": (
        "max_pool1d",
        (np.ones((1, 0, 8), np.float32), 2),
        {},
        ValueError,
        ["input", "at least one element"],
    ),
    "two numbers": (
        "conv3d",
        (X3, np.ones((1, 4, 1, 1, 1), np.float32)),
        {"stride": (1, 2)},
        ValueError,
        ["stride", "2 numbers", "3 spatial axes"],
    ),
    "samples": (
        "fractional_max_pool2d",
        (X2, 2, 3),
        {"_random_samples": np.ones((1, 4, 3), np.float32)},
        ValueError,
        ["_random_samples", "[1, 4, 3]", "[1, 4, 2]"],
    ),
    "shape of indices": (
        "max_unpool1d",
        (X1, np.zeros((1, 4, 7), int), 2),
        {},
        ValueError,
        ["indices", "[1, 4, 7]", "[1, 4, 8]"],
    ),
    # Words.
    "padding word": ("conv1d", (X1, W1), {"padding": "full"}, ValueError, ["padding", "full", "valid", "same"]),
    "padding mode": ("conv1d", (X1, W1), {"padding_mode": "wrap"}, ValueError, ["padding_mode", "wrap", "circular"]),
    # Kinds.
    "float stride": ("conv1d", (X1, W1), {"stride": 1.5}, TypeError, ["stride", "whole number", "1.5"]),
    "bool kernel": ("max_pool1d", (X1, True), {}, TypeError, ["kernel_size", "bool"]),
    "bool padding": (
        "conv1d",
        (X1, W1),
        {"padding": ((True, 0),)},
        TypeError,
        ["padding", "whole number", "bool: True"],
    ),
    "half a pair": ("conv1d", (X1, W1), {"padding": ((1,),)}, ValueError, ["padding", "((1,),)", "(before, after)"]),
    "ceil_mode 1": (
        "max_pool1d",
        (X1, 2),
        {"ceil_mode": 1},
        TypeError,
        ["ceil_mode must be True or False, got int: 1"],
    ),
    "padding counted": (
        "avg_pool1d",
        (X1, 2),
        {"count_include_pad": "yes"},
        TypeError,
        ["count_include_pad", "str: yes"],
    ),
    "indices 1": (
        "max_pool1d",
        (X1, 2),
        {"return_indices": 1},
        TypeError,
        ["return_indices", "True or False", "int: 1"],
    ),
    "mode 3": ("conv1d", (X1, W1), {"padding_mode": 3}, TypeError, ["padding_mode must be a text, got int: 3"]),
    "norm None": ("lp_pool1d", (X1, None, 2), {}, TypeError, ["norm_type must be a number, got NoneType"]),
    "long list": ("conv1d", (X1, W1), {"dilation": [[1] * 10**5]}, TypeError, ["dilation", "list: [1, 1,", "1, 1,..."]),
    "a set": ("conv2d", (X2, W2), {"stride": {1, 2}}, TypeError, ["stride", "a list or tuple", "set: {1, 2}"]),
    "text": ("max_pool1d", (X1, "2"), {}, TypeError, ["kernel_size", "str"]),
    "mixed dtypes": (
        "conv1d",
        (X1, W1.astype(np.float64)),
        {},
        TypeError,
        ["weight", "float64", 'weight.astype("float32")'],
    ),
    "image of whole numbers": (
        "conv1d",
        (X1.astype(np.uint8), W1),
        {},
        TypeError,
        ["weight is float32", 'dtype of input, uint8; write input.astype("float32")'],
    ),
    "channels last": (
        "conv2d",
        (X2.transpose(0, 2, 3, 1), W2),
        {},
        ValueError,
        ["input has 8 channels: ", "input needs 4 * 1 = 4 channels before its spatial axes, where it has them last"],
    ),
    "one number for no axis": ("max_pool2d", (X2, (2, 2, 2)), {}, ValueError, ["kernel_size has 3 numbers: "]),
    "a dictionary": ("conv1d", (X1, {"weight": W1}), {}, TypeError, ["weight must be an array, got dict"]),
    "a name": ("conv1d", (X1, "weight"), {}, TypeError, ["weight must be an array, got str"]),
    "overlapping out": ("max_pool1d", (X1, 1), {"out": X1}, ValueError, ["out is an overlapping array: it must not"]),
    "mixed bias": ("conv1d", (X1, W1, np.ones(6)), {}, TypeError, ["bias", "float64", 'bias.astype("float32")']),
    "int32 indices": (
        "max_unpool1d",
        (X1, np.zeros(X1.shape, np.int32), 2),
        {},
        TypeError,
        ["indices", "int32", "astype(numpy.int64)"],
    ),
    "order of complex": ("max_pool1d", (X1.astype(np.complex64), 2), {}, TypeError, ["input", "complex64", "astype"]),
    "dtype": ("max_pool1d", (np.array([["a", "b"]]), 2), {}, TypeError, ["input", "<U1", "float32"]),
    "objects": ("max_pool1d", (np.array([[object()] * 2]), 2), {}, TypeError, ["input", "object"]),
    "dates": ("max_pool1d", (np.zeros((1, 4), "datetime64[s]"), 2), {}, TypeError, ["input", "datetime64"]),
    "longdouble": ("max_pool1d", (np.zeros((1, 4), np.longdouble), 2), {}, TypeError, ["input", "longdouble|float128"]),
    "ragged": ("max_pool1d", ([[1.0, 2.0], [3.0]], 2), {}, TypeError, ["input", "list"]),
    "None": ("conv1d", (X1, None), {}, TypeError, ["weight", "None"]),
    "masked": ("max_pool1d", (np.ma.masked_less([[1.0, 2, 3]], 2), 2), {}, TypeError, ["input", "masked", "filled"]),
    # Sizes beyond memory.
    "endless kernel": ("max_pool1d", (X1, 2**62), {}, ValueError, ["kernel_size"]),
    "beyond 64 bits": ("conv1d", (X1, W1), {"stride": 2**70}, ValueError, ["stride is 11805916", "2^63 - 1 = 92233"]),
    "beyond all bits": ("conv1d", (X1, W1), {"stride": 10**5000}, ValueError, ["stride is too long to print", "2^63"]),
    "endless output": ("adaptive_avg_pool2d", (X2, 2**31), {}, MemoryError, ["output|allocate"]),
    "endless padding": ("conv1d", (X1, W1), {"padding": 2**60}, MemoryError, ["padded|output|memory"]),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_length(case: str) -> None:
    name, arguments, parameters, kind, _ = REFUSALS[case]
    with pytest.raises(kind) as caught:
        getattr(convrs, name)(*arguments, **parameters)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("case", REFUSALS)
def test_text(case: str) -> None:
    name, arguments, parameters, kind, words = REFUSALS[case]
    with pytest.raises(kind) as caught:
        getattr(convrs, name)(*arguments, **parameters)
    text = str(caught.value)
    for word in words:
        assert any(choice in text for choice in word.split("|")), f"{word!r} is not in: {text}"


@pytest.mark.parametrize(
    "case", [case for case, refusal in REFUSALS.items() if "nearest legal value" in refusal[4][-1]]
)
def test_the_nearest_legal_value_is_legal(case: str) -> None:
    name, arguments, parameters, _, words = REFUSALS[case]
    value = int(words[-1].split()[-1])
    if words[0] in parameters:
        parameters = {**parameters, words[0]: value}
    else:
        place = next(index for index, argument in enumerate(arguments) if str(argument) == words[1])
        arguments = (*arguments[:place], value, *arguments[place + 1 :])
    getattr(convrs, name)(*arguments, **parameters)


def test_unknown_and_missing_arguments_are_pythons_business() -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        convrs.conv1d(X1, W1, strides=2)
    with pytest.raises(TypeError, match="missing"):
        convrs.conv1d(X1)
    with pytest.raises(TypeError, match="positional"):
        convrs.conv1d(X1, W1, None, 1, 0, 1, 1, "zeros")
