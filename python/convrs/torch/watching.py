"""Whether modules and tensors are what they were. It is asked at every call: a few passes over lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import Module, Parameter

Groups: TypeAlias = list[dict[str, Any]]
State: TypeAlias = tuple[list[Any], list[int], list[Any]]
"""Classes of modules and their tensors, how often each was written to and where it lies, the memory there."""


def watchable(tensor: Tensor) -> bool:
    """Whether it says when it is written to, as a tensor that was made under `torch.inference_mode()` does not."""
    return type(tensor) in (Tensor, Parameter) and tensor.layout is torch.strided and not tensor.is_inference()


class Modules:
    """Modules that a graph stands for: their settings, submodules, mode and forward, and whether anybody hooks them."""

    def __init__(self, modules: Iterable[Module], hookable: Module) -> None:
        """A hook on `hookable` is none that the graph would miss."""
        self.modules, self.hookable = list(modules), hookable
        self._groups: Groups = []
        self._hooks: list[dict[int, Any]] = []
        self._held: list[Any] = []
        self._named: Groups = []

    def remember(self) -> None:
        """What they hold now is what they were."""
        self._find()
        self._held = _values(self._groups)
        self._named = self._by_name()

    def unchanged(self) -> bool:
        """Whether they are as they were, and no hook is there."""
        if not self._groups:
            self._find()
        return not any(self._hooks) and _same(_values(self._groups), self._held)

    def change(self) -> str:
        """What is not as it was, in words."""
        path = _paths(self.hookable)
        for module in self._hookless():
            if module._forward_hooks or module._forward_pre_hooks:
                return f"{path(module)} had a hook"
        return _first_change(path, zip(self.modules, self._named, self._by_name(), strict=True))

    def _find(self) -> None:
        self._hooks = [
            hooks for module in self._hookless() for hooks in (module._forward_hooks, module._forward_pre_hooks)
        ]
        self._groups = [vars(module) for module in self.modules]
        self._groups += [module._modules for module in self.modules if module._modules]

    def _by_name(self) -> Groups:
        return [{**vars(module), **module._modules} for module in self.modules]

    def _hookless(self) -> list[Module]:
        return [module for module in self.modules if module is not self.hookable]

    def __getstate__(self) -> dict[str, Any]:
        # The modules of a copy have dictionaries of their own.
        return {**vars(self), "_groups": [], "_hooks": []}


class Tensors:
    """The parameters and buffers of some modules, and the classes of these."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = list(modules)
        self._groups: Groups = []
        self._state: State = [], [], []

    def news(self) -> State | None:
        """What they are now, if they have been replaced, moved or written to since that was remembered."""
        if not self._groups:
            self._groups = [group for module in self.modules for group in (module._parameters, module._buffers)]
        # Most modules have none.
        values = _values(filter(None, self._groups))
        tensors = [tensor for tensor in values if tensor is not None]
        values += map(type, self.modules)
        marks = _marks(tensors)
        if marks == self._state[1] and _same(values, self._state[0]):
            return None
        # While the memory is kept nothing else can come to lie there.
        return values, marks, [tensor.untyped_storage() for tensor in tensors if watchable(tensor)]

    def kinds(self) -> Groups:
        """What new weights leave as it is: the class of each module, and the classes of its tensors by their names."""
        named = [{"": module, **module._parameters, **module._buffers} for module in self.modules]
        return [{name: type(value) for name, value in values.items()} for values in named]

    def change(self, kinds: Groups, root: Module) -> str:
        """What is of another kind now, in words."""
        return _first_change(_paths(root), zip(self.modules, kinds, self.kinds(), strict=True))

    def remember(self, state: State) -> None:
        self._state = state

    def __getstate__(self) -> dict[str, Any]:
        return {"modules": self.modules, "_groups": [], "_state": ([], [], [])}


def _marks(tensors: list[Tensor]) -> list[int]:
    try:
        return [*[tensor._version for tensor in tensors], *map(Tensor.data_ptr, tensors)]
    except (RuntimeError, ValueError):
        return _marks([tensor for tensor in tensors if watchable(tensor)])


def _values(groups: Iterable[dict[str, Any]]) -> list[Any]:
    return list(chain.from_iterable(map(dict.values, groups)))


def _same(one: list[Any], other: list[Any]) -> bool:
    try:
        return one == other
    except Exception:
        # Only what is not the same object is compared, and a tensor for one does not say whether it equals another.
        return False


def _paths(root: Module) -> Callable[[Module], str]:
    """What modules are called within it; by their class where they are no more there."""
    names = {module: name for name, module in root.named_modules()}
    return lambda module: names.get(module, type(module).__name__)


def _first_change(
    path: Callable[[Module], str], states: Iterable[tuple[Module, dict[str, Any], dict[str, Any]]]
) -> str:
    changes = (_change(path(module), before, now) for module, before, now in states)
    # Another thread may have taken it back by now.
    return next(filter(None, changes), "a module changed")


def _change(path: str, before: dict[str, Any], now: dict[str, Any]) -> str | None:
    for name in {**before, **now}:
        full = ".".join(filter(None, (path, name))) or "the module"
        if name not in before:
            return f"{full} appeared"
        if name not in now:
            return f"{full} went"
        if not _same([before[name]], [now[name]]):
            was, is_now = _told(before[name]), _told(now[name])
            return f"{full} was {was}, is {'another one' if is_now == was else is_now}"
    return None


def _told(value: Any) -> str:
    if isinstance(value, type):
        return value.__name__
    return repr(value) if isinstance(value, bool | int | float | str | None) else f"a {type(value).__name__}"
