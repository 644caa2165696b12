"""`convrs.torch.accelerate`: what a model keeps, what is noticed at every call, what is left to torch."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

import convrs.torch
from convrs.torch import accelerate, report, restore
from convrs.torch.part import Part
from convrs.torch.running import Convolution, running_on
from torch_models import folded_layers, planned_calls, seeded, trained


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


# --- the model stays what it was ---


def block() -> nn.Sequential:
    return seeded(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))


IMAGE = torch.randn(2, 3, 10, 10)


def close(ours: Tensor, theirs: Tensor) -> bool:
    return torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def agrees(fast: nn.Module, model: nn.Module, input: Tensor = IMAGE) -> bool:
    with torch.no_grad():
        return close(fast(input), model(input))


def test_the_original_is_untouched_and_comes_back() -> None:
    model = block()
    fast = accelerate(model)
    assert not any("forward" in module.__dict__ for module in model.modules())
    assert fast.state_dict().keys() == model.state_dict().keys()
    assert [type(module) for module in fast.modules()] == [type(module) for module in model.modules()]
    back = restore(fast)
    assert not any("forward" in module.__dict__ for module in back.modules())
    with torch.no_grad():
        assert torch.equal(back(IMAGE), model(IMAGE))
    assert isinstance(running_on(fast), Part)


def test_new_weights_are_planned_again() -> None:
    model, other = block(), block()
    for parameter in other.parameters():
        parameter.data.uniform_(0.5, 1)
    other[1].running_mean.fill_(0.75)
    fast = accelerate(model)
    assert agrees(fast, model)
    fast.load_state_dict(other.state_dict())
    assert agrees(fast, other)
    fast.load_state_dict(model.state_dict(), assign=True)
    assert agrees(fast, model)
    assert agrees(fast.double(), model.double(), IMAGE.double())


def saved_and_loaded(model: nn.Module) -> Any:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def test_copies_and_pickles(monkeypatch: pytest.MonkeyPatch) -> None:
    model = block()
    fast, calls = accelerate(model), planned_calls(monkeypatch)
    assert agrees(fast, model)
    for twin in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast)), accelerate(fast)):
        assert agrees(twin, model)
        assert folded_layers(twin) == 2
        assert running_on(twin[0]).module is twin[0]
        assert running_on(twin).module is twin
        with torch.no_grad():
            twin[0].weight.zero_()
        assert not agrees(twin, model)
        assert agrees(fast, model)
    assert calls == [2] * 10


class ByOperators(nn.Module):
    """What torch.export writes: functions of `torch.ops`, one of them under its bare name, one of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 4, 3), nn.ReLU()

    def forward(self, input: Tensor) -> Tensor:
        result = torch.ops.aten.silu(torch.ops.aten.add.Scalar(self.relu(self.conv(input)), 1))
        return torch.ops.convrs.avg_pool2d(
            F.max_pool2d(torch.conv2d(result, self.conv.weight[:, :1], groups=4), 2), [2]
        )


