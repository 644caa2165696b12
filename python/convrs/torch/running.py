"""What the modules of an accelerated model run: the `run` of each object here stands as `forward` on one module.

So a module stays the object it was, with its parameters, hooks, name and class; only its arithmetic is ours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Module

from ..functional.arguments import Algorithm
from .folding import FLOATS, Chain, Layer, planned, spatial_axes, tensors_of
from .watching import Tensors

REFUSALS = (TypeError, ValueError, RuntimeError)
"""What convrs raises where it does not take a call: torch does, or raises what it raises."""


def computes_plainly(input: object) -> bool:
    """Whether a call is nothing but numbers on the CPU: nobody traces, compiles, maps, casts or derives it."""
    return (
        type(input) is Tensor
        and not torch.compiler.is_compiling()
        and input.is_cpu
        and input.dtype in FLOATS
        and input.layout is torch.strided
        and torch._C._get_tracing_state() is None
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._functorch.peek_interpreter_stack() is None
        and forward_ad._current_level < 0
        and not torch.is_autocast_enabled("cpu")
    )


def why_not_plainly(inputs: Iterable[Any]) -> str:
    """Which of the conditions of `computes_plainly` did not hold, in words."""
    for input in inputs:
        if type(input) is not Tensor:
            return f"an input was a {type(input).__name__}"
        if not input.is_cpu:
            return f"an input lived on {input.device}"
        if input.dtype not in FLOATS or input.layout is not torch.strided:
            return f"an input had dtype {input.dtype} and layout {input.layout}"
    return "torch cast, traced, mapped, watched or derived the call"


def torchs(module: Module) -> Callable[..., Any]:
    """The forward of the module's class."""
    forward: Callable[..., Any] = type(module).forward.__get__(module)
    return forward


class Planned:
    """The planned layer of a chain, made again where a tensor behind it has been replaced or written to.

    Attributes:
        refused: why there is no layer of the weights that there are now.
        declined: how often the layer did not take what it was given, and torch computed.
        why: why it did not the last time.
    """

    def __init__(self, chain: Chain, algorithm: Algorithm) -> None:
        self.chain, self.algorithm = chain, algorithm
        self._axes = spatial_axes(chain.convolution) + 2
        self._tensors = Tensors(chain.modules)
        self._layer: Layer | None = None
        self.refused, self.declined, self.why = "", 0, ""

    def refresh(self) -> None:
        """Has to come before `compute` whenever something may have changed."""
        news = self._tensors.news()
        if news is not None:
            try:
                self._layer, self.refused = planned(self.chain, self.algorithm), ""
            except REFUSALS as error:
                self._layer, self.refused = None, str(error)
            # Only now: another thread must not compute with what is being replaced.
            self._tensors.remember(news)

    def compute(self, input: Any, residual: Any) -> Any:
        """The result; None where one layer does not take it."""
        if self._layer is None:
            return None
        if type(input) is not Tensor or input.dim() != self._axes:
            self._decline(f"its input was no tensor of {self._axes} axes")
            return None
        try:
            return self._layer(input, residual)
        except REFUSALS as error:
            self._decline(str(error))
            return None

    def _decline(self, why: str) -> None:
        self.declined, self.why = self.declined + 1, why

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_layer": None}


class Running(ABC):
    """What stands on a module."""

    module: Any

    @abstractmethod
    def run(self, *args: Any, **kwargs: Any) -> Any:
        """What the module is called with, and gives."""


class Convolution(Running):
    """Stands on a convolution, for calls of it alone.

    Attributes:
        alone: its layer for those.
        folded: layers of it and what follows it, where the model has that.
        slower: why it is left to torch after all.
    """

    def __init__(self, module: Any, algorithm: Algorithm) -> None:
        self.module, self.algorithm = module, algorithm
        self.alone = Planned(Chain(module), algorithm)
        self.folded: list[Planned] = []
        self.slower = ""

    def planned(self, chain: Chain) -> Planned:
        """The layer of a chain of which it is the head: one for all places where the model has that chain."""
        known = next((known for known in (self.alone, *self.folded) if known.chain == chain), None)
        if known is None:
            known = Planned(chain, self.algorithm)
            self.folded.append(known)
        return known

    def run(self, *args: Any, **kwargs: Any) -> Any:
        if not self.slower and len(args) == 1 and not kwargs and self._takes(args[0]):
            self.alone.refresh()
            result = self.alone.compute(args[0], None)
            if result is not None:
                return result
        return torchs(self.module)(*args, **kwargs)

    def _takes(self, input: Any) -> bool:
        return computes_plainly(input) and not (torch.is_grad_enabled() and self._derives(input))

    def _derives(self, input: Tensor) -> bool:
        return any(tensor.requires_grad for tensor in (input, *tensors_of([self.module])))


class Pool(Running):
    """Stands on a pool."""

    def __init__(self, module: Module, function: Callable[..., Any], settings: dict[str, Any]) -> None:
        self.module, self.function, self.settings = module, function, settings
        self.slower = ""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        if not self.slower and args and self._takes(args[0]):
            result = self.compute(*args, **kwargs)
            if result is not None:
                return result
        return torchs(self.module)(*args, **kwargs)

    def compute(self, *args: Any, **kwargs: Any) -> Any:
        """The result; None where our function does not take it."""
        arrays = dict(zip(("input", "indices", "output_size"), args, strict=False))
        try:
            return self.function(**self.settings, **arrays, **kwargs)
        except REFUSALS:
            return None

    def _takes(self, input: Any) -> bool:
        return computes_plainly(input) and not (torch.is_grad_enabled() and input.requires_grad)


def put_on(module: Module, running: Running) -> None:
    # A bound method and no callable object: torch.export asks for its code.
    module.__dict__["forward"] = running.run


def take_off(module: Module) -> None:
    if running_on(module) is not None:
        del module.__dict__["forward"]


def running_on(module: Module) -> Running | None:
    """What stands on the module."""
    running = getattr(module.__dict__.get("forward"), "__self__", None)
    return running if isinstance(running, Running) else None
