"""Ways to get a convolution or a pool wrong, each computed by torch or by another call of ours."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import authority
import convrs
from operators import Call

Array = NDArray[Any]
CONVOLUTIONS = ("conv", "conv_transpose")
POOLS = ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool")


def torchs(call: Call, **arrays: Any) -> Array:
    """Torch's values."""
    call = call.with_arrays(**arrays)
    result = authority.torch_call(authority.without_our_words(call) if call.operator.family == "conv" else call)
    return result[0] if isinstance(result, tuple) else result


def with_parameters(call: Call, **parameters: Any) -> Array:
    return torchs(call.with_parameters(**parameters))


def weight(call: Call) -> Array:
    array = call.arrays["weight"]
    assert array is not None
    return array


def spatial_axes(call: Call, array: Array) -> tuple[int, ...]:
    return tuple(range(array.ndim - call.operator.spatial, array.ndim))


def channel_axis(call: Call) -> int:
    return call.input.ndim - call.operator.spatial - 1


def by_channel(call: Call, values: Array, numbers: Array) -> Array:
    return numbers[: values.shape[channel_axis(call)]].reshape(-1, *[1] * call.operator.spatial).astype(values.dtype)


def read_channels_last(call: Call, array: Array) -> Array:
    return np.moveaxis(array, channel_axis(call), -1).reshape(array.shape)


def interleaved(call: Call, array: Array) -> Array:
    axis, groups = channel_axis(call), call.parameters["groups"]
    order = np.arange(array.shape[axis]).reshape(groups, -1).T.ravel()
    return array.take(order, axis)


def function(name: str) -> Callable[[Call], Array]:
    return lambda call: getattr(torch.nn.functional, name)(torch.from_numpy(torchs(call))).numpy()


def as_bfloat16(array: Array) -> Array:
    return torch.from_numpy(np.ascontiguousarray(array)).bfloat16().float().numpy()


def zero_padded(call: Call) -> Array:
    sides = authority.each(call.parameters["padding"], call.operator.spatial)
    pairs = [(0, 0)] * (channel_axis(call) + 1) + [(side, side) for side in sides]
    return torchs(call.with_parameters(padding=0), input=np.pad(call.input, pairs))


def values_of(result: Any) -> Array:
    return np.asarray(result[0] if isinstance(result, tuple) else result)


NUMBERS = np.random.default_rng(5).uniform(0.5, 2, 128)


@dataclass(frozen=True)
class Break:
    """One way of being wrong."""

    name: str
    """Of the cause."""
    families: tuple[str, ...]
    broken: Callable[[Call], Array]

    def __str__(self) -> str:
        return self.name


def swapped(call: Call, array: Array) -> Array:
    """The last two spatial axes exchanged."""
    if call.operator.spatial == 1:
        raise ValueError("one axis")
    return array.swapaxes(-1, -2)


def reversed_parameter(name: str) -> Callable[[Call], Array]:
    return lambda call: with_parameters(
        call, **{name: authority.each(call.parameters[name], call.operator.spatial)[::-1]}
    )


def with_weight(change: Callable[[Array], Array]) -> Callable[[Call], Array]:
    return lambda call: torchs(call, weight=change(weight(call)).reshape(weight(call).shape))


def flipped(*axes: int) -> Callable[[Call], Array]:
    return lambda call: torchs(call, weight=np.flip(weight(call), axes or spatial_axes(call, weight(call))))


def first_group(call: Call) -> Array:
    groups, axis = call.parameters["groups"], channel_axis(call)
    return torchs(call, input=np.concatenate([np.split(call.input, groups, axis)[0]] * groups, axis))


def first_image(call: Call) -> Array:
    if channel_axis(call) == 0:
        raise ValueError("no batch")
    return np.concatenate([torchs(call)[:1]] * len(call.input))


def divided_by(divisor: int | None) -> Callable[[Call], Array]:
    """Means of which every sum is divided by one number, or by the elements of the whole kernel."""

    def broken(call: Call) -> Array:
        spatial, parameters = call.operator.spatial, call.parameters
        kernel = authority.each(parameters["kernel_size"], spatial)
        by = int(np.prod(kernel)) if divisor is None else divisor
        if spatial > 1:
            return with_parameters(call, divisor_override=by)
        # Torch's avg_pool1d has no such argument.
        sizes = (kernel, authority.each(parameters["stride"] or kernel, 1), authority.each(parameters["padding"], 1))
        lifted = [(one, *size) for one, size in zip((1, 1, 0), sizes, strict=True)]
        image = torch.from_numpy(call.input[..., None, :])
        result = torch.nn.functional.avg_pool2d(image, *lifted, parameters["ceil_mode"], divisor_override=by)
        return result.numpy()[..., 0, :]

    return broken


def scaled(call: Call, factors: Array, offsets: Array) -> Array:
    right = torchs(call)
    return right * by_channel(call, right, factors) + by_channel(call, right, offsets)


def in_bfloat16(call: Call) -> Array:
    arrays = {name: None if array is None else as_bfloat16(array) for name, array in call.arrays.items()}
    return as_bfloat16(torchs(call, **arrays))


