"""Gradients of functions that the kernels compute: the forward is ours, the backward torch's.

Of a convolution it is `aten::convolution_backward`, where torch knows the padding. The gradient of a maximum goes where
its index points: torch's own operators write beside the plane where a window has no elements. Every other function is
computed once more, by torch, and that is differentiated, so that torch's derivatives at borders and NaN are ours. All
of it is made of torch's differentiable operators, and second derivatives are right as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from .cpu import Function, Planned

Compute: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
"""Runs one function on its arrays and parameters."""

MAXIMA = ("max", "min", "adaptive_max", "fractional_max")
"""Pools whose results are elements of the input."""

WIDE = {torch.float16: torch.float32, torch.bfloat16: torch.float32}
"""In which dtype a backward is computed: torch lacks several of them in 16 bits."""


def asked(arrays: Mapping[str, Any]) -> bool:
    """Whether a call must be differentiable."""
    # A loop: a generator alone takes a tenth of what a whole call may.
    for tensor in arrays.values():
        if tensor is not None and tensor.requires_grad:
            return torch.is_grad_enabled()
    return False


def without_gradient() -> RuntimeError:
    """The refusal of a planned layer."""
    return RuntimeError(
        "a planned layer computes no gradient, and one is asked for; call it under torch.no_grad(), or pass "
        "input.detach()"
    )


def call(
    function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any], ours: Compute, torchs: Compute
) -> Any:
    """A differentiable call.

    Args:
        function: a function of `convrs.functional`.
        arrays: its tensors by name, None for those not given.
        parameters: the rest.
        ours: computes it by the kernels.
        torchs: computes it by differentiable functions of torch, on the same arrays.
    """
    if isinstance(function, Planned):
        raise without_gradient()
    if arrays["out"] is not None:
        raise RuntimeError(
            "out is given and a gradient is asked for: what autograd has seen cannot be overwritten; leave it out, or "
            "call it under torch.no_grad()"
        )
    rule = parameters.get("rule", "torch")
    if rule != "torch":
        raise RuntimeError(
            f'rule is "{rule}" and a gradient is asked for, which is computed by the rule "torch" alone; call it under '
            f"torch.no_grad(), or pass input.detach()"
        )
    name = function.__name__
    names = tuple(key for key in arrays if key != "out")
    with_indices = {**parameters, "return_indices": True} if name.split("_pool")[0] in MAXIMA else parameters
    result = _Differentiable.apply(name, names, with_indices, ours, torchs, *(arrays[key] for key in names))
    return result[0] if with_indices is not parameters and not parameters["return_indices"] else result


class _Differentiable(torch.autograd.Function):
    @staticmethod
    def forward(
        name: str, names: Sequence[str], parameters: Mapping[str, Any], ours: Compute, torchs: Compute, *tensors: Any
    ) -> Any:
        return ours({**dict(zip(names, tensors, strict=True)), "out": None}, parameters)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.name, ctx.names, ctx.parameters, _, ctx.torchs, *tensors = inputs
        indices = output[1:] if isinstance(output, tuple) else ()
        ctx.save_for_backward(*tensors, *indices)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Any, ...]:
        tensors = dict(zip(ctx.names, ctx.saved_tensors, strict=False))
        wanted = dict(zip(ctx.names, ctx.needs_input_grad[5:], strict=True))
        indices = ctx.saved_tensors[-1] if "return_indices" in ctx.parameters else None
        found = gradients(ctx.name, tensors, ctx.parameters, indices, gradient, wanted, ctx.torchs)
        return (None,) * 5 + tuple(found.get(key) for key in ctx.names)


def gradients(
    name: str,
    tensors: dict[str, Any],
    parameters: Mapping[str, Any],
    indices: Tensor | None,
    gradient: Tensor,
    wanted: dict[str, bool],
    torchs: Compute,
) -> dict[str, Tensor | None]:
    """The gradients of the tensors that want one; `indices` are those of a pool of maxima."""
    if name.startswith("conv") and _torch_knows_the_padding(parameters):
        return _of_a_convolution(name, tensors, parameters, gradient, wanted)
    if indices is not None:
        return {"input": _of_maxima(int(name[-2]), tensors["input"], indices, gradient)}
    return _once_more(tensors, parameters, gradient, wanted, torchs)


def _torch_knows_the_padding(parameters: Mapping[str, Any]) -> bool:
    padding = parameters["padding"]
    sides = padding if isinstance(padding, list | tuple) else [padding]
    return parameters.get("padding_mode", "zeros") == "zeros" and all(isinstance(side, int) for side in sides)


def _of_a_convolution(
    name: str, tensors: dict[str, Any], parameters: Mapping[str, Any], gradient: Tensor, wanted: dict[str, bool]
) -> dict[str, Tensor | None]:
    input, weight, bias = (tensors[key] for key in ("input", "weight", "bias"))
    spatial = weight.dim() - 2
    batched = input.dim() == spatial + 2

    def each(key: str) -> list[int]:
        value = parameters.get(key, 0)
        numbers = list(value) if isinstance(value, list | tuple) else [value]
        return numbers * spatial if len(numbers) == 1 else numbers

    of_input, of_weight, of_bias = torch.ops.aten.convolution_backward(
        gradient if batched else gradient[None],
        input if batched else input[None],
        weight,
        None if bias is None else list(bias.shape),
        each("stride"),
        each("padding"),
        each("dilation"),
        "transpose" in name,
        each("output_padding"),
        parameters["groups"],
        [wanted["input"], wanted["weight"], wanted["bias"]],
    )
    if of_input is not None and not batched:
        of_input = of_input[0]
    return {"input": of_input, "weight": of_weight, "bias": of_bias}


def _of_maxima(spatial: int, input: Tensor, indices: Tensor, gradient: Tensor) -> Tensor:
    plane = input.shape[-spatial:].numel()
    places, values = indices.flatten(-spatial), _wide(gradient).flatten(-spatial)
    # The index of a window without elements lies outside.
    inside = (places >= 0) & (places < plane)
    zeros = values.new_zeros(*input.shape[:-spatial], plane)
    sums = zeros.scatter_add(-1, places.where(inside, 0), values.where(inside, 0))
    of_input: Tensor = sums.view(input.shape).to(input.dtype)
    return of_input


def _once_more(
    tensors: dict[str, Any], parameters: Mapping[str, Any], gradient: Tensor, wanted: dict[str, bool], torchs: Compute
) -> dict[str, Tensor | None]:
    keys = [key for key, needed in wanted.items() if needed]
    if not gradient.numel():
        return {key: torch.zeros_like(tensors[key]) for key in keys}
    with torch.enable_grad():
        # Aliases: the derivative with respect to them alone, and through them to what they were made of.
        alias = {key: tensors[key].view_as(tensors[key]) for key in keys}
        wide = {key: _wide(tensor) for key, tensor in {**tensors, **alias}.items()}
        values = torchs({**wide, "out": None}, parameters)
    again = torch.is_grad_enabled()
    found = torch.autograd.grad(values, [alias[key] for key in keys], _wide(gradient), create_graph=again)
    return dict(zip(keys, found, strict=True))


def _wide(tensor: Any) -> Any:
    return tensor if tensor is None else tensor.to(WIDE.get(tensor.dtype, tensor.dtype))
