"""The functions as operators of torch's own registry, `torch.ops.convrs`: for torch.compile, torch.export and vmap.

Their arguments are those of the functions, sizes a list of one number an axis. Pools of maxima return values and
indices; the samples of fractional ones are given, as an operator of the registry draws nothing. On the CPU the kernels
compute, elsewhere torch; the gradients are those of the functions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .. import functional
from ..backends.autograd import MAXIMA, gradients
from ..backends.torch import in_torch

POOL = "SymInt[{n}] kernel_size, SymInt[{n}] stride=[], SymInt[{n}] padding=0"

BLOCKS = "SymInt[{n}] kernel_size, SymInt[{n}] dilation=1, SymInt[{n}] padding=0, SymInt[{n}] stride=1"

FAMILIES = {
    "conv": "Tensor input, Tensor weight, Tensor? bias=None, SymInt[{n}] stride=1, SymInt[{n}] padding=0, "
    "SymInt[{n}] dilation=1, SymInt groups=1",
    "conv_transpose": "Tensor input, Tensor weight, Tensor? bias=None, SymInt[{n}] stride=1, SymInt[{n}] padding=0, "
    "SymInt[{n}] output_padding=0, SymInt groups=1, SymInt[{n}] dilation=1",
    "max_pool": f"Tensor input, {POOL}, SymInt[{{n}}] dilation=1, bool ceil_mode=False",
    "min_pool": f"Tensor input, {POOL}, SymInt[{{n}}] dilation=1, bool ceil_mode=False",
    "avg_pool": f"Tensor input, {POOL}, bool ceil_mode=False, bool count_include_pad=True",
    "lp_pool": "Tensor input, float norm_type, SymInt[{n}] kernel_size, SymInt[{n}] stride=[], bool ceil_mode=False",
    "adaptive_avg_pool": "Tensor input, SymInt[{n}] output_size",
    "adaptive_max_pool": "Tensor input, SymInt[{n}] output_size",
    "fractional_max_pool": "Tensor input, SymInt[{n}] kernel_size, SymInt[{n}] output_size, Tensor _random_samples",
    "max_unpool": f"Tensor input, Tensor indices, {POOL}, SymInt[]? output_size=None",
    "unfold": f"Tensor input, {BLOCKS}",
    "fold": f"Tensor input, SymInt[{{n}}] output_size, {BLOCKS}",
}
"""The arguments of each."""

RANKS = {"fractional_max_pool": (2, 3), "unfold": (2,), "fold": (2,)}
"""Spatial axes, where a family has not all three."""

TENSORS = ("input", "weight", "bias", "indices", "_random_samples")


class _Operator:
    """One function in the registry."""

    def __init__(self, family: str, spatial: int) -> None:
        self.name, self.spatial = family if "fold" in family else f"{family}{spatial}d", spatial
        self.function = getattr(functional, self.name)
        self.indexed = family.removesuffix("_pool") in MAXIMA
        returns = "(Tensor, Tensor)" if self.indexed else "Tensor"
        schema = f"({FAMILIES[family].format(n=spatial)}) -> {returns}"
        operator = torch.library.custom_op(f"convrs::{self.name}", self.compute, mutates_args=(), schema=schema)
        operator.register_fake(self.imagine)
        operator.register_autograd(self.backward, setup_context=self.remember)
        arguments = torch._C.parse_schema(f"convrs::{self.name}{schema}").arguments
        self.names = [argument.name for argument in arguments]
        self.defaults = {argument.name: argument.default_value for argument in arguments}

    def compute(self, *args: Any, **kwargs: Any) -> Any:
        tensors, parameters = self.split(args, kwargs)
        return self.function(**tensors, **parameters)

    def imagine(self, *args: Any, **kwargs: Any) -> Any:
        tensors, parameters = self.split(args, kwargs)
        result = self.in_torch({**tensors, "out": None}, parameters)
        # Whatever torch's memory format: the kernels write contiguously.
        if isinstance(result, tuple):
            return tuple(each.new_empty(each.shape) for each in result)
        return result.new_empty(result.shape)

    def remember(self, ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        tensors, ctx.parameters = self.split(inputs, {})
        ctx.names = tuple(tensors)
        ctx.save_for_backward(*tensors.values(), *((output[1],) if self.indexed else ()))
        if self.indexed:
            ctx.mark_non_differentiable(output[1])

    def backward(self, ctx: Any, gradient: Tensor, *_: Any) -> tuple[Any, ...]:
        tensors = dict(zip(ctx.names, ctx.saved_tensors, strict=False))
        needed = dict(zip(self.names, ctx.needs_input_grad, strict=False))
        wanted = {name: needed[name] for name in ctx.names}
        indices = ctx.saved_tensors[-1] if self.indexed else None
        found = gradients(self.name, tensors, ctx.parameters, indices, gradient, wanted, self.in_torch)
        return tuple(found.get(name) for name in self.names)

    def in_torch(self, *call: Any) -> Any:
        return in_torch(self.function, *call)

    def split(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Tensors and parameters as the function takes them."""
        given = {**self.defaults, **dict(zip(self.names, args, strict=False)), **kwargs}
        tensors: dict[str, Any] = {name: given.pop(name) for name in TENSORS if name in given}
        if self.spatial == 1:
            # Torch's lp_pool1d knows no list, its max_unpool1d no number for a size.
            lists = [name for name, value in given.items() if isinstance(value, list) and value]
            given |= {name: given[name][0] for name in lists if name != "output_size"}
        if self.indexed:
            given["return_indices"] = True
        if given.get("stride") == []:
            given["stride"] = None
        if "weight" in tensors:
            given |= {} if "transpose" in self.name else {"padding_mode": "zeros", "algorithm": "direct"}
        return tensors, given


OPERATORS = {
    operator.name: operator
    for operator in (_Operator(family, spatial) for family in FAMILIES for spatial in RANKS.get(family, (1, 2, 3)))
}
