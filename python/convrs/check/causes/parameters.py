"""Arguments that were left out, swapped, or understood otherwise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from ... import functional
from ...functional.arguments import Rule
from ..call import Call
from ..formats import FORMATS
from ..reference import result_of
from ..windows import each, paddings, sides
from .evidence import AXES, Evidence, Hypothesis, Trial

EXTREMA = ("max_pool", "min_pool")
MODES = ("zeros", "reflect", "replicate", "circular")
SLIDING = (*EXTREMA, "avg_pool", "lp_pool")


def _bias(evidence: Evidence) -> Iterator[Trial]:
    bias = evidence.call.arrays.get("bias")
    if bias is not None:
        yield "is left out", evidence.call.with_arrays(bias=None)
        yield "is added twice", evidence.call.with_arrays(bias=2 * bias)
        yield "is subtracted", evidence.call.with_arrays(bias=-bias)


def _swapped(evidence: Evidence) -> Iterator[Trial]:
    call, spatial = evidence.call, evidence.call.spatial
    names = ("kernel_size", "stride", "padding", "output_padding", "dilation", "output_size")
    lists = {name: _an_axis(call, name) for name in names}
    differing = {name: values for name, values in lists.items() if len({*map(str, values)}) > 1}
    for order in list(itertools.permutations(range(spatial)))[1:]:
        moved = {name: [values[axis] for axis in order] for name, values in differing.items()}
        axes = ", ".join(AXES[spatial][axis] for axis in order)
        for name, values in moved.items():
            yield f"{name} is taken in the order {axes}", call.with_parameters(**{name: values})
        if len(moved) > 1:
            yield f"{' and '.join(moved)} are taken in the order {axes}", call.with_parameters(**moved)


def _an_axis(call: Call, name: str) -> list[Any]:
    """The values of a parameter along the axes; none if it has none."""
    value = call.parameters.get(name)
    if value is None or (isinstance(value, list | tuple) and len(value) != call.spatial):
        return []
    pairs = name == "padding" and call.family != "conv_transpose"
    return paddings(value, call.spatial) if pairs else each(value, call.spatial)


def _left_out(evidence: Evidence) -> Iterator[Trial]:
    call, parameters = evidence.call, evidence.call.parameters
    defaults = {"stride": 1, "dilation": 1, "padding": 0, "output_padding": 0, "divisor_override": None}
    for name, default in defaults.items():
        if name in parameters and parameters[name] != default:
            yield f"{name}={parameters[name]}", call.with_parameters(**{name: default})
    if call.family in SLIDING:
        yield f"stride={parameters['stride']}", call.with_parameters(stride=None)


def _pairs(call: Call) -> list[tuple[int, int]]:
    """The padding of each spatial axis as numbers."""
    spatial, parameters = call.spatial, call.parameters
    sizes = call.arrays["input"].shape[2:]
    kernel = call.arrays["weight"].shape[2:] if call.family == "conv" else each(parameters["kernel_size"], spatial)
    stride = kernel if not parameters["stride"] else each(parameters["stride"], spatial)
    spans = [far * (taps - 1) + 1 for taps, far in zip(kernel, each(parameters["dilation"], spatial), strict=True)]
    axes = zip(sizes, spans, stride, paddings(parameters["padding"], spatial), strict=True)
    return [sides(*numbers) for numbers in axes]


def _other_side(evidence: Evidence) -> Iterator[Trial]:
    call = evidence.call
    if call.family == "conv_transpose":
        padding, extra = (each(call.parameters[name], call.spatial) for name in ("padding", "output_padding"))
        before = [side - more for side, more in zip(padding, extra, strict=True)]
        yield (
            "output_padding at the beginning",
            call.with_parameters(padding=before, output_padding=[-more for more in extra]),
        )
    if call.family != "conv" and call.family not in SLIDING:
        return
    for word, like, side in (("same", "as TensorFlow pads", "after"), ("same_lower", "as ONNX's SAME_LOWER", "before")):
        words = f'that of "{word}", {like}: as little as is needed, an odd element {side} the input'
        yield words, call.with_parameters(padding=word)
    totals = [sum(pair) for pair in _pairs(call)]
    for words, pairs in {
        "(before, after) swapped": [pair[::-1] for pair in _pairs(call)],
        "an odd element after the input": [(total // 2, total - total // 2) for total in totals],
        "an odd element before the input": [(total - total // 2, total // 2) for total in totals],
        "all of it before the input": [(total, 0) for total in totals],
        "all of it after the input": [(0, total) for total in totals],
    }.items():
        yield words, call.with_parameters(padding=pairs)


def _filling(evidence: Evidence) -> Iterator[Trial]:
    if "padding_mode" in evidence.call.parameters:
        for mode in MODES:
            yield f'"{mode}"', evidence.call.with_parameters(padding_mode=mode)


def _zero_padding(evidence: Evidence) -> Iterator[Trial]:
    call = evidence.call
    if call.family in EXTREMA:
        zeros = np.pad(call.arrays["input"], [(0, 0), (0, 0), *_pairs(call)])
        yield "", call.with_arrays(input=zeros).with_parameters(padding=0)


def _rules(evidence: Evidence) -> Iterator[Trial]:
    call = evidence.call
    for rule in get_args(Rule) if call.family in SLIDING else ():
        # Tensorflow's are ways of padding, and know no other.
        more = {"padding": 0, "ceil_mode": False} if rule.startswith("tensorflow") else {}
        by_rule = call.with_parameters(rule=rule, **more)
        try:
            # On no images: a rule does not know every call.
            no_images = np.zeros((0, *call.arrays["input"].shape[1:]), np.float32)
            getattr(functional, call.name)(no_images, **{**by_rule.parameters, "out": None})
        except ValueError:
            continue
        yield f'"{rule}"', by_rule


def _toggled(name: str) -> Any:
    def trials(evidence: Evidence) -> Iterator[Trial]:
        if name in evidence.call.parameters:
            other = not evidence.call.parameters[name]
            yield f"{name}={other}", evidence.call.with_parameters(**{name: other})

    return trials


def _divisor(evidence: Evidence) -> Iterator[Trial]:
    call = evidence.call
    if call.family == "avg_pool":
        elements = math.prod(each(call.parameters["kernel_size"], call.spatial))
        yield "1: these are sums", call.with_parameters(divisor_override=1)
        yield f"{elements}, the whole kernel, everywhere", call.with_parameters(divisor_override=elements)


def _other_pool(evidence: Evidence) -> Iterator[Trial]:
    call = evidence.call
    for one, other in (("max", "avg"), ("avg", "max")):
        if not call.form.complex and call.family.endswith(f"{one}_pool") and call.family.startswith((one, "adaptive")):
            words = {"max": "maxima", "avg": "means"}
            more = {"dilation": 1, "count_include_pad": True, "divisor_override": None, **call.parameters}
            yield words[other], replace(call, family=call.family.replace(one, other), parameters=more)


def _equal_windows(evidence: Evidence) -> Iterator[Trial]:
    call = evidence.call
    if call.family in ("adaptive_avg_pool", "adaptive_max_pool"):
        sizes = call.arrays["input"].shape[2:]
        outputs = [size if count is None else count for size, count in zip(sizes, _outputs(call), strict=True)]
        if 0 in outputs:
            return
        stride = [max(1, size // count) for size, count in zip(sizes, outputs, strict=True)]
        kernel = [size - (count - 1) * step for size, count, step in zip(sizes, outputs, stride, strict=True)]
        yield (
            f"kernel_size={tuple(kernel)}, stride={tuple(stride)}",
            replace(
                call,
                family=call.family.removeprefix("adaptive_"),
                parameters={
                    "kernel_size": kernel,
                    "stride": stride,
                    "padding": 0,
                    "dilation": 1,
                    "ceil_mode": False,
                    "count_include_pad": True,
                    "rule": "torch",
                },
            ),
        )


def _outputs(call: Call) -> list[Any]:
    return each(call.parameters["output_size"], call.spatial)


def _not_finite(evidence: Evidence) -> Iterator[Trial]:
    call = evidence.call
    input = call.arrays["input"]
    if not call.form.precision or call.form.complex or np.isfinite(input).all():
        return
    lowest = {"max_pool": -np.inf, "adaptive_max_pool": -np.inf, "min_pool": np.inf}.get(call.family, 0)
    yield "NaN is passed over", call.with_arrays(input=np.where(np.isnan(input), lowest, input))
    yield "NaN and infinities count as 0", call.with_arrays(input=np.where(np.isfinite(input), input, 0))
    large = np.asarray(call.form.largest, input.dtype)
    yield "infinities count as the largest number", call.with_arrays(input=np.clip(input, -large, large))


def _saturated(evidence: Evidence) -> Iterator[Trial]:
    """Whole numbers whose sums stop at the ends of their dtype."""
    call = evidence.call
    if call.family in ("conv", "conv_transpose") and call.form.name in ("int8", "int16", "int32", "uint8", "uint16"):
        limits = np.iinfo(call.form.name)
        exact = result_of(replace(call, form=FORMATS["int64"]))
        yield call.form.name, replace(exact, format=call.form, values=np.clip(exact.values, limits.min, limits.max))


PARAMETERS = (
    Hypothesis("bias", "the bias {}", _bias),
    Hypothesis("axes of an argument swapped", "{}; it must be in the order of the array's axes", _swapped),
    Hypothesis("argument left out", "{} has no effect; pass it on", _left_out),
    Hypothesis(
        "padding on the wrong side",
        "the padding is {}; pass the same to both, as one (before, after) pair for each axis",
        _other_side,
    ),
    Hypothesis("another padding_mode", "the border is filled by {}; torch's default is zeros", _filling),
    Hypothesis(
        "padding with zeros",
        "the padding takes part in the maximum as 0; it must be -inf, the lowest number (for a minimum the highest)",
        _zero_padding,
    ),
    Hypothesis(
        "another rule",
        "the numbers are those of rule={}; convrs.rules.differences says where it differs, and rule= computes by it",
        _rules,
    ),
    Hypothesis(
        "ceil_mode",
        "the number of windows is that of {}; pass the same value to both",
        _toggled("ceil_mode"),
    ),
    Hypothesis(
        "count_include_pad",
        "the divisors are those of {}; pass the same value to both",
        _toggled("count_include_pad"),
    ),
    Hypothesis("divisor", "sums are divided by {}", _divisor),
    Hypothesis("another kind of pool", "the numbers are {}", _other_pool),
    Hypothesis(
        "adaptive windows of one size",
        "the windows are those of {}; adaptive ones begin at floor(o * size / outputs) and end at "
        "ceil((o + 1) * size / outputs), so their sizes differ",
        _equal_windows,
    ),
    Hypothesis("NaN or infinity", "{}; torch lets them through", _not_finite),
    Hypothesis("saturated", "sums stop at the ends of {}, where torch's wrap around; sum in a wider dtype", _saturated),
)
