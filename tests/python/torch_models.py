"""Torch models that the tests of `convrs.torch` accelerate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn

from convrs.torch.running import Convolution, Planned, running_on

Note = TypeVar("Note")


def seeded(*layers: nn.Module) -> nn.Sequential:
    return trained(nn.Sequential(*layers))


def trained(model: Any) -> Any:
    """In evaluation, with means, variances and weights of a normalisation that are neither zero nor one."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            for tensor in (module.running_mean, module.bias):
                tensor.data.uniform_(-0.5, 0.5, generator=generator)
            for tensor in (module.running_var, module.weight):
                tensor.data.uniform_(0.5, 2, generator=generator)
    return model.eval()


def folded_layers(model: nn.Module) -> int:
    """How many modules of the model go into convolutions before them."""
    heads = [running for module in model.modules() if isinstance(running := running_on(module), Convolution)]
    followers = {module for head in heads for planned in head.folded for module in planned.chain.modules[1:]}
    return len(followers & set(model.modules()))


def noted(
    monkeypatch: pytest.MonkeyPatch, note: Callable[[Planned, Tensor, Tensor | None, Tensor], Note]
) -> list[Note]:
    """From now on, a note of each call that a planned layer has computed."""
    notes: list[Note] = []
    compute = Planned.compute

    def watched(planned: Planned, input: Tensor, residual: Tensor | None) -> Tensor | None:
        result = compute(planned, input, residual)
        if result is not None:
            notes.append(note(planned, input, residual, result))
        return result

    monkeypatch.setattr(Planned, "compute", watched)
    return notes


def planned_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many steps were folded into each call."""
    return noted(monkeypatch, lambda planned, *call: len(planned.chain.modules) - 1 + planned.chain.sum)


Way = Callable[[Any, Tensor], Any]

IMAGE = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    """Two convolutions with all that may stand behind them, and any way through them."""

    def __init__(self, way: Way) -> None:
        super().__init__()
        self.way = way
        self.conv1, self.norm1 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.norm2 = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.relu, self.pool, self.dropout, self.identity = nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(), nn.Identity()
        self.head, self.scale = nn.Linear(4, 2), nn.Parameter(torch.tensor(0.5))
        self.container = nn.Sequential(nn.Conv2d(4, 4, 1))
        self.register_buffer("offset", torch.tensor(0.5))

    def forward(self, input: Tensor) -> Any:
        return self.way(self, input)


def model_of(way: Way) -> Block:
    torch.manual_seed(0)
    return trained(Block(way))


def check(model: nn.Module, fast: nn.Module, input: Tensor = IMAGE) -> None:
    """The same result, and the same left in the input."""
    given = input.clone(), input.clone()
    with torch.no_grad():
        theirs, ours = model(given[0]), fast(given[1])
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(given[1], given[0], rtol=1e-5, atol=1e-5)
