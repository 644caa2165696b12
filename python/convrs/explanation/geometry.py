"""One axis of an operator: the size formula with its numbers, and the window of one output."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..check.windows import sides
from .model import Axis, Step

CONVOLUTION = "floor(({input} + {before} + {after} - {dilation} * ({kernel} - 1) - 1) / {stride}) + 1"
TRANSPOSED = "({input} - 1) * {stride} - 2 * {padding} + {dilation} * ({kernel} - 1) + {output_padding} + 1"
POOL = "floor(({input} + 2 * {padding} - {dilation} * ({kernel} - 1) - 1) / {stride}) + 1"
UNEVEN_POOL = POOL.replace("2 * {padding}", "{before} + {after}")
ADAPTIVE = "floor({index} * {input} / {output}) to ceil(({index} + 1) * {input} / {output})"
FRACTIONAL = "floor(({index} + {sample}) * {a}) - floor({sample} * {a})"
UNPOOL = "({input} - 1) * {stride} - 2 * {padding} + {kernel}"
BLOCKS = "floor(({image} + 2 * {padding} - {dilation} * ({kernel} - 1) - 1) / {stride}) + 1"


def convolution(
    name: str, index: int, input: int, kernel: int, stride: int, dilation: int, padding: Any, mode: str
) -> Axis:
    """The axis of a convolution. Padding is a (before, after) pair or a text."""
    span = dilation * (kernel - 1) + 1
    before, after = sides(input, span, stride, padding)
    notes = []
    if padding in ("same", "same_lower"):
        notes.append(
            f'padding="{padding}": ceil({input} / {stride}) = {-(-input // stride)} outputs need {before + after} '
            f"elements of padding, {before} before and {after} after"
        )
    output = (input + before + after - span) // stride + 1
    notes += _left_over(input + after - (output - 1) * stride + before - span, after)
    positions = [(tap, index * stride - before + tap * dilation) for tap in range(kernel)]
    return Axis(
        name=name,
        input=input,
        output=output,
        index=index,
        formula=CONVOLUTION,
        numbers={
            "input": input,
            "before": before,
            "after": after,
            "dilation": dilation,
            "kernel": kernel,
            "stride": stride,
        },
        result=f"= {output}",
        window=_steps(positions, input, mode),
        extent=kernel,
        padding=(before, after),
        notes=tuple(notes),
    )


def transposed(
    name: str, index: int, input: int, kernel: int, stride: int, dilation: int, padding: int, output_padding: int
) -> Axis:
    """The axis of a transposed convolution: input i and tap t reach output i * stride - padding + t * dilation."""
    output = (input - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1
    # From the last tap to the first, so that the position in the input rises.
    positions = [
        (tap, (index + padding - tap * dilation) // stride)
        for tap in reversed(range(kernel))
        if (index + padding - tap * dilation) % stride == 0
    ]
    rule = f"input i reaches output {index} by tap t where i * {stride} - {padding} + t * {dilation} = {index}"
    reached = ", ".join(str(tap) for tap, _ in positions) or "none"
    notes = [f"{rule}: of {kernel} taps {reached}"]
    return Axis(
        name=name,
        input=input,
        output=output,
        index=index,
        formula=TRANSPOSED,
        numbers={
            "input": input,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "kernel": kernel,
            "output_padding": output_padding,
        },
        result=f"= {output}",
        window=_steps(positions, input, "zeros"),
        extent=kernel,
        notes=tuple(notes),
    )


def pooling(
    name: str, index: int, input: int, kernel: int, stride: int, padding: Any, dilation: int, ceil_mode: bool
) -> Axis:
    """The axis of a sliding pool by torch's rule. Padding is a (before, after) pair or a text.

    In ceil mode a window must start in the input or in the padding before it.
    """
    span = dilation * (kernel - 1) + 1
    before, after = sides(input, span, stride, padding)
    spare = input + before + after - span
    floored, full = spare // stride + 1, -(-spare // stride) + 1
    output = full if ceil_mode else floored
    notes = []
    result = f"= {output}"
    if ceil_mode and (full - 1) * stride >= input + before:
        output -= 1
        result = f"= {full}, less 1 = {output}"
        notes.append(
            f"ceil_mode: the last window would start at {(full - 1) * stride - before}, not inside the {before} + "
            f"{input} elements of left padding and input, so it is dropped"
        )
    elif ceil_mode and full > floored:
        beyond = (full - 1) * stride + span - input - before - after
        notes.append(f"ceil_mode adds a last window, which hangs {beyond} beyond the padded input")
    if not ceil_mode:
        left = spare - (output - 1) * stride
        notes += _left_over(left, after)
        if full > floored and (full - 1) * stride < input + before:
            notes.append("ceil_mode=True would add one more window, over what is left")
    positions = [(tap, index * stride - before + tap * dilation) for tap in range(kernel)]
    extent = sum(position < input + after for _, position in positions)
    if extent < kernel:
        notes.append(f"the window is cut off at the end of the padding: {extent} of its {kernel} elements are left")
    formula = POOL if before == after else UNEVEN_POOL
    numbers = {"padding": before} if before == after else {"before": before, "after": after}
    return Axis(
        name=name,
        input=input,
        output=output,
        index=index,
        formula=formula.replace("floor", "ceil") if ceil_mode else formula,
        numbers={"input": input, **numbers, "dilation": dilation, "kernel": kernel, "stride": stride},
        result=result,
        window=_steps(positions, input, "zeros"),
        extent=extent,
        padding=(before, after),
        notes=tuple(notes),
    )


def adaptive(name: str, index: int, input: int, output: int | None) -> Axis:
    """The axis of an adaptive pool: its windows follow from the output size."""
    output = input if output is None else output
    start, end = index * input // output, -(-(index + 1) * input // output)
    return Axis(
        name=name,
        input=input,
        output=output,
        index=index,
        formula=ADAPTIVE,
        numbers={"index": index, "input": input, "output": output},
        result=f"= {start} to {end}, without the last",
        window=_steps(enumerate(range(start, end)), input, "zeros"),
        extent=end - start,
    )


def fractional(name: str, index: int, input: int, kernel: int, output: int, sample: float, rounded: Any) -> Axis:
    """The axis of a fractional pool; `rounded` rounds to the precision in which torch computes the starts."""
    last = input - kernel
    alpha = rounded(rounded(last) / rounded(max(output - 1, 1)))
    if index == output - 1:
        start = last
        notes: tuple[str, ...] = (
            f"the last window ends at the end of the input: it starts at {input} - {kernel} = {last}",
        )
    else:
        start = _whole(rounded(rounded(rounded(index) + sample) * alpha)) - _whole(rounded(sample * alpha))
        start = min(max(start, 0), last)
        notes = (f"a = (input - kernel) / (output - 1) = ({input} - {kernel}) / ({output} - 1)",)
    return Axis(
        name=name,
        input=input,
        output=output,
        index=index,
        formula=FRACTIONAL,
        numbers={"index": index, "sample": sample, "a": alpha},
        result=f"= {start}, to {start + kernel}, without the last",
        window=_steps(enumerate(range(start, start + kernel)), input, "zeros"),
        extent=kernel,
        notes=notes,
    )


def unpooling(name: str, index: int, input: int, kernel: int, stride: int, padding: int, wanted: int | None) -> Axis:
    """The axis of an unpool; `wanted` is its size where output_size is given."""
    default = (input - 1) * stride - 2 * padding + kernel
    given = wanted is not None and wanted != default
    return Axis(
        name=name,
        input=input,
        output=default if wanted is None else wanted,
        index=index,
        formula=UNPOOL,
        numbers={"input": input, "stride": stride, "padding": padding, "kernel": kernel},
        result=f"= {default}" + (f", but output_size says {wanted}" if given else ""),
        window=(),
        extent=1,
    )


def block(name: str, index: int, tap: int, image: int, kernel: int, stride: int, dilation: int, padding: int) -> Axis:
    """The axis of unfold: one tap of block `index`."""
    blocks = (image + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return Axis(
        name=name,
        input=image,
        output=blocks,
        index=index,
        formula=BLOCKS,
        numbers={"image": image, "padding": padding, "dilation": dilation, "kernel": kernel, "stride": stride},
        result=f"= {blocks} blocks",
        window=_steps([(tap, index * stride - padding + tap * dilation)], image, "zeros"),
        extent=1,
        padding=(padding, padding),
        notes=(
            f"block {index} starts at {index} * {stride} - {padding} = {index * stride - padding}; this is tap {tap}",
        ),
    )


def folding(name: str, index: int, image: int, kernel: int, stride: int, dilation: int, padding: int) -> Axis:
    """The axis of fold: the blocks that cover pixel `index`, and with which tap."""
    blocks = (image + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    reached = [
        (tap, (index + padding - tap * dilation) // stride)
        for tap in range(kernel)
        if (index + padding - tap * dilation) % stride == 0
        and 0 <= (index + padding - tap * dilation) // stride < blocks
    ]
    covered = ", ".join(f"block {block} with tap {tap}" for tap, block in reached) or "no block"
    return Axis(
        name=name,
        input=blocks,
        output=image,
        index=index,
        formula=BLOCKS,
        numbers={"image": image, "padding": padding, "dilation": dilation, "kernel": kernel, "stride": stride},
        result=f"= {blocks} blocks",
        window=_steps(reached, blocks, "zeros"),
        extent=kernel,
        notes=(f"pixel {index} is covered by {covered}",),
    )


def _whole(number: float) -> int:
    """A number without its fraction; samples may be anything."""
    return 0 if math.isnan(number) else int(min(max(number, -(2.0**62)), 2.0**62))


def _left_over(left: int, after: int) -> list[str]:
    """Says how much of the input no window reaches, of `left` elements at the end of the padded input."""
    unseen = left - after
    if unseen < 1:
        return []
    return [f"the last {unseen} input elements are left over: no window reaches them" if unseen > 1 else LAST_LEFT_OVER]


LAST_LEFT_OVER = "the last input element is left over: no window reaches it"


def _steps(positions: Iterable[tuple[int, int]], input: int, mode: str) -> tuple[Step, ...]:
    return tuple(Step(kernel, position, place(position, input, mode)) for kernel, position in positions)


def place(position: int, input: int, mode: str) -> int | None:
    """The input element that is seen at a position; None is a zero."""
    if 0 <= position < input:
        return position
    if mode == "reflect":
        return input - 1 - abs(input - 1 - abs(position))
    if mode == "replicate":
        return min(max(position, 0), input - 1)
    return position % input if mode == "circular" else None
