"""Which layers of an accelerated model are better left to torch, by the time that the whole model takes.

A layer's own time does not tell: torch's threads spin on for milliseconds on the cores that the next layer of ours
needs, and what one layer leaves in the cache the next one finds there.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import Module

from .measuring import computing_on, kept, times
from .running import Convolution, Pool

TURNS, LOST = 9, 1
"""Of equal choices one wins so many turns but one by chance in one of fifty comparisons."""

LEAST_GAIN = 0.005
"""Of the model's time: what layers must promise together to be tried."""

LEAST_SECONDS = 0.005

Choice: TypeAlias = dict[Convolution | Pool, str]
"""What is left to torch, and why."""

TRIED = "tried"
"""The reason while it is not known."""


def choose(model: Module, example: Tensor | tuple[Any, ...], arrange: Callable[[], None]) -> None:
    """Leaves layers to torch where the model is faster with torch's.

    Args:
        model: an accelerated one.
        example: what it is called on; a tuple of all its arguments, or the only one.
        arrange: makes the model follow `slower` of what stands on its modules.
    """
    arguments = tuple(map(kept, example if isinstance(example, tuple) else (example,)))
    every = [running for module in model.modules() if (running := computing_on(module)) is not None]

    def use(choice: Choice) -> None:
        for running in every:
            running.slower = choice.get(running, "")
        arrange()

    def seconds_with(choice: Choice) -> float:
        use(choice)
        return seconds(model, arguments)

    def with_some_of(promising: list[Convolution | Pool], choice: Choice) -> Choice:
        """The choice and those layers, or what of them makes the model faster; neighbours are kept together."""
        if sum(gains[running] for running in promising) < least:
            return choice
        better = _better(choice, {**choice, **dict.fromkeys(promising, TRIED)}, "these layers", seconds_with)
        if better is choice and len(promising) > 1:
            half = len(promising) // 2
            return with_some_of(promising[half:], with_some_of(promising[:half], choice))
        return better

    with torch.inference_mode():
        gains = {computing_on(module): both.ours - both.torchs for module, both in times(model, arguments).items()}
        least = LEAST_GAIN * seconds_with({})
        chosen = with_some_of([running for running in every if gains.get(running, 0) > 0], {})
        # A few of many comparisons are won by chance: what has won them has to win again.
        best = _better({}, chosen, "these layers", seconds_with)
        use(_better(best, dict.fromkeys(every, TRIED), "all layers", seconds_with))


def seconds(model: Module, arguments: tuple[Any, ...]) -> float:
    """Mean seconds of a call, of as many as fit into some time, after one by which the threads are what they stay."""
    model(*arguments)
    calls, begin = 0, time.perf_counter()
    while (spent := time.perf_counter() - begin) < LEAST_SECONDS:
        model(*arguments)
        calls += 1
    return spent / calls


def _better(known: Choice, other: Choice, what: str, seconds_with: Callable[[Choice], float]) -> Choice:
    """The other choice if it is faster in nearly every turn; what was tried gets its reason."""
    if other == known:
        return known
    choices: tuple[Choice, Choice] = known, other
    measured: tuple[list[float], list[float]] = [], []
    for turn in range(TURNS):
        for place in (0, 1) if turn % 2 else (1, 0):
            measured[place].append(seconds_with(choices[place]))
        if sum(map(float.__le__, *measured)) > LOST:
            return known
    before, now = (statistics.median(values) * 1e3 for values in measured)
    why = f"with {what} by torch the model took {now:.3g} ms instead of {before:.3g} ms"
    return {running: why if reason is TRIED else reason for running, reason in other.items()}
