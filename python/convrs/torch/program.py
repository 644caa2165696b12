"""A traced forward as a list of steps, in which planned layers stand for several steps of the model."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch._ops import OpOverload, OpOverloadPacket
from torch.fx import Graph, Node
from torch.nn import Module

from .folds import Fold
from .intercept import TAKEN, by_convrs
from .running import Planned

Values = list[Any]
"""What the steps have computed so far, each at its place."""


class _Place:
    """Stands for the value at a place among a step's arguments."""

    def __init__(self, place: int) -> None:
        self.place = place


class _Call:
    """A step as the model has it."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any, result: int) -> None:
        self.function, self.args, self.kwargs, self.result = function, args, kwargs, result

    def run(self, values: Values) -> None:
        values[self.result] = self.function(*_filled(self.args, values), **_filled(self.kwargs, values))


class _Fused:
    """Several steps as one planned layer; one by one where the layer does not take what it is given."""

    def __init__(self, planned: Planned, input: int, residual: int | None, steps: list[_Call]) -> None:
        self.planned, self.input, self.residual, self.steps = planned, input, residual, steps
        self.result = steps[-1].result

    def run(self, values: Values) -> None:
        residual = None if self.residual is None else values[self.residual]
        result = self.planned.compute(values[self.input], residual)
        if result is None:
            for step in self.steps:
                step.run(values)
        else:
            values[self.result] = result


class Program:
    """The steps of a graph, some of them fused.

    Attributes:
        inputs: the names of what it takes.
        called: the modules that it calls, each as a step of its own.
    """

    def __init__(self, root: Module, graph: Graph, fused: Mapping[Fold, Planned]) -> None:
        nodes = list(graph.nodes)
        places = {node: place for place, node in enumerate(nodes)}
        calls = {node: _call(root, node, places) for node in nodes if node.op not in ("placeholder", "output")}
        # Fused steps are computed where the last of them stood.
        turns = {node: places[fold.nodes[-1]] for fold in fused for node in fold.nodes}
        steps: dict[int, _Call | _Fused] = {places[node]: call for node, call in calls.items() if node not in turns}
        for fold, planned in fused.items():
            (input,) = fold.nodes[0].args
            residual = None if fold.residual is None else places[fold.residual]
            steps[turns[fold.nodes[0]]] = _Fused(planned, places[input], residual, [calls[node] for node in fold.nodes])
        spent: dict[int, list[int]] = {}
        for node in nodes:
            last = max((turns.get(user, places[user]) for user in node.users), default=turns.get(node, places[node]))
            spent.setdefault(last, []).append(places[node])
        self.inputs = tuple(str(node.target) for node in nodes if node.op == "placeholder")
        self.called = {step.function for step in steps.values() if isinstance(step, _Call)}
        self._steps = [(step, tuple(spent.get(turn, ()))) for turn, step in sorted(steps.items())]
        self._empty = [None] * (len(nodes) - len(self.inputs))
        self._output = _with_places(nodes[-1].args[0], places)

    def run(self, inputs: tuple[Any, ...]) -> Any:
        values = [*inputs, *self._empty]
        for step, spent in self._steps:
            step.run(values)
            for place in spent:
                values[place] = None
        return _filled(self._output, values)


def _call(root: Module, node: Node, places: Mapping[Node, int]) -> _Call:
    args, kwargs = _with_places(node.args, places), _with_places(node.kwargs, places)
    function: Any = node.target
    if node.op == "call_module":
        function = root.get_submodule(function)
    elif node.op == "call_method":
        function = partial(_call_method, function)
    elif node.op == "get_attr":
        function, args = operator.attrgetter(function), (root,)
    elif function in TAKEN:
        function = _Taken(function)
    elif isinstance(function, OpOverload | OpOverloadPacket):
        function = _Operator(function)
    return _Call(function, args, kwargs, places[node])


def _call_method(name: str, value: Any, *args: Any, **kwargs: Any) -> Any:
    return getattr(value, name)(*args, **kwargs)


class _Taken:
    """A function of torch's, by convrs where that takes it."""

    def __init__(self, function: Any) -> None:
        # By its name: not all of them can be pickled.
        self.home, self.name = function.__module__, function.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = getattr(sys.modules[self.home], self.name)
        result = by_convrs(function, args, kwargs)
        return function(*args, **kwargs) if result is NotImplemented else result


class _Operator:
    """One of `torch.ops`."""

    def __init__(self, function: OpOverload | OpOverloadPacket) -> None:
        # By its name: none of them can be pickled.
        self.name = str(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return operator.attrgetter(self.name)(torch.ops)(*args, **kwargs)


def _with_places(value: Any, places: Mapping[Node, int]) -> Any:
    if isinstance(value, Node):
        return _Place(places[value])
    if isinstance(value, dict):
        return {key: _with_places(element, places) for key, element in value.items()}
    if isinstance(value, slice):
        return slice(*(_with_places(element, places) for element in (value.start, value.stop, value.step)))
    if type(value) is tuple or isinstance(value, list):
        elements = [_with_places(element, places) for element in value]
        return tuple(elements) if type(value) is tuple else elements
    return value


def _filled(value: Any, values: Values) -> Any:
    kind = type(value)
    if kind is _Place:
        return values[value.place]
    if kind is tuple:
        return tuple([_filled(element, values) for element in value])
    if kind is list:
        return [_filled(element, values) for element in value]
    if kind is dict:
        return {key: _filled(element, values) for key, element in value.items()}
    if kind is slice:
        return slice(*(_filled(element, values) for element in (value.start, value.stop, value.step)))
    return value
