"""Seconds of single modules in an accelerated model, by convrs and by torch, on what they get in a run of the model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from .folding import Chain
from .part import Part
from .running import Convolution, Pool, running_on, torchs

LEAST_SECONDS = 0.01
LEAST_CALLS = 3


@dataclass(frozen=True)
class Times:
    """Seconds of one module with what was folded into it."""

    ours: float
    torchs: float


def times(model: Module, example: Tensor | tuple[Any, ...]) -> dict[Module, Times]:
    """The times of the modules that convrs computes; of one that is called several times, at its first call."""
    ours = {module: running for module in model.modules() if (running := computing_on(module)) is not None}
    given: dict[Module, tuple[Any, ...]] = {}

    def keep(module: Module, arguments: tuple[Any, ...]) -> None:
        given.setdefault(module, tuple(kept(argument) for argument in arguments))

    parts = [part for module in model.modules() if isinstance(part := running_on(module), Part)]
    counted = [(part, part.calls, part.as_written.copy()) for part in parts]
    handles = [module.register_forward_pre_hook(keep) for module in ours]
    try:
        with torch.no_grad():
            model(*(example if isinstance(example, tuple) else (example,)))
            measured = {module: _times(ours[module], arguments) for module, arguments in given.items()}
    finally:
        for handle in handles:
            handle.remove()
        for part, calls, as_written in counted:
            # These hooks are none of the user's.
            part.calls, part.as_written = calls, as_written
    return {module: both for module, both in measured.items() if both is not None}


def computing_on(module: Module) -> Convolution | Pool | None:
    running = running_on(module)
    return running if isinstance(running, Convolution | Pool) else None


def kept(argument: Any) -> Any:
    # A module behind may write into it.
    return argument.clone() if isinstance(argument, Tensor) else argument


def _times(running: Convolution | Pool, arguments: tuple[Any, ...]) -> Times | None:
    """None where it is torch's on such arguments."""
    if isinstance(running, Pool):
        if running.compute(*arguments) is None:
            return None
        return Times(seconds(lambda: running.compute(*arguments)), seconds(lambda: torchs(running.module)(*arguments)))
    if len(arguments) != 1:
        return None
    (input,) = arguments
    for planned in (*running.folded[:1], running.alone):
        residual = torch.zeros_like(torchs(running.module)(input)) if planned.chain.sum else None
        planned.refresh()
        if planned.compute(input, residual) is not None:
            ours = seconds(partial(planned.compute, input, residual))
            return Times(ours, seconds(partial(_by_torch, planned.chain, input, residual)))
    return None


def _by_torch(chain: Chain, input: Tensor, residual: Tensor | None) -> Any:
    result = torchs(chain.convolution)(input)
    if chain.normalization is not None:
        result = torchs(chain.normalization)(result)
    if residual is not None:
        result += residual
    return result if chain.activation is None else torchs(chain.activation)(result)


def seconds(call: Callable[[], Any]) -> float:
    """The shortest of the calls that fit into some time, after one that warms up."""
    call()
    measured: list[float] = []
    begin = time.perf_counter()
    while len(measured) < LEAST_CALLS or time.perf_counter() - begin < LEAST_SECONDS:
        start = time.perf_counter()
        call()
        measured.append(time.perf_counter() - start)
    return min(measured)
