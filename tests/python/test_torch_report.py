"""`convrs.torch.report`: what hinders a traced part and how often; and `faster_on`, by the time of the whole model."""

from __future__ import annotations

import copy
import pickle
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from convrs.torch import accelerate, choosing, report
from convrs.torch.measuring import Times, computing_on
from convrs.torch.running import Planned
from torch_models import planned_calls, seeded, trained

IMAGE = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(0))

Change = Callable[[Any], object]


class Block(nn.Module):
    """A residual block."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        self.slope = 0.5

    def forward(self, input: Tensor) -> Tensor:
        return self.relu(self.norm(self.conv(input)) + input)


class Twice(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight * 2


def replaced(m: Any) -> None:
    m.relu = nn.Sigmoid()


def replaced_by_its_like(m: Any) -> None:
    m.relu = nn.ReLU()


def of_another_class(m: Any) -> None:
    m.relu.__class__ = nn.Sigmoid


def parametrized(m: Any) -> None:
    parametrize.register_parametrization(m.conv, "weight", Twice())


def without_statistics(m: Any) -> None:
    m.norm.running_mean = m.norm.running_var = None


CHANGES: list[tuple[Change, str]] = [
    (replaced, "relu was a ReLU, is a Sigmoid"),
    (replaced_by_its_like, "relu was a ReLU, is another one"),
    (of_another_class, "relu was ReLU, is Sigmoid"),
    (parametrized, "conv was Conv2d, is ParametrizedConv2d"),
    (without_statistics, "norm.running_mean was Tensor, is NoneType"),
    (lambda m: m.norm.train(), "norm.training was False, is True"),
    (lambda m: setattr(m, "slope", 0.25), "slope was 0.5, is 0.25"),
    (lambda m: setattr(m, "more", nn.ReLU()), "more appeared"),
    (lambda m: m.register_buffer("offset", torch.zeros(1)), "offset appeared"),
    (lambda m: delattr(m, "slope"), "slope went"),
    (lambda m: m.relu.register_forward_hook(lambda *given: None), "relu had a hook"),
]


@pytest.mark.parametrize(
    "copied", [lambda model: model, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))]
)
@pytest.mark.parametrize(("change", "reason"), CHANGES, ids=[reason for _, reason in CHANGES])
def test_a_part_that_has_changed_says_what_has(
    change: Change, reason: str, copied: Callable[[nn.Module], nn.Module]
) -> None:
    fast = copied(accelerate(trained(Block())))
    with torch.no_grad():
        fast(IMAGE)
        (part,) = report(fast).parts
        assert (part.name, part.calls, part.as_written) == ("", 1, {})
        change(fast)
        fast(IMAGE), fast(IMAGE)
    (part,) = report(fast).parts
    assert (part.calls, part.as_written) == (3, {reason: 2})


def test_reasons_do_not_pile_up() -> None:
    fast = accelerate(trained(Block()))
    with torch.no_grad():
        for call in range(50):
            fast.slope = float(call)
            fast(IMAGE)
    as_written = report(fast).parts[0].as_written
    assert len(as_written) == 17
    assert as_written["another reason"] == 34
    assert sum(as_written.values()) == 50


def with_a_mode(fast: nn.Module) -> None:
    from convrs.torch import intercept

    with torch.no_grad(), intercept():
        fast(IMAGE)


def with_a_global_hook(fast: nn.Module) -> None:
    handle = nn.modules.module.register_module_forward_hook(lambda *given: None)
    with torch.no_grad():
        fast(IMAGE)
    handle.remove()


def under_autocast(fast: nn.Module) -> None:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        fast(IMAGE)


def of_whole_numbers(fast: nn.Module) -> None:
    with pytest.raises(RuntimeError):
        fast(IMAGE.long())


CALLS: list[tuple[Callable[[nn.Module], object], str]] = [
    (lambda fast: fast(IMAGE), "gradients were on, as they are outside torch.inference_mode()"),
    (lambda fast: fast(nn.Parameter(IMAGE)), "an input was a Parameter"),
    (lambda fast: fast.to("meta")(IMAGE.to("meta")), "an input lived on meta"),
    (of_whole_numbers, "an input had dtype torch.int64 and layout torch.strided"),
    (with_a_mode, "a mode watched torch's functions"),
    (with_a_global_hook, "a hook stood on all modules"),
    (under_autocast, "torch cast, traced, mapped, watched or derived the call"),
]


@pytest.mark.parametrize(("call", "reason"), CALLS, ids=[reason for _, reason in CALLS])
def test_a_call_that_a_graph_does_not_take(call: Callable[[nn.Module], object], reason: str) -> None:
    fast = accelerate(seeded(Block()))
    call(fast)
    (part,) = report(fast).parts
    assert (part.calls, part.as_written) == (1, {reason: 1})
    assert str(report(fast)).endswith(f"\n(the model) ran as it is written in 1 of 1 calls: {reason} (1x)")


class Branching(nn.Module):
    """A forward that cannot be traced, around one that can."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Block()

    def forward(self, input: Tensor) -> Tensor:
        return self.block(input) if input.sum() < 1e9 else input


