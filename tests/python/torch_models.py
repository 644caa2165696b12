"""Torch models that the tests of `convrs.torch` accelerate."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from convrs.torch.running import Follower, running_on


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
    return sum(isinstance(running_on(module), Follower) for module in model.modules())
