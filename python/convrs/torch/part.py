"""A traced part of a model, which runs by its own program while nobody looks at what lies between its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph
from torch.nn import Module

from .folds import Fold
from .program import Program
from .running import Planned, Running, computes_plainly, torchs
from .watching import Modules, Tensors

_calls: Any = torch.nn.modules.module


class Part(Running):
    """Stands on the root of a traced part."""

    def __init__(self, module: Module, graph: Graph, fused: Mapping[Fold, Planned]) -> None:
        self.module, self.program, self.planned = module, Program(module, graph, fused), list(fused.values())
        folded = {module for planned in self.planned for module in planned.chain.modules}
        self._tensors = Tensors(folded)
        # The program calls the others as the forward would, and what they do is their own.
        self._modules = Modules((each for each in module.modules() if each not in self.program.called - folded), module)

    def watch(self) -> None:
        """From now on it stands for what the modules hold now."""
        self._modules.remember()

    def run(self, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return torchs(self.module)(*args, **kwargs)
        named = [kwargs[name] for name in self.program.inputs[len(args) :] if name in kwargs]
        inputs = (*args, *named)
        if len(named) != len(kwargs) or not self._takes(inputs):
            return torchs(self.module)(*args, **kwargs)
        self._refresh()
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
        return any(tensor.requires_grad for tensor in (*inputs, *self.module.parameters()))

    def _refresh(self) -> None:
        news = self._tensors.news()
        if news is not None:
            for planned in self.planned:
                planned.refresh()
            self._tensors.remember(news)