def as_means(call: Call) -> Array:
    return getattr(convrs, call.operator.name.replace("max", "avg"))(call.input, call.parameters["output_size"])


def other_pairs(call: Call) -> Array:
    return with_parameters(call, padding=[tuple(pair)[::-1] for pair in call.parameters["padding"]])


def other_same(call: Call) -> Array:
    other = {"same": "same_lower", "same_lower": "same"}
    return with_parameters(call, padding=other[call.parameters["padding"]])


def by_rule(rule: str) -> Callable[[Call], Array]:
    def broken(call: Call) -> Array:
        result = values_of(call(rule=rule))
        if not np.isfinite(result).all():
            raise ValueError("windows may lie beyond the input")
        return result

    return broken


ZEROS = 0 * NUMBERS
ONES = ZEROS + 1
BOTH = (*CONVOLUTIONS, *POOLS)

BREAKS = [
    Break("kernel flipped", CONVOLUTIONS, flipped()),
    Break("kernel flipped", CONVOLUTIONS, flipped(-1)),
    Break("kernel axes swapped", CONVOLUTIONS, lambda call: torchs(call, weight=swapped(call, weight(call)))),
    Break("input axes swapped", BOTH, lambda call: torchs(call, input=swapped(call, call.input))),
    Break("output axes swapped", BOTH, lambda call: swapped(call, torchs(call))),
    Break("weight channels swapped", CONVOLUTIONS, with_weight(lambda array: array.swapaxes(0, 1))),
    Break("channels-last weight", CONVOLUTIONS, with_weight(lambda array: np.moveaxis(array, 1, -1))),
    Break("channels-last weight", CONVOLUTIONS, with_weight(lambda array: np.moveaxis(array, (1, 0), (-2, -1)))),
    Break("channels-last input", BOTH, lambda call: torchs(call, input=read_channels_last(call, call.input))),
    Break("channels-last output", BOTH, lambda call: read_channels_last(call, torchs(call))),
    Break("channels-last output", BOTH, lambda call: np.moveaxis(torchs(call), channel_axis(call), -1)),
    Break(
        "input channels reversed",
        CONVOLUTIONS,
        lambda call: torchs(call, input=np.flip(call.input, channel_axis(call))),
    ),
    Break(
        "input channels shuffled across groups",
        CONVOLUTIONS,
        lambda call: torchs(call, input=interleaved(call, call.input)),
    ),
    Break("output channels shuffled across groups", CONVOLUTIONS, lambda call: interleaved(call, torchs(call))),
    Break("first group for all", CONVOLUTIONS, first_group),
    Break("first image for all", BOTH, first_image),
    Break("bias", CONVOLUTIONS, lambda call: torchs(call, bias=None)),
    Break("bias", CONVOLUTIONS, lambda call: torchs(call, bias=call.arrays["bias"] * 2)),
    Break("axes of an argument swapped", CONVOLUTIONS, reversed_parameter("stride")),
    Break("axes of an argument swapped", CONVOLUTIONS, reversed_parameter("dilation")),
    Break("axes of an argument swapped", ("max_pool", "avg_pool"), reversed_parameter("padding")),
    Break("argument left out", CONVOLUTIONS, lambda call: with_parameters(call, dilation=1)),
    Break("argument left out", CONVOLUTIONS, lambda call: with_parameters(call, stride=1)),
    Break("argument left out", BOTH, lambda call: with_parameters(call, padding=0)),
    Break("padding on the wrong side", ("conv",), other_pairs),
    Break("padding on the wrong side", ("conv",), other_same),
    *(
        Break("another padding_mode", ("conv",), lambda call, mode=mode: with_parameters(call, padding_mode=mode))
        for mode in ("replicate", "zeros")
    ),
    Break("padding with zeros", ("max_pool",), zero_padded),
    Break(
        "ceil_mode",
        ("max_pool", "avg_pool"),
        lambda call: with_parameters(call, ceil_mode=not call.parameters["ceil_mode"]),
    ),
    Break(
        "count_include_pad",
        ("avg_pool",),
        lambda call: with_parameters(call, count_include_pad=not call.parameters["count_include_pad"]),
    ),
    Break("divisor", ("avg_pool",), divided_by(None)),
    *(
        Break("another rule", ("max_pool", "avg_pool"), by_rule(rule))
        for rule in ("onnxruntime-legacy", "coreml", "tensorflow-same")
    ),
    Break("another kind of pool", ("adaptive_max_pool",), as_means),
    *(Break("activation", CONVOLUTIONS, function(name)) for name in ("relu", "silu", "gelu")),
    Break("output channels in another order", CONVOLUTIONS, lambda call: np.roll(torchs(call), 1, channel_axis(call))),
    Break("scaled", (*CONVOLUTIONS, "avg_pool"), lambda call: torchs(call) / np.float32(255)),
    Break("scaled", CONVOLUTIONS, lambda call: torchs(call, input=call.input / np.float32(255))),
    Break("another bias", CONVOLUTIONS, lambda call: scaled(call, ONES, NUMBERS)),
    Break("scaled by channel", CONVOLUTIONS, lambda call: scaled(call, NUMBERS, ZEROS)),
    Break("scaled and shifted by channel", CONVOLUTIONS, lambda call: scaled(call, NUMBERS, NUMBERS[::-1])),
    Break(
        "shorter operands",
        CONVOLUTIONS,
        lambda call: torchs(call, input=as_bfloat16(call.input), weight=as_bfloat16(weight(call))),
    ),
    Break("result in a shorter dtype", CONVOLUTIONS, lambda call: as_bfloat16(torchs(call))),
    Break("computed in a shorter dtype", CONVOLUTIONS, in_bfloat16),
]


