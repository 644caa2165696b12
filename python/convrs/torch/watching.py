"""Whether modules and tensors are what they were. It is asked at every call: a few passes over lists."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, TypeAlias

from torch import Tensor
from torch.nn import Module

Groups: TypeAlias = list[dict[str, Any]]
State: TypeAlias = tuple[list[Tensor | None], list[int], list[int]]
"""Tensors, how often each was written to, where it lies."""


class Modules:
    """Modules that a graph stands for: their settings, submodules, mode and forward, and whether anybody hooks them."""

    def __init__(self, modules: Iterable[Module], hookable: Module) -> None:
        """A hook on `hookable` is none that the graph would miss."""
        self.modules, self.hookable = list(modules), hookable
        self._groups: Groups = []
        self._hooks: list[dict[int, Any]] = []
        self._held: list[Any] = []

    def remember(self) -> None:
        """What they hold now is what they were."""
        self._find()
        self._held = _values(self._groups)

    def unchanged(self) -> bool:
        """Whether they are as they were, and no hook is there."""
        if not self._groups:
            self._find()
        return not any(self._hooks) and _same(_values(self._groups), self._held)

    def _find(self) -> None:
        hooked = [module for module in self.modules if module is not self.hookable]
        self._hooks = [hooks for module in hooked for hooks in (module._forward_hooks, module._forward_pre_hooks)]
        self._groups = [vars(module) for module in self.modules]
        self._groups += [module._modules for module in self.modules if module._modules]

    def __getstate__(self) -> dict[str, Any]:
        # The modules of a copy have dictionaries of their own.
        return {**vars(self), "_groups": [], "_hooks": []}


class Tensors:
    """The parameters and buffers of some modules."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = list(modules)
        self._groups: Groups = []
        self._state: State = [], [], []

    def news(self) -> State | None:
        """What they are now, if they have been replaced, moved or written to since that was remembered."""
        if not self._groups:
            self._groups = [group for module in self.modules for group in (module._parameters, module._buffers)]
        values = _values(self._groups)
        tensors = [tensor for tensor in values if tensor is not None]
        state = values, [tensor._version for tensor in tensors], list(map(Tensor.data_ptr, tensors))
        return None if state[1:] == self._state[1:] and _same(values, self._state[0]) else state

    def remember(self, state: State) -> None:
        self._state = state

    def __getstate__(self) -> dict[str, Any]:
        return {"modules": self.modules, "_groups": [], "_state": ([], [], [])}


def _values(groups: Groups) -> list[Any]:
    return list(chain.from_iterable(map(dict.values, groups)))


def _same(one: list[Any], other: list[Any]) -> bool:
    try:
        return one == other
    except Exception:
        # Only what is not the same object is compared, and a tensor for one does not say whether it equals another.
        return False
