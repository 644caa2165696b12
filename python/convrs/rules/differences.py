"""Where the dialects of one pool give another shape or other numbers, and why."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .. import functional
from ..check.windows import each
from ..functional.arguments import Rule
from .names import RULES
from .windows import NAMES, SLIDING, AxisWindows, Window, pool, table

INDEX = {
    "torch": "counted in each plane",
    "onnx": "counted in the whole array",
    "onnxruntime-legacy": "counted in the whole array",
    "coreml": "not given",
    "tensorflow-same": "counted in each image, channels last",
    "tensorflow-valid": "counted in each image, channels last",
}
"""Indices of maxima."""


@dataclass(frozen=True)
class Difference:
    """One thing in which a rule differs from another one."""

    rule: str
    """The rule that differs."""
    kind: Literal["refused", "shape", "windows", "divisor", "empty", "powers", "NaN", "index"]
    """In what: whether there is a result at all, its shape, the elements of a window, the divisor of a mean, windows
    without elements, the power mean, NaN and infinities among the elements, or what indices count."""
    shape: tuple[int, ...] | None
    """The output's spatial sizes by this rule; None where it refuses."""
    axes: tuple[tuple[int, ...], ...]
    """For each axis the indices at which outputs differ: an output differs if one of its indices is among them."""
    outputs: int
    """How many outputs may differ, in each plane."""
    reason: str
    """Why."""


