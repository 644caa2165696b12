"""The window drawn on the input."""

from __future__ import annotations

from collections.abc import Sequence

from .arithmetic import element
from .call import Call
from .geometry import place
from .model import Axis, Cell, Plane

LARGEST = 12
"""Most rows or columns that are drawn."""
DEEPEST = 3
"""Most planes that are drawn."""


def drawn(call: Call, axes: Sequence[Axis], channel: int, mode: str | None, channels: int = 1) -> list[Plane]:
    """The window with one more element on every side, one plane for each depth; nothing where that is too large.

    `mode` says what the padding holds, None that it is skipped; `channels` how many the window has.
    """
    spans = [_span(axis) for axis in axes]
    if any(len(span) > LARGEST for span in spans[-2:]) or any(not axis.window for axis in axes):
        return []
    depths = [step.position for step in axes[0].window] if len(axes) == 3 else [None]
    if len(depths) > DEEPEST:
        return []
    taps = [{step.position for step in axis.window} for axis in axes]
    planes = []
    for depth in depths:
        front = () if depth is None else (depth,)
        rows = spans[-2] if len(axes) > 1 else ()
        lines = tuple(
            tuple(_cell(call, axes, channel, (*front, *row, column), mode, taps) for column in spans[-1])
            for row in (zip(rows, strict=True) if rows else [()])
        )
        title = f"channel {channel}" + (f", the first of {channels}" if channels > 1 else "")
        title += "" if depth is None else f", depth {depth}"
        planes.append(Plane(title, tuple(rows), tuple(spans[-1]), lines))
    return planes


def _span(axis: Axis) -> range:
    """Positions from one before the window to one after it, within the padding unless the window itself reaches out."""
    positions = [step.position for step in axis.window]
    if not positions:
        return range(0)
    first, last = min(positions), max(positions)
    before, after = axis.padding
    return range(min(first, max(first - 1, -before)), max(last, min(last + 1, axis.input + after - 1)) + 1)


def _cell(
    call: Call,
    axes: Sequence[Axis],
    channel: int,
    position: tuple[int, ...],
    mode: str | None,
    taps: Sequence[set[int]],
) -> Cell:
    tap = all(at in among for at, among in zip(position, taps, strict=True))
    sized = list(zip(position, axes, strict=True))
    if all(0 <= at < axis.input for at, axis in sized):
        return Cell(element(call.input, (*call.batch, channel, *position)), "input", tap)
    padded = all(-axis.padding[0] <= at < axis.input + axis.padding[1] for at, axis in sized)
    # Where a transposed convolution reaches outside its input, it takes zeros too.
    if mode is None or not (padded or tap):
        return Cell(None, "padding" if padded else "outside", tap)
    sources = [place(at, axis.input, mode) for at, axis in sized]
    inside = tuple(at for at in sources if at is not None)
    if len(inside) < len(sources):
        return Cell(call.arithmetic.zero, "padding", tap)
    return Cell(element(call.input, (*call.batch, channel, *inside)), "padding", tap)
