"""Arrays whose axes or channels were taken for others."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evidence import AXES, Evidence, Hypothesis, Trial

Array = NDArray[Any]


def _flipped(evidence: Evidence) -> Iterator[Trial]:
    call, spatial = evidence.call, evidence.call.spatial
    if "weight" not in call.arrays:
        return
    weight, axes = call.arrays["weight"], range(2, spatial + 2)
    for chosen in [tuple(axes), *([(axis,) for axis in axes] if spatial > 1 else [])]:
        names = " and ".join(AXES[spatial][axis - 2] for axis in chosen)
        yield names, call.with_arrays(weight=np.flip(weight, chosen))


def _permuted(array: Array) -> Iterator[tuple[tuple[int, ...], Array]]:
    """The array with its spatial axes in every other order, or read as if its memory were so."""
    spatial = range(array.ndim - 2)
    for order in list(itertools.permutations(spatial))[1:]:
        axes = (0, 1, *(axis + 2 for axis in order))
        moved = array.transpose(axes)
        yield order, moved
        if moved.shape != array.shape:
            yield order, moved.reshape(array.shape)


def _axes_of(name: str) -> Any:
    def trials(evidence: Evidence) -> Iterator[Trial]:
        call = evidence.call
        if name in call.arrays:
            for order, array in _permuted(call.arrays[name]):
                yield ", ".join(AXES[call.spatial][axis] for axis in order), call.with_arrays(**{name: array})

    return trials


def _axes_of_the_result(evidence: Evidence) -> Iterator[Trial]:
    for order, _ in _permuted(evidence.result.values):
        names = ", ".join(AXES[len(order)][axis] for axis in order)
        axes = (0, 1, *(axis + 2 for axis in order))
        moved = evidence.result.map(lambda array, axes=axes: array.transpose(axes))
        yield names, moved
        if evidence.comparable and moved.values.shape != evidence.actual.shape:
            yield names, moved.map(lambda array: array.reshape(evidence.actual.shape))


def _channels_of_the_weight(evidence: Evidence) -> Iterator[Trial]:
    call = evidence.call
    if "weight" not in call.arrays:
        return
    weight = call.arrays["weight"]
    names = ("in, out", "out, in") if call.family == "conv" else ("out, in", "in, out")
    first, second, *kernel = weight.shape
    yield f"({names[0]}, kernel)", call.with_arrays(weight=weight.reshape(second, first, *kernel).swapaxes(0, 1))
    if first != second:
        yield f"({names[1]}, kernel)", call.with_arrays(weight=weight.swapaxes(0, 1).reshape(weight.shape))


def _channels_last_weight(evidence: Evidence) -> Iterator[Trial]:
    call = evidence.call
    if "weight" not in call.arrays:
        return
    weight = call.arrays["weight"]
    kernel = range(2, weight.ndim)
    for name, axes in (
        ("(kernel, in, out)", (*kernel, 1, 0)),
        ("(kernel, out, in)", (*kernel, 0, 1)),
        ("(out, kernel, in)", (0, *kernel, 1)),
    ):
        there = weight.transpose(axes).reshape(weight.shape)
        sizes, order = [weight.shape[axis] for axis in axes], [axes.index(axis) for axis in range(weight.ndim)]
        yield name, call.with_arrays(weight=there)
        yield name, call.with_arrays(weight=weight.reshape(sizes).transpose(order))


def _channels_last(array: Array) -> Iterator[Array]:
    """Channels last read as channels first, and the other way round."""
    yield np.moveaxis(array, 1, -1).reshape(array.shape)
    yield np.moveaxis(array.reshape(array.shape[0], *array.shape[2:], array.shape[1]), -1, 1)


def _channels_last_input(evidence: Evidence) -> Iterator[Trial]:
    for input in _channels_last(evidence.call.arrays["input"]):
        yield "", evidence.call.with_arrays(input=input)


def _channels_last_result(evidence: Evidence) -> Iterator[Trial]:
    if not evidence.comparable:
        yield "is", evidence.result.map(lambda array: np.moveaxis(array, 1, -1))
        return
    yield "was made", evidence.result.map(lambda array: next(_channels_last(array)))
    yield "was taken for", evidence.result.map(lambda array: list(_channels_last(array))[1])


def _reversed_channels(evidence: Evidence) -> Iterator[Trial]:
    yield "", evidence.call.with_arrays(input=evidence.call.arrays["input"][:, ::-1])


def _interleaved(array: Array, groups: int) -> Iterable[Array]:
    """Channel c of group g at c * groups + g instead of g * channels + c, and the other way round."""
    for outer in (groups, array.shape[1] // groups):
        blocks = array.reshape(array.shape[0], outer, -1, *array.shape[2:])
        yield blocks.swapaxes(1, 2).reshape(array.shape)


def _groups_of_the_input(evidence: Evidence) -> Iterator[Trial]:
    call, groups = evidence.call, evidence.call.parameters.get("groups", 1)
    if groups > 1:
        for input in _interleaved(call.arrays["input"], groups):
            yield "", call.with_arrays(input=input)


def _groups_of_the_result(evidence: Evidence) -> Iterator[Trial]:
    groups = evidence.call.parameters.get("groups", 1)
    if groups > 1:
        for way in range(2):
            yield "", evidence.result.map(lambda array, way=way: list(_interleaved(array, groups))[way])


def _first_group(evidence: Evidence) -> Iterator[Trial]:
    call, groups = evidence.call, evidence.call.parameters.get("groups", 1)
    if groups > 1:
        input = call.arrays["input"]
        first = input[:, : input.shape[1] // groups]
        yield "", call.with_arrays(input=np.concatenate([first] * groups, 1))


def _first_image(evidence: Evidence) -> Iterator[Trial]:
    if len(evidence.actual) > 1:
        yield "", evidence.result.map(lambda array: np.broadcast_to(array[:1], array.shape))


def _order_of_patches(evidence: Evidence) -> Iterator[Trial]:
    if evidence.call.family == "unfold" and evidence.comparable:
        channels = evidence.call.arrays["input"].shape[1]
        yield (
            "",
            evidence.result.map(
                lambda array: (
                    array.reshape(len(array), channels, -1, array.shape[2]).swapaxes(1, 2).reshape(array.shape)
                )
            ),
        )


LAYOUTS = (
    Hypothesis(
        "kernel flipped",
        "the kernel is turned round along {}: a true convolution, where torch's is a cross-correlation (and transposed "
        "ones differ by the same flip); leave out the flip, or undo it with numpy.flip on the weight",
        _flipped,
    ),
    Hypothesis(
        "kernel axes swapped",
        "the kernel's axes are taken in the order {}; transpose the weight's spatial axes",
        _axes_of("weight"),
    ),
    Hypothesis(
        "input axes swapped",
        "the input's axes are taken in the order {}; transpose its spatial axes, reshaping does not do it",
        _axes_of("input"),
    ),
    Hypothesis(
        "output axes swapped",
        "the result's axes come in the order {}; transpose its spatial axes",
        _axes_of_the_result,
    ),
    Hypothesis(
        "weight channels swapped",
        "the weight is taken as {}: convolutions have (out, in, kernel), transposed ones (in, out, kernel); swap its "
        "first two axes with numpy.swapaxes, reshaping does not do it",
        _channels_of_the_weight,
    ),
    Hypothesis(
        "channels-last weight",
        "the weight's elements are in the order {} without having been transposed; use numpy.transpose, reshaping does "
        "not move them",
        _channels_last_weight,
    ),
    Hypothesis(
        "channels-last input",
        "the input was reshaped between channels first and channels last, which moves no element; use numpy.moveaxis",
        _channels_last_input,
    ),
    Hypothesis(
        "channels-last output",
        "the result {} channels last; use numpy.moveaxis(result, -1, 1), reshaping moves no element",
        _channels_last_result,
    ),
    Hypothesis(
        "input channels reversed",
        "the channels of the input come in the opposite order, as BGR for RGB; reverse them, or the weight's",
        _reversed_channels,
    ),
    Hypothesis(
        "input channels shuffled across groups",
        "channel c belongs to group c % groups, but a group's channels are neighbours: c // (channels / groups)",
        _groups_of_the_input,
    ),
    Hypothesis(
        "output channels shuffled across groups",
        "the outputs of the groups come by turns, but those of a group are neighbours: one whole group after another",
        _groups_of_the_result,
    ),
    Hypothesis(
        "first group for all",
        "every group reads the input channels of the first; add group * (in_channels / groups) to the channel",
        _first_group,
    ),
    Hypothesis(
        "first image for all",
        "every image of the batch has the result of the first; add the batch's stride, or look for a stale buffer",
        _first_image,
    ),
    Hypothesis(
        "patches in another order",
        "the rows are (kernel element, channel) instead of (channel, kernel element); reshape, swap the two, reshape",
        _order_of_patches,
    ),
)
