"""What became of the modules of an accelerated model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import Module

from .accelerate import POOLS, why_not
from .folding import ACTIVATIONS, CONVOLUTIONS, NORMALIZATIONS, Chain
from .measuring import Times, times
from .part import Part
from .running import Convolution, Planned, Pool, running_on


@dataclass(frozen=True)
class Row:
    """One module.

    Attributes:
        name: its name in the model, as in `named_modules`.
        kind: its class.
        by: "convrs" or "torch".
        why: what was folded into it or where it was folded, or why it was left to torch.
        microseconds: measured time of a call by convrs, what was folded included; None where it was not measured.
        torch_microseconds: the same by torch.
    """

    name: str
    kind: str
    by: str
    why: str
    microseconds: float | None = None
    torch_microseconds: float | None = None


@dataclass(frozen=True)
class Traced:
    """A part of the model that runs by its graph, with what is folded.

    Attributes:
        name: the name of its root in the model.
        calls: how often it was called since the model was accelerated.
        as_written: how many of the calls ran the forward as it is written, folding nothing, by the reason.
    """

    name: str
    calls: int
    as_written: dict[str, int]

    def __str__(self) -> str:
        name, calls = self.name or "(the model)", f"{sum(self.as_written.values())} of {self.calls} calls"
        reasons = (f"{reason} ({count}x)" for reason, count in self.as_written.items())
        return f"{name} ran as it is written in {calls}: {'; '.join(reasons)}"


@dataclass(frozen=True)
class Report:
    """What became of the model; printed as a table, with a line below for each part that has run as it is written.

    Attributes:
        rows: one for each convolution, pool, normalisation and activation.
        parts: those that run by their graphs.
    """

    rows: tuple[Row, ...]
    parts: tuple[Traced, ...] = ()

    def __str__(self) -> str:
        table = [["module", "kind", "computed by", "why"]]
        table += [[row.name or "(the model)", row.kind, row.by, row.why] for row in self.rows]
        if any(row.microseconds is not None for row in self.rows):
            table[0][3:3] = ["us", "torch us", "ratio"]
            for line, row in zip(table[1:], self.rows, strict=True):
                line[3:3] = _speed(row)
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in table)
        return "\n".join([*(line.rstrip() for line in lines), *(str(part) for part in self.parts if part.as_written)])


def report(model: Module, example: Tensor | tuple[Any, ...] | None = None) -> Report:
    """Which modules of an accelerated model convrs computes, and which not and why; and what has hindered it since.

    Layers that have not been called yet are planned, since only then it is known whether they can be.

    Args:
        model: what `accelerate` returned.
        example: an input of the model, or a tuple of all its arguments. With it every layer is timed on what it gets
            there, by convrs and by torch.

    Returns:
        The report; print it.

    Raises:
        TypeError: `model` is no module.

    Example:
        >>> import torch
        >>> from convrs.torch import accelerate
        >>> model = torch.nn.Sequential(torch.nn.Conv1d(1, 4, 3), torch.nn.Flatten(), torch.nn.ReLU()).eval()
        >>> print(report(accelerate(model)))
        module  kind    computed by  why
        0       Conv1d  convrs
        2       ReLU    torch        not behind a convolution alone

        A part that meets what its graph does not stand for runs as it is written, and says so:

        >>> model = torch.nn.Sequential(torch.nn.Conv1d(1, 4, 3), torch.nn.ReLU()).eval()
        >>> fast = accelerate(model)
        >>> fast[1] = torch.nn.Sigmoid()
        >>> with torch.inference_mode():
        ...     result = fast(torch.zeros(1, 1, 9))
        >>> print(report(fast).parts[0])
        (the model) ran as it is written in 1 of 1 calls: 1 was a ReLU, is a Sigmoid (1x)
    """
    if not isinstance(model, Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    names = {module: name for name, module in model.named_modules()}
    parts = tuple(
        Traced(name, part.calls, dict(part.as_written))
        for module, name in names.items()
        if isinstance(part := running_on(module), Part)
    )
    measured = {} if example is None else times(model, example)
    layers = {running: _layers(running) for module in names if isinstance(running := running_on(module), Convolution)}
    rows = (_row(module, names, layers, measured.get(module)) for module in names)
    return Report(tuple(row for row in rows if row is not None), parts)


def _layers(running: Convolution) -> list[Planned]:
    """The layers that there are of the weights that there are now."""
    if running.slower:
        return []
    for planned in running.folded:
        planned.refresh()
    found = [planned for planned in running.folded if not planned.refused]
    if not running.folded or len(found) < len(running.folded):
        # Else it may never be needed, and its weights are not packed for nothing.
        running.alone.refresh()
        found += [] if running.alone.refused else [running.alone]
    return found


def _row(
    module: Module, names: dict[Module, str], layers: dict[Convolution, list[Planned]], measured: Times | None
) -> Row | None:
    name, kind, running = names[module], type(module).__name__, running_on(module)
    if isinstance(running, Convolution):
        by = "convrs" if layers[running] else "torch"
        return Row(name, kind, by, running.slower or _why(running, names), *_microseconds(measured))
    if isinstance(running, Pool):
        return Row(name, kind, "torch" if running.slower else "convrs", running.slower, *_microseconds(measured))
    into = [
        names[head.module]
        for head, found in layers.items()
        if any(module in planned.chain.modules for planned in found)
    ]
    if into:
        return Row(name, kind, "convrs", f"folded into {', '.join(into)}")
    if type(module) in (*NORMALIZATIONS, *ACTIVATIONS):
        folds = [planned for head in layers for planned in head.folded]
        behind = any(module in planned.chain.modules for planned in folds)
        return Row(name, kind, "torch", "nothing is folded there" if behind else "not behind a convolution alone")
    if isinstance(module, (*CONVOLUTIONS, *POOLS)):
        return Row(name, kind, "torch", why_not(module) or "the model was not accelerated")
    return None


def _why(running: Convolution, names: dict[Module, str]) -> str:
    """What is folded into it, why its layers are none, and what they did not take."""
    told = []
    for planned in (*running.folded, running.alone):
        if planned.refused:
            told.append(planned.refused)
        elif planned is not running.alone:
            told.append(f"with {', '.join(_steps(planned.chain, names))} folded in")
    for planned in running.folded or [running.alone]:
        if planned.declined:
            told.append(f"left to torch {planned.declined}x: {planned.why}")
    return "; ".join(dict.fromkeys(told))


def _steps(chain: Chain, names: dict[Module, str]) -> Iterator[str]:
    """The names of the steps behind the convolution; that of a function's module where it is none of the model's."""
    if chain.normalization is not None:
        yield names[chain.normalization]
    if chain.sum:
        yield "a sum"
    if chain.activation is not None:
        yield names.get(chain.activation, type(chain.activation).__name__)


def _microseconds(measured: Times | None) -> tuple[float | None, float | None]:
    return (None, None) if measured is None else (measured.ours * 1e6, measured.torchs * 1e6)


def _speed(row: Row) -> list[str]:
    if row.microseconds is None or row.torch_microseconds is None:
        return ["", "", ""]
    numbers = row.microseconds, row.torch_microseconds
    return [*(f"{number:,.1f}" for number in numbers), f"{row.torch_microseconds / row.microseconds:.2f}"]
