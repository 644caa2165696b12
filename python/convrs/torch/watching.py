"""Whether modules and tensors still are what they were. It is asked at every call: a few passes over lists."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from torch import Tensor
from torch.nn import Module


class Modules:
    """Modules that a graph stands for: their settings, submodules, mode and forward, and whether anybody hooks them."""

    def __init__(self, modules: Iterable[Module], hookable: Module) -> None:
        """A hook on `hookable` is none that the graph would miss."""
        self.modules, self.hookable = list(modules), hookable
        self._looked_at: tuple[list[dict[str, Any]], list[dict[int, Any]]] | None = None
        self._held: list[tuple[Any, ...]] = []

    def remember(self) -> None:
        """What they hold now is what they were."""
        self._held = _values(self._look()[0])

    def unchanged(self) -> bool:
        """Whether they are as they were, and no hook is there."""
        held, hooks = self._looked_at or self._look()
        if any(hooks):
            return False
        try:
            return _values(held) == self._held
        except Exception:
            # Only what is not the same object is compared, and whatever it is may say that it cannot be.
            return False

    def _look(self) -> tuple[list[dict[str, Any]], list[dict[int, Any]]]:
        held = [group for module in self.modules for group in (vars(module), module._modules)]
        hooked = [module for module in self.modules if module is not self.hookable]
        hooks = [group for module in hooked for group in (module._forward_hooks, module._forward_pre_hooks)]
        self._looked_at = held, hooks
        return self._looked_at

    def __getstate__(self) -> dict[str, Any]:
        # The modules of a copy have dictionaries of their own.
        return {**vars(self), "_looked_at": None}


def _values(groups: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return list(map(tuple, map(dict.values, groups)))


class Tensors:
    """The parameters and buffers of some modules."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = list(modules)
        self._groups: list[dict[str, Any]] = []

    def now(self) -> list[Tensor]:
        """Those that the modules have now."""
        if not self._groups:
            self._groups = [group for module in self.modules for group in (module._parameters, module._buffers)]
        return [tensor for tensor in chain.from_iterable(map(dict.values, self._groups)) if tensor is not None]

    def __getstate__(self) -> dict[str, Any]:
        return {"modules": self.modules, "_groups": []}


def state(tensors: list[Tensor]) -> list[int]:
    """Another one where a tensor has been replaced, moved, or written to; as long as they are kept."""
    which = [id(tensor) for tensor in tensors]
    return which + [tensor._version for tensor in tensors] + [tensor.data_ptr() for tensor in tensors]
