"""`torch.ops.convrs`: the functions in torch's registry."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import convrs
from convrs.torch.operators import OPERATORS
from operators import OPERATORS as FUNCTIONS

PARAMETERS: dict[str, tuple[Any, ...]] = {
    "max_pool": ([3], [2], [1]),
    "min_pool": ([2], [], [0], [2]),
    "avg_pool": ([3], [2], [1], True, False),
    "lp_pool": (2.0, [2]),
    "adaptive_avg_pool": ([3],),
    "adaptive_max_pool": ([3],),
    "fractional_max_pool": ([2], [3]),
    "max_unpool": ([3], [2], [1], [14, 12, 16]),
    "unfold": ([3], [2], [1]),
    "fold": ([8], [3], [2], [1]),
}
"""With one number for every axis, or one for each of three."""

# Torch's own: its tracer looks at .grad, and maps our operators over a batch one by one.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning"),
    pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning"),
]


def arguments(name: str) -> list[Any]:
    torch.manual_seed(0)
    family, spatial = FUNCTIONS[name].family, FUNCTIONS[name].spatial
    image = torch.rand(2, 4, *[7, 6, 8][:spatial]).add_(0.1)
    if family.startswith("conv"):
        weight, bias = torch.randn(4, 2 if family == "conv" else 4, *[3] * spatial), torch.randn(4)
        two, one = [2] * spatial, [1] * spatial
        given = [image, weight, bias, two, one, one, *([2] if family == "conv" else [])]
    else:
        sizes = [(value * 3)[:spatial] if isinstance(value, list) else value for value in PARAMETERS[family]]
        given = [image if family != "fold" else torch.rand(2, 18, 36), *sizes]
    if family == "max_unpool":
        given.insert(1, torch.arange(image[0, 0].numel()).expand(8, -1).reshape(image.shape))
    return [value.requires_grad_() if is_float(value) else value for value in given] + (
        [torch.rand(2, 4, spatial)] if family == "fractional_max_pool" else []
    )


def is_float(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def test_every_function_is_an_operator() -> None:
    assert OPERATORS.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_operator_is_the_function_and_passes_torchs_check(name: str) -> None:
    given = arguments(name)
    operator, function = getattr(torch.ops.convrs, name), getattr(convrs, name)
    plain = [None if parameter == [] else parameter for parameter in given]
    named = {"return_indices": True} if OPERATORS[name].indexed else {}
    if "fractional" in name:
        named["_random_samples"] = plain.pop()
    with torch.no_grad():
        ours, right = operator(*given), function(*plain, **named)
    for one, other in zip(*(each if isinstance(each, tuple) else (each,) for each in (ours, right)), strict=True):
        assert torch.equal(one, other)
    torch.library.opcheck(operator.default, tuple(given))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients(name: str) -> None:
    given = [value.detach().double() if is_float(value) else value for value in arguments(name)]
    if name.startswith("conv"):
        given[0] = given[0][:1, :, :4]
    else:
        # One plane, of indices and samples too.
        channels = 9 if name == "fold" else 1
        given = [value[:1, :channels] if isinstance(value, torch.Tensor) else value for value in given]
    differentiated = 3 if name.startswith("conv") else 1
    given = [value.requires_grad_() if place < differentiated else value for place, value in enumerate(given)]

    def function(*values: Any) -> Any:
        result = getattr(torch.ops.convrs, name)(*values)
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


def upwards(image: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
    values, indices = torch.ops.convrs.fractional_max_pool2d(image, [2, 2], [4, 4], samples)
    planes = torch.ops.convrs.max_unpool2d(values * 2, indices, [2, 2], [2, 2], [0, 0], [8, 8])
    return torch.ops.convrs.fold(torch.ops.convrs.unfold(planes, [3, 3]), [8, 8], [3, 3])


def test_pools_and_their_inverses_compile_in_one_graph() -> None:
    samples = torch.rand(2, 3, 2)
    compiled = torch.compile(upwards, backend="aot_eager", fullgraph=True)
    images = [IMAGE.clone().requires_grad_() for _ in range(2)]
    for image, function in zip(images, (upwards, compiled), strict=True):
        function(image, samples).square().sum().backward()
    assert torch.equal(compiled(IMAGE, samples), upwards(IMAGE, samples))
    assert images[0].grad.any()
    assert torch.allclose(images[0].grad, images[1].grad)


def test_another_memory_format_and_device() -> None:
    image = IMAGE.to(memory_format=torch.channels_last)
    torch.library.opcheck(torch.ops.convrs.conv2d.default, (image, WEIGHT))
    assert torch.ops.convrs.avg_pool2d(IMAGE.to("meta"), [2, 2]).shape == (2, 3, 4, 4)
