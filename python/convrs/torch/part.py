"""A traced part of a model, which runs by its own program while nobody looks at what lies between its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph
from torch.jit import ScriptModule
from torch.nn import Module

from .folding import tensors_of
from .folds import Fold
from .program import Program
from .running import Planned, Running, computes_plainly, torchs
from .watching import Modules, Tensors

_calls: Any = torch.nn.modules.module


class Part(Running):
    """Stands on the root of a traced part."""

    def __init__(self, module: Module, graph: Graph, fused: Mapping[Fold, Planned]) -> None:
        self.module, self.program, self.planned = module, Program(module, graph, fused), list(fused.values())
        self._folded = {module for planned in self.planned for module in planned.chain.modules}
        # The program calls the others as the forward would, and what they do is their own.
        others = self.program.called - self._folded
        watched = [each for each in module.modules() if each not in others and not isinstance(each, ScriptModule)]
        self._modules, self._tensors = Modules(watched, module), Tensors(watched)

    def watch(self) -> None:
        """From now on it stands for what the modules hold now."""
        self._modules.remember()
        self._kinds = self._tensors.kinds()

    def run(self, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return torchs(self.module)(*args, **kwargs)
        named = [kwargs[name] for name in self.program.inputs[len(args) :] if name in kwargs]
        inputs = (*args, *named)
        if len(named) != len(kwargs) or not self._takes(inputs) or not self._refreshed():
            return torchs(self.module)(*args, **kwargs)
        return self.program.run(inputs)

    def _takes(self, inputs: tuple[Any, ...]) -> bool:
        return (
            len(inputs) == len(self.program.inputs)
            and all(map(computes_plainly, inputs))
            and torch._C._len_torch_function_stack() == 0
            and not _calls._has_any_global_hook()
            and self._modules.unchanged()
            and not (torch.is_grad_enabled() and self._derives(inputs))
        )

    def _derives(self, inputs: tuple[Tensor, ...]) -> bool:
        return any(tensor.requires_grad for tensor in (*inputs, *tensors_of(self._folded)))

    def _refreshed(self) -> bool:
        """With the layers of the weights that there are now; not if it is more than the weights that have changed."""
        news = self._tensors.news()
        if news is not None:
            if self._tensors.kinds() != self._kinds:
                return False
            for planned in self.planned:
                planned.refresh()
            self._tensors.remember(news)
        return True
