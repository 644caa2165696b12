"""Which steps of a graph one planned layer takes over."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.fx import Graph, Node
from torch.nn import Module

from .folding import ACTIVATIONS, CONVOLUTIONS, NORMALIZATIONS, Chain
from .tracing import opaque

SUMS = (operator.add, operator.iadd, torch.add, "add", "add_")
"""Functions of two tensors, and methods by their names."""

FUNCTIONS: dict[Any, Any] = {
    **dict.fromkeys((F.relu, torch.relu, torch.relu_, "relu", "relu_"), nn.ReLU),
    **dict.fromkeys((F.sigmoid, torch.sigmoid, torch.sigmoid_, "sigmoid", "sigmoid_"), nn.Sigmoid),
    **dict.fromkeys((F.tanh, torch.tanh, torch.tanh_, "tanh", "tanh_"), nn.Tanh),
    F.relu6: nn.ReLU6,
    F.silu: nn.SiLU,
    F.hardswish: nn.Hardswish,
    F.gelu: nn.GELU,
    F.leaky_relu: nn.LeakyReLU,
    F.hardtanh: nn.Hardtanh,
}
"""Activations, with the modules that take their arguments behind the first."""


@dataclass(frozen=True, eq=False)
class Fold:
    """Steps of a graph that one planned layer may take over.

    Attributes:
        chain: what the layer computes.
        nodes: the steps, the convolution first.
        residual: what is added.
    """

    chain: Chain
    nodes: tuple[Node, ...]
    residual: Node | None

    @property
    def alone(self) -> bool:
        """Whether it is the convolution and nothing else."""
        return len(self.nodes) == 1


def folds(graph: Graph, root: Module) -> list[Fold]:
    """The longest ones; each step lies in one at most."""
    links = {node: link for node in graph.nodes if (link := _link(node, root)) is not None}
    found: list[Fold] = []
    taken: set[Node] = set()
    for node, link in links.items():
        if type(link.module) in CONVOLUTIONS:
            fold = _fold(node, links, taken)
            taken.update(fold.nodes)
            found.append(fold)
    return found


@dataclass(frozen=True)
class _Link:
    """A step that a planned layer may compute.

    Attributes:
        operands: what it computes from.
        module: what computes it, or does what the function does; None for a sum.
        in_place: whether it writes into its first operand.
    """

    operands: tuple[Node, ...]
    module: Any
    in_place: bool


def _link(node: Node, root: Module) -> _Link | None:
    operands: Any = node.args
    module: Any = None
    if node.op == "call_module":
        module = root.get_submodule(str(node.target))
        if opaque(module) or type(module) not in (*CONVOLUTIONS, *NORMALIZATIONS, *ACTIVATIONS) or node.kwargs:
            return None
    elif node.op not in ("call_function", "call_method"):
        return None
    elif node.target in FUNCTIONS:
        operands, module = node.args[:1], _as_module(node)
        if module is None:
            return None
    elif node.target not in SUMS or node.kwargs.get("alpha", 1) != 1 or node.kwargs.keys() - {"alpha"}:
        return None
    if len(operands) != (2 if module is None else 1) or not all(isinstance(operand, Node) for operand in operands):
        return None
    name = getattr(node.target, "__name__", str(node.target))
    in_place = node.target is operator.iadd or (node.op != "call_module" and name.endswith("_"))
    return _Link(operands, module, in_place or getattr(module, "inplace", False))


def _as_module(node: Node) -> Module | None:
    """A module that does what the function does there."""
    settings: Any = node.args[1:]
    named: Any = node.kwargs
    if any(isinstance(setting, Node) for setting in (*settings, *named.values())):
        return None
    try:
        return _made(FUNCTIONS[node.target], *settings, **named)
    except (TypeError, AssertionError):
        # It is called as the module cannot be.
        return None


@cache
def _made(kind: type[Module], *args: Any, **kwargs: Any) -> Module:
    """One module for all that are equal, so that their layers are one."""
    return kind(*args, **kwargs)


def _fold(convolution: Node, links: dict[Node, _Link], taken: set[Node]) -> Fold:
    fold = Fold(Chain(links[convolution].module), (convolution,), None)
    while True:
        longer = _longer(fold, links, taken)
        if longer is None:
            return fold
        fold = longer


def _longer(fold: Fold, links: dict[Node, _Link], taken: set[Node]) -> Fold | None:
    """With one more step, if that is one which a layer can take over and nobody sees what it computes from."""
    last = fold.nodes[-1]
    if len(last.users) != 1:
        return None
    (node,) = last.users
    link = links.get(node)
    if link is None or node in taken or link.operands.count(last) != 1:
        return None
    if not all(_changes_nothing(between, links) for between in _between(last, node)):
        return None
    if link.module is not None:
        chain, residual = fold.chain.with_module(link.module), fold.residual
    else:
        (residual,) = (operand for operand in link.operands if operand is not last)
        if link.in_place and residual is link.operands[0] and not _unseen(residual, links):
            return None
        chain = fold.chain.with_sum()
    return None if chain is None else Fold(chain, (*fold.nodes, node), residual)


def _between(one: Node, other: Node) -> Iterator[Node]:
    node = one.next
    while node is not other:
        yield node
        node = node.next


def _changes_nothing(node: Node, links: dict[Node, _Link]) -> bool:
    """Whether a step may come before or behind another one: it writes into nothing that anybody sees."""
    link = links.get(node)
    if link is None:
        return node.op == "get_attr"
    return not link.in_place or _unseen(link.operands[0], links)


def _unseen(node: Node, links: dict[Node, _Link]) -> bool:
    """Whether a value lies in memory of its own, which nobody sees but the one step that it goes to."""
    link = links.get(node)
    return link is not None and len(node.users) == 1 and (not link.in_place or _unseen(link.operands[0], links))