def test_a_part_within_the_model_is_named() -> None:
    fast = accelerate(trained(Branching()))
    fast(IMAGE)
    assert [part.name for part in report(fast).parts] == ["block"]
    assert "\nblock ran as it is written in 1 of 1 calls: gradients were on" in str(report(fast))


def test_a_model_without_parts_has_none() -> None:
    assert report(accelerate(nn.Conv2d(4, 4, 3).eval())).parts == ()


def test_the_report_measures_and_counts_no_calls_of_its_own() -> None:
    fast = accelerate(seeded(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)))
    for _ in range(2):
        table = report(fast, IMAGE)
        assert table.parts[0].calls == 0
        assert not table.parts[0].as_written
    assert [row.name for row in table.rows] == ["0", "1", "2", "3"]
    assert table.rows[0].why == "with 1, 2 folded in"
    assert all(row.microseconds > 0 and row.torch_microseconds > 0 for row in (table.rows[0], table.rows[3]))
    assert table.rows[1].microseconds is None
    assert " ".join(str(table).splitlines()[0].split()) == "module kind computed by us torch us ratio why"


# --- layers that cannot be planned, or do not take what they are given ---


def of_several_dtypes() -> nn.Module:
    model = seeded(nn.Conv2d(4, 4, 3), nn.PReLU())
    model[1].double()
    return model


def kinds_of_rows(model: nn.Module) -> list[tuple[str, str]]:
    return [(row.by, row.why) for row in report(model).rows]


def test_a_layer_that_cannot_be_planned() -> None:
    (conv, relu) = kinds_of_rows(accelerate(seeded(nn.Conv2d(4, 4, 5), nn.ReLU()), algorithm="winograd"))
    assert conv[0] == "torch"
    assert "winograd needs a kernel of 3 x 3" in conv[1]
    assert relu == ("torch", "nothing is folded there")


def test_a_layer_that_can_be_planned_alone() -> None:
    (conv, relu) = kinds_of_rows(accelerate(of_several_dtypes()))
    assert conv == ("convrs", "its tensors have several dtypes, or live elsewhere than on the CPU")
    assert relu == ("torch", "nothing is folded there")


def test_calls_that_a_layer_does_not_take() -> None:
    fast = accelerate(network(1))
    with torch.no_grad():
        fast(IMAGE), fast(IMAGE[0]), fast(IMAGE[0])
    assert kinds_of_rows(fast)[0] == ("convrs", "with 1 folded in; left to torch 2x: its input was no tensor of 4 axes")


def test_an_algorithm_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="algorithm is 'fast': it must be one of auto, direct, winograd, fft"):
        accelerate(network(1), algorithm="fast")


# --- faster_on ---


def network(layers: int = 6) -> nn.Sequential:
    torch.manual_seed(0)
    return seeded(*(layer for _ in range(layers) for layer in (nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())))