@pytest.mark.parametrize("way", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), saved_and_loaded])
def test_copies_of_a_forward_that_uses_operators(
    way: Callable[[nn.Module], nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained(ByOperators())
    twin, calls = way(accelerate(model)), planned_calls(monkeypatch)
    assert agrees(twin, model)
    assert calls == [1]


def test_a_model_accelerated_in_inference_mode() -> None:
    model = block()
    with torch.inference_mode():
        fast = accelerate(model)
        assert close(fast(IMAGE), model(IMAGE))
    assert agrees(fast, model)


def test_a_follower_with_a_forward_of_its_own_stays() -> None:
    model = block()
    model[2].forward = torch.neg
    fast = accelerate(model)
    assert folded_layers(fast) == 1
    assert agrees(fast, model)


def test_training_is_refused_and_later_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    model = block()
    fast, calls = accelerate(model), planned_calls(monkeypatch)
    with pytest.raises(ValueError, match=r"training mode.*model\.eval\(\)"):
        accelerate(model.train())
    fast.train()
    with torch.no_grad():
        assert torch.allclose(fast(IMAGE), model(IMAGE), atol=1e-5)
    assert torch.allclose(fast[1].running_mean, model[1].running_mean, atol=1e-6)
    assert calls == [0]
    assert agrees(fast.eval(), model.eval())
    assert calls == [0, 2]


def test_gradients_are_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    model = block()
    fast, calls = accelerate(model), planned_calls(monkeypatch)
    fast(IMAGE).sum().backward()
    model(IMAGE).sum().backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(fast.parameters(), model.parameters(), strict=True))
    image = IMAGE.clone().requires_grad_()
    fast.requires_grad_(False)
    assert fast(image).requires_grad
    assert not calls
    fast(IMAGE)
    assert calls == [2]


def kept_in(seen: list[Tensor]) -> Callable[..., None]:
    return lambda module, given, result: seen.append(result.clone())


def test_a_hook_sees_what_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    model = block()
    fast, calls = accelerate(model), planned_calls(monkeypatch)
    for watched in (0, 1, 2):
        seen: list[Tensor] = []
        handles = [part[watched].register_forward_hook(kept_in(seen)) for part in (fast, model)]
        assert agrees(fast, model)
        assert close(*seen)
        for handle in handles:
            handle.remove()
    assert calls == [0, 0, 0]
    assert agrees(fast, model)
    assert calls[-1] == 2
    handle = nn.modules.module.register_module_forward_hook(lambda *given: None)
    assert agrees(fast, model)
    handle.remove()
    assert calls[-1] == 0


def test_a_hook_that_changes_the_input_keeps_its_place() -> None:
    model = seeded(*block(), nn.Conv2d(8, 4, 3), nn.ReLU())
    model[0].register_forward_pre_hook(lambda module, given: (2 * given[0],))
    fast = accelerate(model)
    assert folded_layers(fast) == 1
    assert agrees(fast, model)


class Shared(nn.Module):
    """One activation at three places, a convolution at two, and a sum before the last activation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.norm1, self.norm2, self.relu = nn.BatchNorm2d(3), nn.BatchNorm2d(3), nn.ReLU(inplace=True)

    def forward(self, input: Tensor) -> Tensor:
        result = self.norm1(self.conv1(input))
        result = self.relu(self.norm1(self.conv1(result)))
        result = self.relu(self.norm2(self.conv2(result)))
        result -= input
        return self.relu(result)


def test_shared_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained(Shared())
    fast, calls = accelerate(model), planned_calls(monkeypatch)
    assert agrees(fast, model)
    assert calls == [1, 2, 2]


class Tapped(nn.Module):
    """Looks at a result between a convolution and its activation."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())

    def forward(self, input: Tensor) -> Tensor:
        taps = []
        for layer in self.features:
            input = layer(input)
            taps.append(input.clone().flatten(1))
        return torch.cat(taps, 1)


def test_what_is_looked_at_is_not_folded() -> None:
    model = trained(Tapped())
    fast = accelerate(model)
    assert folded_layers(fast) == 0
    assert agrees(fast, model)


class Branching(nn.Module):
    """A forward that cannot be traced, around parts that can; `between` stops within one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())
        self.between = False

    def forward(self, input: Tensor) -> Tensor:
        if input.sum() > 1e9 or self.between:
            return self.features[0](input)
        return self.features(input)


def test_a_forward_that_cannot_be_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained(Branching())
    fast, calls = accelerate(model), planned_calls(monkeypatch)
    assert agrees(fast, model)
    assert calls == [1, 1]
    # A part of a traced part, called by itself: nothing may be folded into it.
    fast.between = model.between = True
    assert agrees(fast, model)
    assert calls == [1, 1, 0]


class Switching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.activated = nn.Conv1d(2, 2, 3), nn.ReLU(), True

    def forward(self, input: Tensor) -> Tensor:
        result = self.conv(input)
        return self.relu(result) if self.activated else result


def test_another_way_than_the_traced_one_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained(Switching())
    fast, calls, signal = accelerate(model), planned_calls(monkeypatch), torch.randn(1, 2, 9)
    assert agrees(fast, model, signal)
    fast.activated = model.activated = False
    assert agrees(fast, model, signal)
    assert agrees(pickle.loads(pickle.dumps(fast)), model, signal)
    assert agrees(copy.deepcopy(fast), model, signal)
    fast.activated = model.activated = True
    assert agrees(fast, model, signal)
    fast.relu = model.relu = nn.Sigmoid()
    assert agrees(fast, model, signal)
    assert calls == [1, 0, 0, 0, 1, 0]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning")
def test_layouts_batches_and_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    model = block()
    fast, calls = accelerate(model), planned_calls(monkeypatch)
    assert agrees(fast, model, IMAGE.to(memory_format=torch.channels_last))
    assert agrees(fast, model, IMAGE[:, :, ::2, 1:])
    assert agrees(fast, model, IMAGE[:0])
    with torch.inference_mode():
        assert close(fast(IMAGE), model(IMAGE))
    assert calls == [2, 2, 2, 2]
    # Torch's from here on.
    single = trained(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()))
    assert agrees(accelerate(single), single, IMAGE[0])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert fast(IMAGE).dtype == torch.bfloat16
    with torch.no_grad():
        assert close(torch.func.vmap(lambda image: fast(image[None])[0])(IMAGE), model(IMAGE))
        with FlopCounterMode(display=False) as counter:
            fast(IMAGE)
        assert counter.get_total_flops() > 0
        with pytest.raises(RuntimeError):
            fast(IMAGE.double())
        with forward_ad.dual_level():
            assert forward_ad.unpack_dual(fast(forward_ad.make_dual(IMAGE, IMAGE))).tangent is not None
    assert calls == [2, 2, 2, 2]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bits_fold_an_activation_exactly(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    model = seeded(nn.Conv1d(3, 4, 3), nn.ReLU()).to(dtype)
    fast, calls = accelerate(model), planned_calls(monkeypatch)
    signal = torch.randn(2, 3, 20, dtype=dtype)
    with torch.no_grad():
        convolution, activation = model
        assert torch.equal(fast(signal), activation(convrs.conv1d(signal, convolution.weight, convolution.bias)))
    assert calls == [1]


class Residual(nn.Module):
    """A convolution with a normalisation, a sum and an activation behind it."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=groups)
        self.norm, self.relu = nn.BatchNorm2d(channels), nn.ReLU()

    def forward(self, input: Tensor) -> Tensor:
        return self.relu(self.norm(self.conv(input)) + input)


@pytest.mark.parametrize("scale", [1.0, 1e-4], ids=["", "products below float16's normal numbers"])
@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (40, 1), (16, 16)])
@pytest.mark.parametrize(("dtype", "roundoff"), [(torch.bfloat16, 2.0**-8), (torch.float16, 2.0**-11)], ids=str)
def test_16_bits_fold_a_normalisation_within_the_documented_bound(
    dtype: torch.dtype, roundoff: float, channels: int, groups: int, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained(Residual(channels, groups))
    model.norm.weight.data *= scale
    model = model.to(dtype)
    fast, calls = accelerate(model), planned_calls(monkeypatch)
    image = torch.randn(2, channels, 9, 9).to(dtype)
    with torch.no_grad():
        result = fast(image).double()
        # Of the same 16-bit numbers, in float64.
        conv, norm, x = copy.deepcopy(model).double().conv, copy.deepcopy(model).double().norm, image.double()
        exact = torch.relu(norm(conv(x)) + x)
        factor = norm.weight / (norm.running_var + norm.eps).sqrt()
        bias = (conv.bias - norm.running_mean) * factor + norm.bias
        products = F.conv2d(x.abs(), (conv.weight * factor.view(-1, 1, 1, 1)).abs(), bias.abs(), 1, 1, 1, groups)
        ones = torch.ones(channels, channels // groups, 3, 3, dtype=torch.float64)
        bound = roundoff * (products + exact) + 2.0**-25 * F.conv2d(x.abs(), ones, None, 1, 1, 1, groups)
        # Sums of at most 362 terms in float32, and the second rounding, of what the first one has moved.
        bound = bound * (1 + roundoff) + 2.0**-24 * 364 * (products + x.abs())
    assert calls == [3]
    assert ((result - exact).abs() <= bound).all()


@pytest.mark.parametrize(("dtype", "roundoff"), [(torch.bfloat16, 2.0**-8), (torch.float16, 2.0**-11)], ids=str)
def test_a_product_of_weights_is_rounded_once(dtype: torch.dtype, roundoff: float) -> None:
    channels = 256
    model = seeded(nn.Conv1d(channels, channels, 1, groups=channels, bias=False), nn.BatchNorm1d(channels)).to(dtype)
    model[1].running_mean.zero_(), model[1].bias.data.zero_()
    ones = torch.ones(1, channels, 1, dtype=dtype)
    with torch.no_grad():
        # Of one product with one the rounding of the result changes nothing.
        result, exact = accelerate(model)(ones).double(), copy.deepcopy(model).double()(ones.double())
    assert ((result - exact).abs() <= roundoff * (1 + 2.0**-10) * exact.abs()).all()


def test_a_product_too_large_for_float16_is_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    model = seeded(nn.Conv1d(2, 2, 3), nn.BatchNorm1d(2))
    model[0].weight.data.fill_(1000)
    model[1].weight.data.fill_(1000)
    model = model.half()
    fast, calls = accelerate(model), planned_calls(monkeypatch)
    signal = torch.randn(1, 2, 9).half() / 1000
    with torch.no_grad():
        assert torch.isfinite(model(signal)).all()
        torch.testing.assert_close(fast(signal), model(signal), rtol=2e-3, atol=1)
    assert calls == [0]


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:FutureWarning")
def test_compile_export_and_trace_see_torch() -> None:
    model = block()
    fast = accelerate(model)
    with torch.no_grad():
        compiled = torch.compile(fast, backend="eager", fullgraph=True)
        assert close(compiled(IMAGE), model(IMAGE))
        assert close(torch.export.export(fast, (IMAGE,)).module()(IMAGE), model(IMAGE))
        assert close(torch.jit.trace(fast, (IMAGE,))(IMAGE), model(IMAGE))
        assert fast.to("meta")(IMAGE.to("meta")).device.type == "meta"


# --- what is left to torch ---


class Own(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + 1


def patched() -> nn.Module:
    layer = nn.Conv2d(3, 4, 3)
    layer.forward = lambda input: input
    return layer


LEFT = {
    "subclass of Conv2d": lambda: Own(3, 4, 3),
    "forward of its own": patched,
    "other parameters": lambda: nn.utils.spectral_norm(nn.Conv2d(3, 4, 3)),
    "lives on meta": lambda: nn.Conv2d(3, 4, 3, device="meta"),
    "dtype torch.complex64": lambda: nn.Conv2d(3, 4, 3, dtype=torch.complex64),
}


@pytest.mark.parametrize("reason", LEFT)
def test_what_is_left_to_torch_and_why(reason: str) -> None:
    model = nn.Sequential(LEFT[reason](), nn.ReLU()).eval()
    fast = accelerate(model)
    assert not any(isinstance(running_on(module), Convolution) for module in fast.modules())
    (row, behind) = report(fast).rows
    assert row.by == behind.by == "torch"
    assert reason in row.why
    assert "not behind a convolution" in behind.why


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm2d(8, track_running_stats=False),
        nn.BatchNorm1d(8),
        nn.BatchNorm2d(4),
        nn.GELU("tanh"),
        nn.Softmax(1),
        nn.PReLU(4),
    ],
    ids=str,
)
def test_what_cannot_be_folded(layer: nn.Module) -> None:
    assert folded_layers(accelerate(nn.Sequential(nn.Conv2d(3, 8, 3), layer).eval())) == 0


def test_a_container_with_a_hook_between() -> None:
    model = seeded(nn.Sequential(nn.Conv2d(3, 8, 3)), nn.ReLU())
    seen: list[Tensor] = []
    model[0].register_forward_hook(kept_in(seen))
    fast = accelerate(model)
    assert agrees(fast, model)
    assert len(seen) == 2
    assert close(*seen)


def test_no_module_is_refused() -> None:
    for function in (accelerate, restore, report):
        with pytest.raises(TypeError, match=r"torch\.nn\.Module, got int"):
            function(3)


def test_the_package_is_found_by_its_name() -> None:
    assert convrs.torch.accelerate is accelerate
    assert convrs.torch.__name__ == "convrs.torch"
