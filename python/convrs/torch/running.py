"""What the modules of an accelerated model run: the `run` of each object here stands as `forward` on one module.

So a module stays the object it was, with its parameters, hooks, name and class; only its arithmetic is ours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Module

from ..functional.arguments import Algorithm
from .folding import Layer, foldable_now, planned, spatial_axes, tensors_of

_calls: Any = torch.nn.modules.module

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


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


def torchs(module: Module) -> Callable[..., Any]:
    """The forward of the module's class."""
    forward: Callable[..., Any] = type(module).forward.__get__(module)
    return forward


class Part:
    """Stands on the root of a traced part: only while it runs, what follows what is known."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def run(self, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return torchs(self.module)(*args, **kwargs)
        _thread.parts.append(self)
        try:
            result = torchs(self.module)(*args, **kwargs)
        finally:
            _thread.parts.pop()
            left = [key for key, folded in _thread.folded.items() if folded.part is self]
            missing = [_thread.folded.pop(key).followers[0] for key in left]
        if missing:
            raise RuntimeError(
                f"{type(missing[0]).__name__} was folded into the convolution before it, but was not called behind it: "
                f"the model takes another way than when it was accelerated; call accelerate() again"
            )
        return result


class _Folded:
    """A result that already is what the followers would make of it."""

    def __init__(self, result: Tensor, followers: list[Module], part: Part) -> None:
        self.result, self.followers, self.part = result, followers, part


class _Thread(threading.local):
    """What runs in this thread."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.folded: dict[int, _Folded] = {}


_thread = _Thread()


class Convolution:
    """Stands on a convolution, and takes over the followers that are foldable."""

    def __init__(self, module: Any, followers: tuple[Module, ...], part: Part | None, algorithm: Algorithm) -> None:
        self.module, self.followers, self.part, self.algorithm = module, followers, part, algorithm
        self.slower = ""
        self._plans: dict[bool, tuple[list[tuple[int, int, int]], list[Tensor], Layer]] = {}

    def run(self, *args: Any, **kwargs: Any) -> Any:
        if self.slower or len(args) != 1 or kwargs or not self._takes(args[0]):
            return torchs(self.module)(*args, **kwargs)
        if not self._folds():
            return self.layer(())(args[0])
        result = self.layer(self.followers)(args[0])
        assert self.part is not None
        _thread.folded[id(result)] = _Folded(result, list(self.followers), self.part)
        return result

    def layer(self, followers: tuple[Module, ...]) -> Layer:
        """The planned layer, made again where a tensor behind it has been replaced or written to."""
        tensors = tensors_of([self.module, *followers])
        state = [(id(tensor), tensor._version, tensor.data_ptr()) for tensor in tensors]
        plan = self._plans.get(bool(followers))
        if plan is None or plan[0] != state:
            # The tensors are kept so that no other one gets their identity.
            plan = state, tensors, planned(self.module, followers, self.algorithm)
            self._plans[bool(followers)] = plan
        return plan[2]

    def _takes(self, input: Any) -> bool:
        weight = self.module.weight
        return (
            computes_plainly(input)
            and weight.is_cpu
            and weight.dtype == input.dtype
            and input.dim() == spatial_axes(self.module) + 2
            and not (torch.is_grad_enabled() and self._derives(input))
        )

    def _derives(self, input: Tensor) -> bool:
        return any(tensor.requires_grad for tensor in (input, *tensors_of([self.module, *self.followers])))

    def _folds(self) -> bool:
        """Whether the followers will be called next, and nobody looks at what lies between."""
        return (
            bool(self.followers)
            and self.part in _thread.parts
            and not self.module._forward_hooks
            and not any(module._forward_hooks or module._forward_pre_hooks for module in self.followers)
            and not _calls._has_any_global_hook()
            and foldable_now(self.followers, self.module.weight.dtype)
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plans": {}}


class Follower:
    """Stands on a module that was folded; where the convolution did not fold it, it is what it was."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def run(self, *args: Any, **kwargs: Any) -> Any:
        if _thread.folded and len(args) == 1 and not kwargs:
            folded = _thread.folded.get(id(args[0]))
            if folded is not None and folded.followers[0] is self.module:
                folded.followers.pop(0)
                if not folded.followers:
                    del _thread.folded[id(args[0])]
                return args[0]
        return torchs(self.module)(*args, **kwargs)


class Pool:
    """Stands on a pool."""

    def __init__(self, module: Module, function: Callable[..., Any], settings: dict[str, Any]) -> None:
        self.module, self.function, self.settings = module, function, settings
        self.slower = ""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        if self.slower or not args or not self._takes(args[0]):
            return torchs(self.module)(*args, **kwargs)
        return self.compute(*args, **kwargs)

    def compute(self, *args: Any, **kwargs: Any) -> Any:
        arrays = dict(zip(("input", "indices", "output_size"), args, strict=False))
        return self.function(**self.settings, **arrays, **kwargs)

    def _takes(self, input: Any) -> bool:
        return computes_plainly(input) and not (torch.is_grad_enabled() and input.requires_grad)


Running: TypeAlias = Part | Convolution | Follower | Pool


def put_on(module: Module, running: Running) -> None:
    # A bound method and no callable object: torch.export asks for its code.
    module.__dict__["forward"] = running.run


def running_on(module: Module) -> Running | None:
    """What stands on the module."""
    running = getattr(module.__dict__.get("forward"), "__self__", None)
    return running if isinstance(running, Running) else None
