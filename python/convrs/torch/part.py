"""A traced part of a model, which runs by its own program while nobody looks at what lies between its steps."""

from __future__ import annotations

from collections import Counter
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
from .running import Planned, Running, computes_plainly, torchs, why_not_plainly
from .watching import Modules, Tensors

MOST_REASONS = 16
"""That are told apart: a number that changes with every call is another reason each time."""

_calls: Any = torch.nn.modules.module


class Part(Running):
    """Stands on the root of a traced part.

    Attributes:
        calls: how often it was called.
        as_written: how often the forward ran as it is written, by the reason.
    """

    def __init__(self, module: Module, graph: Graph, fused: Mapping[Fold, Planned]) -> None:
        self.module, self.program, self.planned = module, Program(module, graph, fused), list(fused.values())
        self.calls, self.as_written = 0, Counter[str]()
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
        self.calls += 1
        named = [kwargs[name] for name in self.program.inputs[len(args) :] if name in kwargs]
        inputs = (*args, *named)
        hindrance = self._hindrance(inputs, len(named) == len(kwargs)) or self._renewed()
        if hindrance is None:
            return self.program.run(inputs)
        if len(self.as_written) >= MOST_REASONS and hindrance not in self.as_written:
            hindrance = "another reason"
        self.as_written[hindrance] += 1
        return torchs(self.module)(*args, **kwargs)

    def _hindrance(self, inputs: tuple[Any, ...], known: bool) -> str | None:
        """Why such a call cannot run by the program."""
        if not known or len(inputs) != len(self.program.inputs):
            return f"not called with {', '.join(self.program.inputs)} alone"
        if not all(map(computes_plainly, inputs)):
            return why_not_plainly(inputs)
        if torch._C._len_torch_function_stack() != 0:
            return "a mode watched torch's functions"
        if _calls._has_any_global_hook():
            return "a hook stood on all modules"
        if not self._modules.unchanged():
            return self._modules.change()
        if torch.is_grad_enabled() and self._derives(inputs):
            return "gradients were on, as they are outside torch.inference_mode()"
        return None

    def _derives(self, inputs: tuple[Tensor, ...]) -> bool:
        return any(tensor.requires_grad for tensor in (*inputs, *tensors_of(self._folded)))

    def _renewed(self) -> str | None:
        """Plans the weights that there are now; why not, where more than the weights has changed."""
        news = self._tensors.news()
        if news is not None:
            if self._tensors.kinds() != self._kinds:
                return self._tensors.change(self._kinds, self.module)
            for planned in self.planned:
                planned.refresh()
            self._tensors.remember(news)
        return None