@dataclass(frozen=True)
class Differences(Sequence[Difference]):
    """What `differences` found. Print it to read it."""

    problem: str
    """The pool in words."""
    against: str
    """The rule with which the others are compared."""
    shapes: Mapping[str, tuple[int, ...] | None]
    """The output's spatial sizes by each rule; None where it refuses."""
    found: tuple[Difference, ...]
    """The differences, rule by rule."""

    def __getitem__(self, index: Any) -> Any:
        return self.found[index]

    def __len__(self) -> int:
        return len(self.found)

    def of(self, rule: str) -> tuple[Difference, ...]:
        """Those of one rule."""
        return tuple(difference for difference in self.found if difference.rule == rule)

    def __str__(self) -> str:
        shape = self.shapes[self.against]
        assert shape is not None
        lines = [f"{self.problem}: {self.against} gives {' x '.join(map(str, shape))} outputs"]
        rows = [("rule", "in", "outputs", "why")]
        for rule in self.shapes:
            if rule == self.against:
                continue
            rows += [(rule, one.kind, _outputs(one), one.reason) for one in self.of(rule)] or [
                (rule, "nothing", "", "")
            ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            lines.append("  " + "  ".join(cells).rstrip())
        return "\n".join(lines)


def differences(
    op: str | Callable[..., Any],
    input_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: Any = 0,
    *,
    rules: Sequence[Rule] = RULES,
    against: Rule = "torch",
    **parameters: Any,
) -> Differences:
    """Compares the rules of a pool on one problem: which give another shape or other numbers, where, and why.

    TensorFlow's rules have a padding of their own and no ceil mode; they are asked without both.

    Args:
        op: the name of a pool that slides (maximum, minimum, mean, power mean), or the function.
        input_size: the spatial sizes of the input, a number or one for each axis.
        kernel_size: size of the window.
        stride: step of the window; kernel_size by default.
        padding: as the pool takes it.
        rules: the rules to compare.
        against: the rule with which they are compared.
        **parameters: the pool's other parameters, dilation, ceil_mode, count_include_pad, norm_type.

    Returns:
        The differences, objects one by one and a table when printed.

    Raises:
        ValueError: no such pool or rule, or `against` refuses the problem.
        TypeError: the pool has no such parameter, or refuses a kind.

    Source:
        The rules are described, with their sources, in `convrs.rules`.

    Example:
        >>> found = differences("avg_pool2d", 4, 3, stride=2, padding=1, ceil_mode=True)
        >>> found.shapes["onnxruntime-legacy"]
        (3, 3)
        >>> [(one.rule, one.kind, one.outputs) for one in found if one.rule == "onnxruntime-legacy"]
        [('onnxruntime-legacy', 'divisor', 5)]
    """
    name, spatial, family = pool(op)
    if family not in SLIDING:
        raise ValueError(f"op is {name!r}: only pools that slide differ, {', '.join(SLIDING)} with 1d, 2d or 3d")
    unknown = [rule for rule in (*rules, against) if rule not in RULES]
    if unknown:
        raise ValueError(f"a rule is {unknown[0]!r}: it must be one of {', '.join(RULES)}")
    if family == "lp_pool":
        parameters = {"norm_type": 2, **parameters}
    signature = inspect.signature(getattr(functional, name))
    bound = signature.bind(
        input=None, kernel_size=kernel_size, stride=stride, padding=padding, **{**parameters, "rule": against}
    )
    bound.apply_defaults()
    given = dict(bound.arguments)
    base = _asked(family, spatial, input_size, given, against)
    found: list[Difference] = []
    shapes: dict[str, tuple[int, ...] | None] = {against: _shape(base)}
    for rule in rules:
        if rule == against:
            continue
        try:
            axes = _asked(family, spatial, input_size, given, rule)
        except ValueError as error:
            shapes[rule] = None
            found.append(Difference(rule, "refused", None, ((),) * spatial, 0, str(error)))
            continue
        shapes[rule] = _shape(axes)
        found += _compared(family, given, rule, axes, against, base)
    return Differences(_problem(name, input_size, given), against, shapes, tuple(found))


def _asked(family: str, spatial: int, input_size: Any, given: Mapping[str, Any], rule: str) -> tuple[AxisWindows, ...]:
    """The windows by a rule."""
    own = {"padding": 0, "ceil_mode": False} if rule.startswith("tensorflow") else {}
    if family == "lp_pool":
        if rule.startswith("tensorflow"):
            raise ValueError("TensorFlow has no power mean")
        if rule == "coreml" and given["norm_type"] != 2:
            raise ValueError("Core ML has the power mean of 2 alone")
    return table(family, spatial, input_size, {**given, **own, "rule": rule})


def _shape(axes: Sequence[AxisWindows]) -> tuple[int, ...]:
    return tuple(len(axis) for axis in axes)


def _compared(
    family: str,
    given: Mapping[str, Any],
    rule: str,
    axes: Sequence[AxisWindows],
    against: str,
    base: Sequence[AxisWindows],
) -> list[Difference]:
    found: list[Difference] = []
    shape, spatial = _shape(axes), len(axes)

    def add(kind: Any, places: Sequence[tuple[int, ...]], reason: str) -> None:
        same = math.prod(size - len(indices) for size, indices in zip(shape, places, strict=True))
        found.append(Difference(rule, kind, shape, tuple(places), math.prod(shape) - same, reason))

    extra = [tuple(range(len(other), len(axis))) for axis, other in zip(axes, base, strict=True)]
    if shape != _shape(base):
        sizes = [
            f"{len(axis)} instead of {len(other)} along {axis.name}"
            for axis, other in zip(axes, base, strict=True)
            if len(axis) != len(other)
        ]
        add("shape", extra, f"{', '.join(sizes)}: {_size_rule(rule)}")
    moved = _differing(axes, base, lambda window: tuple(window.taps))
    if any(moved):
        add("windows", moved, _example(axes, base, moved, lambda window: f"{window.start} to {window.stop - 1}"))
    divisors = _differing(axes, base, lambda window: window.divisor)
    if any(divisors) and family == "avg_pool":
        add(
            "divisor",
            divisors,
            f"{_counts(rule)}: {_example(axes, base, divisors, lambda window: str(window.divisor))}",
        )
    empty = [tuple(window.output for window in axis if not window.taps) for axis in axes]
    if "onnxruntime-legacy" in (rule, against) and any(empty):
        value = "NaN" if family == "avg_pool" and not given["count_include_pad"] else "0"
        value = {"max_pool": "the least number", "min_pool": "the largest number"}.get(family, value)
        add("empty", empty, f"a window without elements is {value} by onnxruntime-legacy")
    everywhere = [tuple(range(size)) for size in shape[:1]] + [()] * (spatial - 1)
    if family == "lp_pool" and (rule == "torch") != (against == "torch"):
        add("powers", everywhere, "torch takes x^p, not |x|^p, and counts a short window as if it were full")
    if family in ("max_pool", "min_pool"):
        if rule.startswith("tensorflow") != against.startswith("tensorflow"):
            add("NaN", everywhere, "NaN and infinities never win by TensorFlow's rules, else a NaN does")
        if INDEX[rule] != INDEX[against]:
            add("index", everywhere, f"{INDEX[rule]}, by {against} {INDEX[against]}")
    return found


def _differing(
    axes: Sequence[AxisWindows], base: Sequence[AxisWindows], of: Callable[[Window], Any]
) -> list[tuple[int, ...]]:
    """For each axis the indices that both have and at which the windows differ."""
    return [
        tuple(one.output for one, two in zip(axis, other, strict=False) if of(one) != of(two))
        for axis, other in zip(axes, base, strict=True)
    ]


def _example(
    axes: Sequence[AxisWindows],
    base: Sequence[AxisWindows],
    places: Sequence[tuple[int, ...]],
    shown: Callable[[Window], str],
) -> str:
    """The first difference of each axis."""
    return ", ".join(
        f"{shown(axis[indices[0]])} instead of {shown(other[indices[0]])} along {axis.name} at {indices[0]}"
        for axis, other, indices in zip(axes, base, places, strict=True)
        if indices
    )


def _size_rule(rule: str) -> str:
    return {
        "tensorflow-same": "ceil(input / stride)",
        "tensorflow-valid": "no padding",
        "onnxruntime-legacy": "a last window may begin in the padding or beyond",
        "coreml": "without padding a last window may begin after the input",
    }.get(rule, "a last window must begin in the input or in the padding before it")


def _counts(rule: str) -> str:
    """What a rule's divisor counts."""
    if rule.startswith("tensorflow"):
        return "padding never counts"
    return "the whole kernel counts" if rule in ("onnxruntime-legacy", "coreml") else "what lies in the padding counts"


def _outputs(difference: Difference) -> str:
    if difference.shape is None:
        return "none"
    if difference.kind == "shape":
        return " x ".join(map(str, difference.shape))
    total = math.prod(difference.shape)
    if difference.outputs == total:
        return "all"
    names = NAMES[len(difference.shape)]
    places = [
        f"{name} at {', '.join(map(str, indices[:3]))}{', ...' if len(indices) > 3 else ''}"
        for name, indices in zip(names, difference.axes, strict=True)
        if indices
    ]
    return f"{difference.outputs} of {total}: {' or '.join(places)}"


def _problem(name: str, input_size: Any, given: Mapping[str, Any]) -> str:
    stride = given["kernel_size"] if given["stride"] is None else given["stride"]
    parts = [f"{name}, input {_numbers(input_size)}", f"kernel_size {_numbers(given['kernel_size'])}"]
    parts += [f"stride {_numbers(stride)}", f"padding {_numbers(given['padding'])}"]
    parts += [f"dilation {_numbers(given['dilation'])}"] if each(given["dilation"], 1) != [1] else []
    parts += ["ceil_mode"] if given["ceil_mode"] else []
    parts += ["without counting the padding"] if given.get("count_include_pad") is False else []
    return ", ".join(parts)


def _numbers(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
