"""`torch.ops.convrs`: the functions in torch's registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import convrs
from convrs.torch.operators import FAMILIES, OPERATORS

PARAMETERS: dict[str, tuple[Any, ...]] = {
    "max_pool": ([3], [2], [1]),
    "min_pool": ([2], [], [0], [2]),
    "avg_pool": ([3], [2], [1], True, False),
    "lp_pool": (2.0, [2]),
    "adaptive_avg_pool": ([3],),
    "adaptive_max_pool": ([3],),
}
"""With one number for every axis."""

# Torch's own: its tracer looks at .grad, and maps our operators over a batch one by one.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning"),
    pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning"),
]

CASES = [(family, spatial) for family in FAMILIES for spatial in (1, 2, 3)]


def arguments(family: str, spatial: int) -> tuple[Any, ...]:
    torch.manual_seed(0)
    image = torch.rand(2, 4, *[7, 6, 8][:spatial]).add_(0.1).requires_grad_()
    if not family.startswith("conv"):
        return (image, *(value * spatial if isinstance(value, list) else value for value in PARAMETERS[family]))
    weight = torch.randn(4, 2 if family == "conv" else 4, *[3] * spatial, requires_grad=True)
    bias = torch.randn(4, requires_grad=True)
    two, one = [2] * spatial, [1] * spatial
    return (image, weight, bias, two, one, one, 2) if family == "conv" else (image, weight, bias, two, one, one)


def of(family: str, spatial: int) -> Callable[..., Any]:
    return getattr(torch.ops.convrs, f"{family}{spatial}d")


@pytest.mark.parametrize(("family", "spatial"), CASES)
def test_an_operator_is_the_function_and_passes_torchs_check(family: str, spatial: int) -> None:
    given = arguments(family, spatial)
    operator, function = of(family, spatial), getattr(convrs, f"{family}{spatial}d")
    with torch.no_grad():
        named = {"return_indices": True} if OPERATORS[f"{family}{spatial}d"].indexed else {}
        plain = [None if parameter == [] else parameter for parameter in given]
        ours, right = operator(*given), function(*plain, **named)
    for one, other in zip(*(each if isinstance(each, tuple) else (each,) for each in (ours, right)), strict=True):
        assert torch.equal(one, other)
    torch.library.opcheck(operator.default, given)


@pytest.mark.parametrize(("family", "spatial"), CASES)
def test_gradients(family: str, spatial: int) -> None:
    given = [
        value.detach().double().requires_grad_() if isinstance(value, torch.Tensor) else value
        for value in arguments(family, spatial)
    ]
    if not family.startswith("conv"):
        given[0] = given[0].detach()[:1, :1].requires_grad_()
    else:
        given[0] = given[0].detach()[:1, :, :4].requires_grad_()

    def function(*values: Any) -> Any:
        result = of(family, spatial)(*values)
        return result[0] if isinstance(result, tuple) else result

    assert torch.autograd.gradcheck(function, given, fast_mode=True)


def program(image: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    result = torch.ops.convrs.conv2d(image, weight, None, [1, 1], [1, 1]).relu()
    return torch.ops.convrs.max_pool2d(result, [2, 2])[0] * 2


IMAGE, WEIGHT = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3)


def test_compile_export_and_vmap() -> None:
    right = program(IMAGE, WEIGHT)
    compiled = torch.compile(program, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(IMAGE, WEIGHT), right)
    weights = [WEIGHT.clone().requires_grad_() for _ in range(2)]
    compiled(IMAGE, weights[0]).sum().backward()
    program(IMAGE, weights[1]).sum().backward()
    assert torch.allclose(weights[0].grad, weights[1].grad)

    class Program(torch.nn.Module):
        def forward(self, image: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            return program(image, weight)

    exported = torch.export.export(Program(), (IMAGE, WEIGHT))
    assert "convrs.conv2d" in str(exported.graph)
    assert torch.equal(exported.module()(IMAGE, WEIGHT), right)
    mapped = torch.func.vmap(lambda image: torch.ops.convrs.conv2d(image, WEIGHT))(IMAGE)
    assert torch.equal(mapped, convrs.conv2d(IMAGE, WEIGHT))


def test_another_memory_format_and_device() -> None:
    image = IMAGE.to(memory_format=torch.channels_last)
    torch.library.opcheck(torch.ops.convrs.conv2d.default, (image, WEIGHT))
    assert torch.ops.convrs.avg_pool2d(IMAGE.to("meta"), [2, 2]).shape == (2, 3, 4, 4)
