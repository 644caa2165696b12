"""What a module computes, step by step, by torch.fx."""

from __future__ import annotations

import copy
import inspect
import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.fx
from torch import Tensor
from torch.fx import Graph, Node
from torch.nn import Module

from .watching import watchable

GIVE_BACK = (
    *(torch.nn.Identity, torch.nn.Dropout, torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d),
    *(torch.nn.AlphaDropout, torch.nn.FeatureAlphaDropout),
)
"""Modules that in evaluation return what they are given."""


class _Proxy(torch.fx.Proxy):
    """A value of the trace. Where torch.fx would answer for it, wrongly, it does not; and `x += y` writes into x."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise TypeError("isinstance is asked of a value that is not yet known")

    def __getattr__(self, name: str) -> Any:
        if not hasattr(torch.Tensor, name):
            raise AttributeError(name)
        return super().__getattr__(name)


def _in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    def noted(self: _Proxy, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", function, (self, other), {})

    return noted


for _name in (
    *("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul"),
    *("iand", "ior", "ixor", "ilshift", "irshift"),
):
    setattr(_Proxy, f"__{_name}__", _in_place(getattr(operator, _name)))


class _Tracer(torch.fx.Tracer):
    """Refuses what torch.fx would take for something else than it is."""

    proxy_buffer_attributes = True

    def is_leaf_module(self, module: Module, name: str) -> bool:
        return super().is_leaf_module(module, name) or opaque(module)

    def proxy(self, node: Node) -> _Proxy:
        return _Proxy(node, self)

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *more: Any, **named: Any) -> Any:
        if kind == "placeholder" and args:
            # An argument that has a default: `if mask is None` would be asked of the proxy.
            return args[0]
        if torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
            raise TypeError("the forward changes a mode, which the graph would not")
        return super().create_proxy(kind, target, args, kwargs, *more, **named)

    def create_arg(self, value: Any) -> Any:
        if issubclass(type(value), torch.fx.Proxy):
            return value.node
        plain = type(value).__module__ in ("builtins", "torch.fx.immutable_collections")
        if isinstance(value, list | dict) and not plain:
            raise TypeError(f"the graph would have a plain {type(value).__base__} in place of {type(value)}")
        return super().create_arg(value)


def opaque(module: Module) -> bool:
    """Whether it does something beside the forward of its class, which a call of the module alone runs."""
    return "forward" in vars(module) or bool(module._forward_hooks or module._forward_pre_hooks)


def parts(model: Module) -> dict[Module, Graph]:
    """The graphs of the largest parts of a model that can be traced; nothing is known about what lies between them."""
    found: dict[Module, Graph] = {}
    _find(model, found)
    return found


def _find(model: Module, found: dict[Module, Graph]) -> None:
    graph = _traced(model)
    if graph is None:
        within = list(model.children())
    else:
        found[model] = graph
        within = [model.get_submodule(str(node.target)) for node in graph.nodes if node.op == "call_module"]
    for module in within:
        if module not in found:
            _find(module, found)


def _traced(model: Module) -> Graph | None:
    tracer = _Tracer()
    if "forward" in vars(model) or torch.fx.Tracer.is_leaf_module(tracer, model, ""):
        # The tracer would look at the class.
        return None
    try:
        if any(map(_particular, inspect.signature(model.forward).parameters.values())):
            return None
        twin = _twin(model)
        before = [_held(module) for module in twin.modules()]
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            graph = tracer.trace(twin)
        # A copy of a proxy belongs to another graph.
        graph.lint()
        after = [_held(module) for module in twin.modules()]
    except Exception:
        # The forward is a stranger's program, and what it raises when it meets a proxy may be anything.
        return None
    if not all(map(_same, before, after)):
        # A graph leaves nothing on the modules, and a tensor that was made while tracing is none of the model's.
        return None
    for node in graph.nodes:
        if _gives_back(node, model):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    return graph


def _twin(model: Module) -> Module:
    """A copy to be traced, since a forward may leave something on its modules or write into their tensors."""
    twin, known = copy.deepcopy(model), set()
    groups: Any = [group for module in twin.modules() for group in (module._parameters, module._buffers)]
    for group in groups:
        for name, tensor in group.items():
            if tensor in known:
                # Of several names for one tensor the trace would know the first alone.
                group[name] = copy.deepcopy(tensor)
            known.add(tensor)
    return twin


def _particular(parameter: inspect.Parameter) -> bool:
    """Whether an argument that has to be given may not be given by its place as well as by its name."""
    return parameter.kind is not parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty


def _gives_back(node: Node, root: Module) -> bool:
    """Whether a step returns what it is given."""
    if node.op == "call_module":
        module = root.get_submodule(str(node.target))
        return type(module) in GIVE_BACK and not opaque(module) and len(node.args) == 1 and not module.training
    return node.target is torch.nn.functional.dropout and node.kwargs.get("training") is False


def _held(module: Module) -> list[Any]:
    """All that a module holds, what its lists and dictionaries hold, and how often the tensors were written to."""
    values = list(vars(module).values())
    for value in list(values):
        if isinstance(value, list | set | dict):
            values += value.values() if isinstance(value, dict) else value
    return [*values, *(value._version for value in values if isinstance(value, Tensor) and watchable(value))]


def _same(before: list[Any], after: list[Any]) -> bool:
    return len(before) == len(after) and all(map(operator.is_, before, after))
