"""The layers that are timed, their operands, and the float64 result that an engine must reach before it is timed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional

LAYERS = Path(__file__).parent / "layers.json"
UNIT_ROUNDOFF = 2.0**-24

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": partial(functional.relu, inplace=True),
    "relu6": partial(functional.relu6, inplace=True),
    "silu": partial(functional.silu, inplace=True),
    "gelu": functional.gelu,
}
STEEPEST = 1.13
"""GELU's slope; no other activation here is steeper."""


class Layer:
    """One layer and what follows its sum, with its operands: Gaussian numbers, the same in every run."""

    def __init__(self, description: dict[str, Any]) -> None:
        generator = np.random.default_rng(0)
        self.name: str = description["name"]
        self.group: str = description["group"]
        self.op: str = description["op"]
        self.params: dict[str, Any] = description["params"]
        self.input = generator.standard_normal(description["input"], np.float32)
        weight = description["weight"]
        self.weight = None if weight is None else generator.standard_normal(weight, np.float32)
        self.rank = self.input.ndim - 2
        self.kind = self.op.removesuffix(f"{self.rank}d")
        self.groups: int = self.params.get("groups", 1)
        self.activation: str | None = description.get("activation")
        self.residual = None
        if description.get("residual"):
            shape = self.torch_sums(*map(torch.from_numpy, self.operands)).shape
            self.residual = generator.standard_normal(shape, np.float32)

    @property
    def alone(self) -> bool:
        """Whether nothing follows the sum."""
        return self.residual is None and self.activation is None

    @property
    def operands(self) -> list[np.ndarray]:
        return [self.input] if self.weight is None else [self.input, self.weight]

    @property
    def kernel(self) -> tuple[int, ...]:
        """Taps an axis; the window of an adaptive pool, of which only the global one is timed, is the whole plane."""
        if self.weight is not None:
            return self.weight.shape[2:]
        if self.kind == "adaptive_avg_pool":
            return self.input.shape[2:]
        return self.sizes("kernel_size", 1)

    @property
    def stride(self) -> tuple[int, ...]:
        return self.sizes("stride", 1) if self.weight is not None else self.sizes("stride", self.kernel)

    def sizes(self, name: str, default: int | tuple[int, ...]) -> tuple[int, ...]:
        """A parameter with one number an axis, as the formats of the peers want it."""
        value = self.params.get(name, default)
        return (value,) * self.rank if isinstance(value, int) else tuple(value)

    def torch_sums(self, *operands: torch.Tensor) -> torch.Tensor:
        return getattr(functional, self.op)(*operands, **self.params)

    def torch_result(self, residual: torch.Tensor | None, *operands: torch.Tensor) -> torch.Tensor:
        result = self.torch_sums(*operands)
        if residual is not None:
            result += residual
        return result if self.activation is None else ACTIVATIONS[self.activation](result)

    def reference(self) -> tuple[np.ndarray, np.ndarray]:
        """Result in float64, and how far from it a float32 result may be: 3 gamma_(K+1) (sum |x| |w| + |residual|).

        The factor of three is for Winograd, which some engines take: it multiplies the error of a direct sum. An
        activation is as steep as 1.13, and errs itself by a few roundings of what it is given.
        """
        operands = [torch.from_numpy(array).double() for array in self.operands]
        residual = None if self.residual is None else torch.from_numpy(self.residual).double()
        result = self.torch_result(residual, *operands).numpy()
        magnitude = self.torch_sums(*(operand.abs() for operand in operands)).numpy()
        magnitude = magnitude if self.residual is None else magnitude + np.abs(self.residual)
        gamma = (self.taps + 1) * UNIT_ROUNDOFF / (1 - (self.taps + 1) * UNIT_ROUNDOFF)
        return result, 3 * gamma * magnitude * (1 if self.activation is None else STEEPEST)

    @property
    def taps(self) -> int:
        """At most this many products or elements make one output."""
        window = int(np.prod(self.kernel))
        return window if self.weight is None else window * self.input.shape[1] // self.groups


def read_layers(path: Path, only: str) -> Iterator[Layer]:
    """Layers of a file whose name or group holds the text."""
    for description in json.loads(path.read_text()):
        if only in description["name"] or only in description["group"]:
            yield Layer(description)
