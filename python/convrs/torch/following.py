"""What follows what in a model, by torch.fx."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import torch.fx
from torch.nn import Module


@dataclass(frozen=True)
class Part:
    """A module that could be traced.

    Attributes:
        module: the root of the part; the whole model if that can be traced.
        followers: for each module called in it, the modules that alone receive its result, one after the other,
            wherever it is called.
    """

    module: Module
    followers: dict[Module, tuple[Module, ...]]


def parts(model: Module) -> Iterator[Part]:
    """The largest parts of a model that can be traced; nothing is known about what lies between them."""
    graph = _traced(model)
    if graph is None:
        for child in model.children():
            yield from parts(child)
        return
    followers: dict[Module, tuple[Module, ...]] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            module, chain = model.get_submodule(node.target), tuple(_chain(model, node))
            followers[module] = _common(followers.get(module, chain), chain)
    yield Part(model, followers)


def _traced(model: Module) -> torch.fx.Graph | None:
    if "forward" in model.__dict__:
        # The tracer would look at the class.
        return None
    # A forward may leave what it is given on the module, so that a twin is traced; it shares the tensors.
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    try:
        twin = copy.deepcopy(model, shared)
        for module in twin.modules():
            # What hooks do is nothing that a trace should do.
            module._forward_hooks.clear()
            module._forward_pre_hooks.clear()
        return torch.fx.Tracer().trace(twin)
    except Exception:
        # The forward is a stranger's program, and what it raises when it meets a proxy may be anything.
        return None


def _chain(model: Module, node: torch.fx.Node) -> Iterator[Module]:
    while len(node.users) == 1:
        (user,) = node.users
        if user.op != "call_module" or user.args != (node,) or user.kwargs or _container(user) != _container(node):
            return
        yield model.get_submodule(str(user.target))
        node = user


def _container(node: torch.fx.Node) -> list[str]:
    """The modules that call it: a hook on one of them might look at what leaves or enters it."""
    return list(node.meta["nn_module_stack"])[:-1]


def _common(one: tuple[Module, ...], other: tuple[Module, ...]) -> tuple[Module, ...]:
    pairs = takewhile(lambda pair: pair[0] is pair[1], zip(one, other, strict=False))
    return tuple(module for module, _ in pairs)