def chosen(
    monkeypatch: pytest.MonkeyPatch, promised: str, milliseconds: Callable[[str], float]
) -> tuple[str, nn.Module]:
    """What `faster_on` chooses for a network: a letter for each layer, c by convrs and t by torch.

    Args:
        promised: t where torch is said to compute the layer faster alone.
        milliseconds: how long the model takes by such a choice.
    """

    def letters(model: nn.Module) -> str:
        runs = [running for module in model.modules() if (running := computing_on(module)) is not None]
        return "".join("t" if running.slower else "c" for running in runs)

    def alone(model: nn.Module, example: Any) -> dict[nn.Module, Times]:
        convolutions = [module for module in model.modules() if computing_on(module) is not None]
        return {
            convolution: Times(2e-3, 1e-3 if letter == "t" else 4e-3)
            for convolution, letter in zip(convolutions, promised, strict=True)
        }

    def seconds(model: nn.Module, arguments: Any) -> float:
        # It must be the choice that is computed.
        calls.clear()
        model(*arguments)
        assert len(calls) == letters(model).count("c")
        return milliseconds(letters(model)) / 1e3

    calls = planned_calls(monkeypatch)
    monkeypatch.setattr(choosing, "times", alone)
    monkeypatch.setattr(choosing, "seconds", seconds)
    fast = accelerate(network(len(promised)), faster_on=IMAGE)
    monkeypatch.undo()
    return letters(fast), fast


def additive(better: str) -> Callable[[str], float]:
    """A millisecond saved by every layer that is computed as the letter says, and one lost by any other."""
    return lambda choice: 20 + sum(1 if one != other else -1 for one, other in zip(choice, better, strict=True))


def with_neighbours(choice: str) -> float:
    """A layer by torch takes as long as ours, and makes the next one of ours three times as long."""
    pairs = zip("c" + choice, choice, strict=False)
    return sum(2 if letter == "t" else 6 if before == "t" else 2 for before, letter in pairs)


@pytest.mark.parametrize(
    ("promised", "milliseconds", "expected"),
    [
        ("ctctcc", additive("ctctcc"), "ctctcc"),
        ("ttttct", additive("ctctcc"), "ctctcc"),
        ("cccccc", additive("ctctcc"), "cccccc"),
        ("ctctcc", with_neighbours, "cccccc"),
        ("ccctcc", lambda choice: 5 if choice == "tttttt" else 10 + choice.count("t"), "tttttt"),
        ("tttttt", lambda choice: 10, "cccccc"),
    ],
    ids=["as promised", "only some", "not promised", "neighbours suffer", "all", "no difference"],
)
def test_the_time_of_the_whole_model_decides(
    promised: str, milliseconds: Callable[[str], float], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice, fast = chosen(monkeypatch, promised, milliseconds)
    assert choice == expected
    rows = [row for row in report(fast).rows if row.kind == "Conv2d"]
    assert [row.by for row in rows] == ["torch" if letter == "t" else "convrs" for letter in expected]
    assert all("by torch the model took" in row.why for row in rows if row.by == "torch")
    with torch.no_grad():
        torch.testing.assert_close(fast(IMAGE), network(len(promised))(IMAGE))


@pytest.mark.parametrize("seed", range(10))
def test_noise_chooses_nothing_that_is_slower(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = random.Random(seed)
    slower = additive("cccccc")
    choice, _ = chosen(monkeypatch, "tttttt", lambda choice: (slower(choice) + 30) * noise.lognormvariate(0, 0.1))
    assert choice == "cccccc"


def test_a_layer_that_is_slow_in_its_place_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(3)
    compute = Planned.compute

    def slow(planned: Planned, input: Tensor, residual: Tensor | None) -> Any:
        if planned.chain.convolution.out_channels == 5:
            time.sleep(0.01)
        return compute(planned, input, residual)

    model[2], model[4] = nn.Conv2d(4, 5, 3), nn.Conv2d(5, 4, 3)
    monkeypatch.setattr(Planned, "compute", slow)
    # Several of torch's threads may wait for a busy core longer than that.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = report(accelerate(model, faster_on=IMAGE)).rows
    torch.set_num_threads(threads)
    assert (rows[2].name, rows[2].by) == ("2", "torch")
    assert "ms instead of" in rows[2].why
