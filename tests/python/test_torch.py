"""`convrs.torch.accelerate`: a model in torch with our layers in it is the same model."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from convrs.torch import accelerate
from convrs.torch.running import Convolution, Pool, running_on
from torch_models import folded_layers, noted, seeded

ROUNDOFF = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


# --- whole networks ---


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benches")
    return importlib.import_module("networks")


SMALL: dict[str, tuple[Callable[[Any], nn.Module], tuple[int, ...], int]] = {
    "onet": (lambda networks: networks.Onet(8), (3, 3, 48, 48), 4),
    "mobilenetv2": (lambda networks: networks.mobilenet(8, 10), (1, 3, 64, 64), 87),
    "resnet50": (lambda networks: networks.resnet(8, (2, 2, 2, 2), 10), (1, 3, 64, 64), 38),
}
"""How each is built, its input, and how many modules go into the convolutions before them."""


@pytest.mark.parametrize("name", SMALL)
def test_a_network_errs_as_torch_does(networks: Any, name: str) -> None:
    build, shape, followers = SMALL[name]
    model, image = networks.prepared(build(networks)), torch.randn(shape)
    fast = accelerate(model)
    with torch.inference_mode():
        ours, theirs, exact = fast(image), model(image), copy.deepcopy(model).double()(image.double())
    assert (ours - exact).abs().max() <= 4 * (theirs - exact).abs().max()
    named = [isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AdaptiveAvgPool2d) for module in model.modules()]
    replaced = [isinstance(running_on(module), Convolution | Pool) for module in fast.modules()]
    assert replaced == named
    assert folded_layers(fast) == followers


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("algorithm", ["direct", "auto"])
def test_every_layer_of_a_network_keeps_the_rounding_bound(
    networks: Any, name: str, algorithm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sum within gamma(K + 3) sum |x| |w| of its own input: two roundings more, of weight and of bias."""
    build, shape, _ = SMALL[name]
    model = networks.prepared(build(networks))
    fast = accelerate(model, algorithm=algorithm)
    calls = noted(monkeypatch, lambda planned, *tensors: (planned.chain, *tensors))
    with torch.inference_mode():
        fast(torch.randn(shape))
        for call in calls:
            check_layer(*call, 1 if algorithm == "direct" else 3)
    assert len(calls) == sum(isinstance(module, nn.Conv2d) for module in model.modules())


def check_layer(chain: Any, input: Tensor, residual: Tensor | None, result: Tensor, factor: float) -> None:
    convolution, *followers = (copy.deepcopy(module).double() for module in chain.modules)
    convolution.__dict__.pop("forward", None)
    weights, exact = convolution.weight, convolution(input.double())
    # The magnitudes, through a normalisation and a sum as well.
    magnitude = nn.functional.conv2d(
        input.double().abs(), weights.abs(), None, convolution.stride, convolution.padding, groups=convolution.groups
    )
    shift = torch.zeros(1) if convolution.bias is None else convolution.bias.abs()
    if chain.normalization is not None:
        norm, *followers = followers
        scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).abs()
        magnitude, shift = magnitude * scale[:, None, None], (shift + norm.running_mean.abs()) * scale
        exact, shift = norm(exact), shift + norm.bias.abs()
    magnitude += shift[:, None, None]
    if residual is not None:
        exact, magnitude = exact + residual, magnitude + residual.abs()
    for activation in followers:
        exact = activation(exact)
    products = (weights[0].numel() + 3 + chain.sum) * ROUNDOFF[input.dtype]
    assert ((result - exact).abs() <= factor * products / (1 - products) * magnitude).all()


# --- single layers ---

CONVOLUTIONS = [
    nn.Conv1d(4, 6, 3, padding="same"),
    nn.Conv2d(4, 6, (3, 2), stride=2, padding=(1, 0), groups=2),
    nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular", dilation=2),
    nn.Conv2d(4, 6, 3, padding=(2, 1), padding_mode="reflect", bias=False),
    nn.Conv3d(4, 6, 2, padding=1, padding_mode="replicate"),
    nn.ConvTranspose1d(4, 6, 3, stride=2, output_padding=1, groups=2),
    nn.ConvTranspose2d(4, 6, 3, stride=(2, 1), padding=1, bias=False),
    nn.ConvTranspose3d(4, 6, 2, dilation=2, groups=2),
]
NORMALIZATIONS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
ACTIVATIONS = [
    *(nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(0.2), nn.PReLU(), nn.PReLU(6), nn.SiLU(), nn.Hardswish()),
    *(nn.Sigmoid(), nn.Tanh(), nn.GELU(), nn.Hardtanh(-0.5, 0.25)),
]


def rank(convolution: nn.Module) -> int:
    return len(convolution.kernel_size)


@pytest.mark.parametrize("convolution", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_convolution_with_its_followers(convolution: nn.Module, dtype: torch.dtype) -> None:
    spatial = rank(convolution)
    model = seeded(copy.deepcopy(convolution), NORMALIZATIONS[spatial](6), nn.LeakyReLU(0.3)).to(dtype)
    check_folded(model, torch.randn(2, 4, *[7] * spatial, dtype=dtype))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_an_activation_is_folded(activation: nn.Module) -> None:
    check_folded(seeded(nn.Conv2d(4, 6, 3), copy.deepcopy(activation)), torch.randn(2, 4, 9, 9))


def check_folded(model: nn.Module, input: Tensor) -> None:
    fast = accelerate(model)
    assert folded_layers(fast) == len(list(model.children())) - 1
    with torch.no_grad():
        ours, theirs = fast(input), model(input)
    assert ours.dtype == theirs.dtype
    roundoff = ROUNDOFF[input.dtype]
    assert torch.allclose(ours, theirs, rtol=64 * roundoff, atol=64 * roundoff)


POOLS = [
    *(nn.MaxPool1d(2), nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.MaxPool3d(2, return_indices=True)),
    *(nn.AvgPool1d(3, 1, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.AvgPool3d(2, divisor_override=3)),
    *(nn.LPPool1d(2, 2), nn.LPPool2d(3, 3, 2), nn.LPPool3d(2, 2)),
    *(nn.AdaptiveAvgPool1d(3), nn.AdaptiveAvgPool2d((None, 2)), nn.AdaptiveAvgPool3d(1)),
    *(nn.AdaptiveMaxPool1d(3), nn.AdaptiveMaxPool2d(2, return_indices=True), nn.AdaptiveMaxPool3d(2)),
    *(nn.FractionalMaxPool2d(2, output_size=3), nn.FractionalMaxPool3d(2, output_ratio=0.5)),
]


@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_a_pool(pool: nn.Module) -> None:
    fast = accelerate(pool.eval())
    assert isinstance(running_on(fast), Pool)
    image = torch.randn(2, 3, *[8] * int(type(pool).__name__[-2]))
    torch.manual_seed(5)
    ours = fast(image)
    torch.manual_seed(5)
    theirs = pool(image)
    for mine, right in zip(*(made if isinstance(made, tuple) else (made,) for made in (ours, theirs)), strict=True):
        assert torch.allclose(mine, right, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_an_unpool_takes_its_indices_and_size() -> None:
    pool, unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2).eval()
    image = torch.randn(1, 2, 7, 6)
    values, indices = pool(image)
    fast = accelerate(unpool)
    assert isinstance(running_on(fast), Pool)
    assert torch.equal(fast(values, indices // 2), unpool(values, indices // 2))
    assert torch.equal(fast(values, indices, image.shape), unpool(values, indices, output_size=image.shape))
