"""`convrs.torch.accelerate`: where something is not what it was, or not what our layers take, torch's forward runs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from convrs.torch import accelerate, report
from torch_models import planned_calls, trained

Way = Callable[[Any, Tensor], Tensor]
Change = Callable[[Any], object]

IMAGE = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    """A residual block, and any way through it and what else it is given."""

    def __init__(self, way: Way, **more: Any) -> None:
        super().__init__()
        self.way = way
        self.conv, self.norm, self.relu = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        for name, value in more.items():
            setattr(self, name, value)

    def forward(self, input: Tensor) -> Tensor:
        return self.way(self, input)


def block(m: Any, x: Tensor) -> Tensor:
    return m.relu(m.norm(m.conv(x)) + x)


def model_of(way: Way = block, **more: Any) -> Block:
    torch.manual_seed(0)
    return trained(Block(way, **more))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return planned_calls(monkeypatch)


def agree(model: nn.Module, fast: nn.Module, input: Tensor = IMAGE) -> None:
    with torch.no_grad():
        torch.testing.assert_close(fast(input), model(input), rtol=1e-5, atol=1e-5)


# --- what is not what it was ---


class Twice(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight * 2


def parametrized(m: Any) -> None:
    parametrize.register_parametrization(m.conv, "weight", Twice())


def weight_normalized(m: Any) -> None:
    parametrizations.weight_norm(m.conv)
    with torch.no_grad():
        m.conv.parametrizations.weight.original0.mul_(2)


def of_another_class(m: Any) -> None:
    m.relu.__class__ = nn.Sigmoid


def without_statistics(m: Any) -> None:
    m.norm.running_mean = m.norm.running_var = None


@pytest.mark.parametrize("change", [parametrized, weight_normalized, of_another_class, without_statistics])
def test_a_changed_module(change: Change, calls: list[int]) -> None:
    model = model_of()
    fast = accelerate(model)
    agree(model, fast)
    change(model), change(fast)
    agree(model, fast)
    # The block was folded, and is no more.
    assert calls[0] == 3
    assert 3 not in calls[1:]
    report(fast, IMAGE)


def test_a_change_that_is_taken_back(calls: list[int]) -> None:
    model = model_of()
    fast = accelerate(model)
    for network in (model, fast):
        parametrized(network)
    agree(model, fast)
    for network in (model, fast):
        parametrize.remove_parametrizations(network.conv, "weight")
    agree(model, fast)
    assert calls == [3]


def plus_bias(m: Any, x: Tensor) -> Tensor:
    return block(m, x) if m.bias is None else block(m, x) + m.bias


def times_each(m: Any, x: Tensor) -> Tensor:
    result = block(m, x)
    for factor in m.factors.values():
        result = result * factor
    return result


def both_pointwise(m: Any, x: Tensor) -> Tensor:
    return F.conv2d(block(m, x), m.one.weight) + F.conv2d(x, m.other.weight)


def with_parameter(bias: nn.Parameter | None) -> nn.Module:
    model = model_of(plus_bias)
    model.register_parameter("bias", bias)
    return model


def with_buffer(bias: Tensor | None) -> nn.Module:
    model = model_of(plus_bias)
    model.register_buffer("bias", bias)
    return model


def with_factors() -> nn.Module:
    return model_of(times_each, factors=nn.ParameterDict({"one": torch.tensor(2.0)}))


def tied() -> nn.Module:
    model = model_of(both_pointwise, one=nn.Conv2d(4, 4, 1), other=nn.Conv2d(4, 4, 1))
    model.other.weight = model.one.weight
    return model


NAMES: dict[str, tuple[Callable[[], nn.Module], Change]] = {
    "a parameter appears": (
        lambda: with_parameter(None),
        lambda m: setattr(m, "bias", nn.Parameter(torch.ones(4, 1, 1))),
    ),
    "a buffer appears": (lambda: with_buffer(None), lambda m: setattr(m, "bias", torch.ones(4, 1, 1))),
    "a buffer goes": (lambda: with_buffer(torch.ones(4, 1, 1)), lambda m: setattr(m, "bias", None)),
    "a name more": (with_factors, lambda m: m.factors.update({"other": nn.Parameter(torch.tensor(3.0))})),
    "a tied weight is untied": (tied, lambda m: setattr(m.other, "weight", nn.Parameter(torch.ones(4, 4, 1, 1)))),
}


@pytest.mark.parametrize("name", NAMES)
def test_tensors_appear_go_and_part(name: str, calls: list[int]) -> None:
    make, change = NAMES[name]
    model = make()
    fast = accelerate(model)
    agree(model, fast)
    assert calls == [3]
    change(model), change(fast)
    agree(model, fast)


def test_a_convolution_alone_is_parametrized() -> None:
    model = nn.Conv2d(4, 4, 3).eval()
    fast = accelerate(model)
    agree(model, fast)
    for network in (model, fast):
        parametrize.register_parametrization(network, "weight", Twice())
    agree(model, fast)


# --- weights that do not say when they are written to ---


def copied(m: nn.Module) -> nn.Module:
    return copy.deepcopy(m)


def in_double(m: nn.Module) -> nn.Module:
    return m.double()


def assigned(m: nn.Module) -> nn.Module:
    m.requires_grad_(False).load_state_dict({k: v.clone() for k, v in m.state_dict().items()}, assign=True)
    return m


@pytest.mark.parametrize("change", [copied, in_double, assigned])
@pytest.mark.parametrize("make", [model_of, lambda: nn.Conv2d(4, 4, 3).eval()], ids=["block", "alone"])
def test_weights_made_in_inference_mode(change: Change, make: Callable[[], nn.Module]) -> None:
    model = make()
    fast = accelerate(model)
    agree(model, fast)
    with torch.inference_mode():
        model, fast = change(model), change(fast)
        for network in (model, fast):
            for parameter in network.parameters():
                parameter.mul_(2)
    for _ in range(2):
        agree(model, fast, IMAGE.to(next(model.parameters()).dtype))
        with torch.inference_mode():
            for network in (model, fast):
                next(network.parameters()).zero_()


def test_new_weights_where_the_old_ones_were() -> None:
    model = nn.Conv2d(4, 4, 3, bias=False).eval()
    fast = accelerate(model)
    for _ in range(50):
        agree(model, fast)
        for network in (model, fast):
            # The second step may be given the memory that the first one freed.
            network.weight.data = network.weight.data.double()
            network.weight.data = (network.weight.data * -1).float()


# --- what our layers do not take ---


def for_gradients(way: Way) -> nn.Module:
    """With no parameter that asks for one."""
    model = model_of(way, plain=torch.ones(4, 9, 9, requires_grad=True)).requires_grad_(False)
    model.register_buffer("buffer", torch.ones(4, 1, 1, requires_grad=True))
    return model


GRADIENTS: dict[str, Way] = {
    "of a residual": lambda m, x: m.relu(m.norm(m.conv(x)) + m.plain.expand(2, -1, -1, -1)),
    "of a factor": lambda m, x: block(m, x * m.plain),
    "of a buffer": lambda m, x: block(m, x * m.buffer),
    "asked for in the forward": lambda m, x: block(m, x.detach().requires_grad_()),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_that_no_argument_asks_for(name: str, calls: list[int]) -> None:
    model = for_gradients(GRADIENTS[name])
    fast = accelerate(model)
    ours, theirs = fast(IMAGE), model(IMAGE)
    assert ours.requires_grad
    torch.testing.assert_close(ours, theirs)
    if "forward" not in name:
        ours.sum().backward(), theirs.sum().backward()
        torch.testing.assert_close([fast.plain.grad, fast.buffer.grad], [model.plain.grad, model.buffer.grad])
    assert not any(calls)
    agree(model, fast)


REFUSED: dict[str, tuple[nn.Module, tuple[Tensor, ...]]] = {
    "a window larger than the input": (nn.MaxPool2d(2), (torch.ones(1, 4, 1, 1),)),
    "too few axes": (nn.AvgPool2d(2), (torch.ones(9, 9),)),
    "nothing in an axis": (nn.MaxPool2d(2), (torch.ones(2, 4, 0, 9),)),
    "an index beyond the plane": (nn.MaxUnpool2d(2), (torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 99))),
    "indices of 32 bits": (nn.MaxUnpool2d(2), (torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.int32))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_pool_raises_what_torchs_raises(name: str) -> None:
    model, inputs = REFUSED[name]
    with pytest.raises((RuntimeError, IndexError)) as theirs:
        model.eval()(*inputs)
    with pytest.raises(theirs.type) as ours:
        accelerate(model)(*inputs)
    assert str(ours.value) == str(theirs.value)


def test_a_tensor_that_is_no_memory() -> None:
    zeros = torch._efficientzerotensor((2, 4, 9, 9))
    for model in (nn.Conv2d(4, 4, 3).eval(), nn.MaxPool2d(2).eval(), model_of()):
        agree(model, accelerate(model), zeros)


# --- tracing ---


def on_a_copy(m: Any, x: Tensor) -> Tensor:
    copied = copy.deepcopy(x)
    copied += 1
    return block(m, x) + copied


def test_a_forward_that_copies_deeply() -> None:
    model = model_of(on_a_copy)
    agree(model, accelerate(model))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning")
def test_a_script_module_beside_what_is_folded(calls: list[int]) -> None:
    model = model_of(other=torch.jit.script(nn.Sequential(nn.Conv2d(4, 4, 1)).eval()))
    agree(model, accelerate(model))
    assert calls == [3]


def counting(m: Any, x: Tensor) -> Tensor:
    next(m.buffers()).add_(1)
    return block(m, x)


def scaling(m: Any, x: Tensor) -> Tensor:
    next(m.parameters()).mul_(2)
    return block(m, x)


@pytest.mark.parametrize("way", [counting, scaling])
def test_tracing_writes_nothing(way: Way) -> None:
    model = model_of(way)
    with torch.inference_mode():
        fast = accelerate(model)
    for ours, theirs in zip(fast.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    for _ in range(2):
        agree(model, fast)


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(4, 4, 3), nn.ReLU()

    def forward(self, x: Tensor, *, y: Tensor) -> Tensor:
        return self.relu(self.conv(x)) + y


class Placed(Named):
    def forward(self, x: Tensor, y: Tensor, /) -> Tensor:
        return super().forward(x, y=y)


def test_arguments_are_passed_as_they_have_to_be() -> None:
    one = torch.tensor(1.0)
    for model, right, wrong in (
        (Named().eval(), ((IMAGE,), {"y": one}), ((IMAGE, one), {})),
        (Placed().eval(), ((IMAGE, one), {}), ((), {"x": IMAGE, "y": one})),
    ):
        fast = accelerate(model)
        with torch.no_grad():
            torch.testing.assert_close(fast(*right[0], **right[1]), model(*right[0], **right[1]))
        with torch.no_grad(), pytest.raises(TypeError):
            fast(*wrong[0], **wrong[1])