def along(axis: int) -> Callable[[Call], Array]:
    def broken(call: Call) -> Array:
        if axis > call.operator.spatial:
            raise ValueError("no such axis")
        return flipped(-axis)(call)

    return broken


def in_order(name: str, order: tuple[int, ...]) -> Callable[[Call], Array]:
    def broken(call: Call) -> Array:
        values = authority.each(call.parameters[name], call.operator.spatial)
        return with_parameters(call, **{name: [values[axis] for axis in order if axis < len(values)]})

    return broken


def pairs_in_order(order: tuple[int, ...]) -> Callable[[Call], Array]:
    def broken(call: Call) -> Array:
        axes = [axis for axis in order if axis < call.operator.spatial]
        return with_parameters(call, padding=[call.parameters["padding"][axis] for axis in axes])

    return broken


def ours(**parameters: Any) -> Callable[[Call], Array]:
    return lambda call: values_of(call(**parameters))


def split(way: Callable[[int], tuple[int, int]]) -> Callable[[Call], Array]:
    """All padding of an axis distributed otherwise."""

    def broken(call: Call) -> Array:
        pairs = call.parameters["padding"]
        if not isinstance(pairs, tuple | list) or not isinstance(pairs[0], tuple):
            pairs = [(side, side) for side in authority.each(pairs, call.operator.spatial)]
        return values_of(call(padding=[way(sum(pair)) for pair in pairs]))

    return broken


def as_other(call: Call) -> Array:
    """Maxima for means and means for maxima."""
    names = [name for name in ("kernel_size", "stride", "padding", "ceil_mode", "dilation") if name in call.parameters]
    one, other = ("avg", "max") if "avg" in call.operator.name else ("max", "avg")
    other = call.operator.name.replace(one, other)
    return getattr(convrs, other)(call.input, **{name: call.parameters[name] for name in names})


def transposed(array: Array, order: tuple[int, ...]) -> Array:
    lead = array.ndim - len(order)
    return array.transpose(*range(lead), *(lead + axis for axis in order))


ORDERS = list(itertools.permutations(range(3)))[1:]

ALSO = [
    *(
        Break(name, families, broken)
        for order in ORDERS
        for name, families, broken in (
            ("output axes swapped", BOTH, lambda call, order=order: transposed(torchs(call), order)),
            ("input axes swapped", BOTH, lambda call, order=order: torchs(call, input=transposed(call.input, order))),
            (
                "kernel axes swapped",
                CONVOLUTIONS,
                lambda call, order=order: torchs(call, weight=transposed(weight(call), order)),
            ),
        )
    ),
    *(Break("kernel flipped", CONVOLUTIONS, along(axis)) for axis in (2, 3)),
    *(
        Break("axes of an argument swapped", BOTH, in_order(name, order))
        for name in ("stride", "padding", "dilation", "kernel_size")
        for order in itertools.permutations(range(3))
    ),
    *(Break("padding on the wrong side", BOTH, ours(padding=word)) for word in ("same", "same_lower")),
    *(
        Break("padding on the wrong side", BOTH, split(way))
        for way in (
            lambda total: (0, total),
            lambda total: (total, 0),
            lambda total: (total // 2, total - total // 2),
            lambda total: (total - total // 2, total // 2),
        )
    ),
    Break("another kind of pool", ("avg_pool", "max_pool"), as_other),
    *(Break("another rule", POOLS, ours(rule=rule)) for rule in convrs.rules.RULES),
    *(
        Break("another rule", POOLS, ours(rule=rule, padding=0, ceil_mode=False))
        for rule in ("tensorflow-same", "tensorflow-valid")
    ),
    *(
        Break("axes of an argument swapped", ("conv",), pairs_in_order(order))
        for order in itertools.permutations(range(3))
    ),
    Break("argument left out", POOLS, ours(stride=None)),
    Break("argument left out", POOLS, ours(divisor_override=None)),
    Break("divisor", ("avg_pool",), divided_by(1)),
    Break("activation", POOLS, function("relu")),
]
"""What may come to the same as a break: how it is found out whether another cause is named rightly."""


def attempted(way: Break, call: Call) -> Array | None:
    """The broken result, None where the layer cannot be broken so."""
    try:
        return values_of(way.broken(call))
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError):
        return None


def close(one: Array | None, other: Array) -> bool:
    return one is not None and one.shape == other.shape and np.allclose(one, other, 0, 1e-4 * np.abs(other).max())
