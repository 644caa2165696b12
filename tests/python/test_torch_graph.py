"""`convrs.torch.accelerate`: sums and functions between the layers."""

from __future__ import annotations

import copy
import pickle
import threading
import weakref
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from convrs.torch import accelerate, intercept, program, report
from convrs.torch.intercept import by_convrs
from convrs.torch.part import Part
from convrs.torch.running import running_on
from torch_models import IMAGE, Way, check, model_of, planned_calls


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return planned_calls(monkeypatch)


# --- what is folded ---


def residual(m: Any, x: Tensor) -> Tensor:
    return m.norm1(m.conv1(x))


def in_place(m: Any, x: Tensor) -> Tensor:
    result = residual(m, x)
    result += x
    return m.relu(result)


def downsampled(m: Any, x: Tensor) -> Tensor:
    result = residual(m, x)
    result += m.norm2(m.conv2(x))
    return F.relu(result, inplace=True)


def overwritten(m: Any, x: Tensor) -> Tensor:
    left, right = residual(m, x), m.conv2(x)
    right += left
    return m.relu(right)


def side_by_side(m: Any, x: Tensor) -> Tensor:
    left, right = m.conv1(x), m.conv2(x)
    return torch.cat([m.relu(m.norm1(left)), right.sigmoid_()], 1)


def skipping(m: Any, x: Tensor) -> Tensor:
    return x + F.dropout(m.dropout(m.identity(residual(m, x))), training=m.training)


FOLDED: dict[str, tuple[Way, list[int]]] = {
    "x + f(x)": (lambda m, x: x + residual(m, x), [2]),
    "f(x) + x": (lambda m, x: m.relu(residual(m, x) + x), [3]),
    "torch.add": (lambda m, x: torch.relu(torch.add(x, residual(m, x))), [3]),
    "add": (lambda m, x: residual(m, x).add(x, alpha=1).relu(), [3]),
    "add_": (lambda m, x: residual(m, x).add_(x).relu_(), [3]),
    "in place": (in_place, [3]),
    "two branches, in place": (downsampled, [1, 3]),
    "two branches, the later one overwritten": (overwritten, [3, 0]),
    "two branches": (lambda m, x: m.relu(residual(m, x) + m.conv2(x)), [0, 3]),
    "one after the other": (lambda m, x: m.conv2(m.relu(x + residual(m, x))) + x, [3, 1]),
    "side by side": (side_by_side, [2, 1]),
    "dropout and identity": (skipping, [2]),
    "another container": (lambda m, x: m.norm2(m.container(x)) + x, [2]),
    "relu6": (lambda m, x: F.relu6(m.conv2(x)), [1]),
    "hardtanh": (lambda m, x: F.hardtanh(m.conv2(x), 0, 6), [1]),
    "silu": (lambda m, x: F.silu(m.conv2(x), inplace=True), [1]),
    "hardswish": (lambda m, x: F.hardswish(m.conv2(x)), [1]),
    "leaky_relu": (lambda m, x: F.leaky_relu(m.conv2(x), 0.3), [1]),
    "gelu": (lambda m, x: F.gelu(m.conv2(x)), [1]),
    "sigmoid": (lambda m, x: torch.sigmoid(m.conv2(x)), [1]),
    "tanh": (lambda m, x: m.conv2(x).tanh(), [1]),
}
"""With the steps that go into each convolution."""


@pytest.mark.parametrize("name", FOLDED)
def test_what_is_folded(name: str, calls: list[int]) -> None:
    way, steps = FOLDED[name]
    model = model_of(way)
    fast = accelerate(model)
    check(model, fast)
    assert sorted(calls) == sorted(steps)


def used_twice(m: Any, x: Tensor) -> Tensor:
    between = residual(m, x)
    return m.relu(between) + between


def input_overwritten(m: Any, x: Tensor) -> Tensor:
    x += residual(m, x)
    return x * 2


def alias_overwritten(m: Any, x: Tensor) -> Tensor:
    between = residual(m, x)
    alias = between.view(-1)
    between += x
    return between + alias[0]


def summand_overwritten_between(m: Any, x: Tensor) -> Tensor:
    x = x * 2
    result = m.conv2(x)
    x.relu_()
    return result + x


def branch_overwritten_and_seen(m: Any, x: Tensor) -> Tensor:
    left, right = residual(m, x), m.conv2(x)
    left += right
    return left + right


TORCHS: dict[str, tuple[Way, list[int]]] = {
    "alpha": (lambda m, x: torch.add(x, m.conv2(x), alpha=2), [0]),
    "with itself": (lambda m, x: (lambda y: y + y)(m.conv2(x)), [0]),
    "a number": (lambda m, x: m.conv2(x) + 1, [0]),
    "a difference": (lambda m, x: m.conv2(x) - x, [0]),
    "broadcast": (lambda m, x: m.conv2(x) + x.mean((2, 3), keepdim=True), [0]),
    "broadcast to a larger shape": (lambda m, x: m.conv2(x) + x[None], [0]),
    "a scalar": (lambda m, x: m.conv2(x) + m.scale, [0]),
    "another dtype": (lambda m, x: m.conv2(x) + x.double(), [0]),
    "used twice": (used_twice, [1]),
    "the input overwritten": (input_overwritten, [1]),
    "an alias overwritten": (alias_overwritten, [1]),
    "a summand overwritten between": (summand_overwritten_between, [0]),
    "a branch overwritten and seen": (branch_overwritten_and_seen, [0, 2]),
    "the sum behind the activation": (lambda m, x: m.relu(m.conv2(x)) + x, [1]),
    "gelu by tanh": (lambda m, x: F.gelu(m.conv2(x), approximate="tanh"), [0]),
    "prelu": (lambda m, x: F.prelu(m.conv2(x), m.scale[None]), [0]),
    "the normalisation behind the sum": (lambda m, x: m.norm2(m.conv2(x) + x), [1]),
}
"""With the steps that go into each convolution even so."""


@pytest.mark.parametrize("name", TORCHS)
def test_what_stays_torchs(name: str, calls: list[int]) -> None:
    way, steps = TORCHS[name]
    model = model_of(lambda m, x: (m.conv1(x).relu(), way(m, x)))
    fast = accelerate(model)
    assert isinstance(running_on(fast), Part)
    check(model, fast)
    assert sorted(calls) == sorted([1, *steps])


@pytest.mark.parametrize("algorithm", ["direct", "auto"])
def test_a_folded_sum_has_the_bits_of_the_sum_behind_it(algorithm: Any, calls: list[int]) -> None:
    model = model_of(lambda m, x: m.relu(m.conv1(x) + x))
    image = torch.randn(2, 4, 40, 40)
    fast = accelerate(model, algorithm=algorithm)
    with torch.no_grad():
        assert torch.equal(fast(image), torch.relu(fast.conv1(image) + image))
    assert calls == [2, 0]


def functional(m: Any, x: Tensor) -> Tensor:
    x = F.max_pool2d(m.conv1(x).relu(), 2) + F.avg_pool2d(m.conv2(x), 2)
    return F.conv2d(F.adaptive_avg_pool2d(x, 3), m.conv2.weight)


def test_functional_pools_and_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(program, "by_convrs", lambda *call: taken.append(by_convrs(*call)) or taken[-1])
    model = model_of(functional)
    fast = accelerate(model)
    check(model, fast)
    assert len(taken) == 4
    assert all(type(result) is Tensor for result in taken)
    check(model, pickle.loads(pickle.dumps(fast)))


def test_the_report_names_sums_and_functions() -> None:
    model = model_of(lambda m, x: m.conv2(m.relu(residual(m, x) + x)).sigmoid())
    rows = {row.name: row for row in report(accelerate(model), IMAGE).rows}
    assert rows["conv1"].why == "with norm1, a sum, relu folded in"
    assert rows["conv1"].microseconds > 0
    assert rows["conv2"].why == "with Sigmoid folded in"
    assert rows["relu"].why == "folded into conv1"
    assert rows["norm2"].why == "not behind a convolution alone"


# --- who looks at what lies between ---


def way_with_head(m: Any, x: Tensor) -> Tensor:
    return m.head(m.pool(m.relu(residual(m, x) + x)).flatten(2).mean(2))


@pytest.mark.parametrize("watched", ["conv1", "norm1", "relu"])
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_a_hook_on_a_folded_module_is_called(watched: str, kind: str, calls: list[int]) -> None:
    model = model_of(way_with_head)
    fast, seen = accelerate(model), []
    handle = getattr(fast.get_submodule(watched), kind)(lambda *given: seen.append(given))
    check(model, fast)
    assert len(seen) == 1
    handle.remove()
    check(model, fast)
    assert len(seen) == 1
    assert calls == [0, 3]


@pytest.mark.parametrize("watched", ["", "pool", "head"])
def test_a_hook_beside_what_is_folded_changes_nothing(watched: str, calls: list[int]) -> None:
    model = model_of(way_with_head)
    fast, seen = accelerate(model), []
    fast.get_submodule(watched).register_forward_hook(lambda *given: seen.append(given))
    check(model, fast)
    assert len(seen) == 1
    assert calls == [3]


def test_the_mode_of_every_module_counts(calls: list[int]) -> None:
    model = model_of(lambda m, x: m.dropout(m.norm2(m.conv2(x)).relu()))
    fast = accelerate(model)
    check(model, fast)
    for network in (model, fast):
        network.norm2.train()
    check(model, fast)
    fast.norm2.eval()
    fast.dropout.train()
    with torch.no_grad():
        assert (fast(IMAGE) == 0).sum() > fast(IMAGE).numel() // 4
    assert calls[:2] == [2, 0]


def test_what_is_in_training_from_the_beginning_stays_torchs(calls: list[int]) -> None:
    model = model_of(lambda m, x: m.dropout(m.norm2(m.conv2(x))) + m.conv1(x).relu())
    for part in (model.norm2, model.dropout):
        part.train()
    results = []
    for network in (model, accelerate(model)):
        torch.manual_seed(0)
        with torch.no_grad():
            results.append(network(IMAGE))
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
    assert sorted(calls) == [0, 1]


def test_a_hook_on_what_returns_its_input_is_called(calls: list[int]) -> None:
    model, seen = model_of(lambda m, x: m.identity(m.conv2(x).relu())), []
    model.identity.register_forward_hook(lambda *given: seen.append(given))
    fast = accelerate(model)
    check(model, fast)
    assert len(seen) == 2
    assert calls == [1]


def test_what_is_computed_is_not_kept() -> None:
    kept: list[Any] = []
    fast = accelerate(model_of(lambda m, x: m.head(m.pool(m.conv1(x).relu()).mean((2, 3)))))
    fast.pool.register_forward_pre_hook(lambda module, given: kept.append(weakref.ref(given[0])))
    fast.head.register_forward_pre_hook(lambda module, given: kept.append(kept[0]()))
    with torch.no_grad():
        fast(IMAGE)
    assert kept[1:] == [None]


def test_a_function_mode_sees_every_function(calls: list[int]) -> None:
    model = model_of(lambda m, x: F.relu(m.conv2(x)))
    fast = accelerate(model)
    seen = []

    class Seeing(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(func)
            return func(*args, **kwargs or {})

    with Seeing():
        check(model, fast)
    assert seen.count(F.relu) == 2
    with intercept():
        check(model, fast)
    assert 1 not in calls


def test_new_weights_of_a_folded_sum(calls: list[int]) -> None:
    model = model_of(in_place)
    fast = accelerate(model)
    check(model, fast)
    with torch.no_grad():
        for network in (model, fast):
            network.norm1.running_var.mul_(3)
            network.conv1.weight = nn.Parameter(network.conv1.weight * 2)
    check(model, fast)
    model.double(), fast.double()
    check(model, fast, IMAGE.double())
    assert calls == [3, 3, 3]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bits_are_rounded_behind_the_sum(dtype: torch.dtype, calls: list[int]) -> None:
    model = model_of(lambda m, x: m.relu(m.conv2(x) + x)).to(dtype)
    fast, image = accelerate(model), IMAGE.to(dtype)
    with torch.no_grad():
        ours, exact = fast(image).double(), copy.deepcopy(model).double()(image.double())
    assert calls == [2]
    # One rounding to the dtype, and those of six terms in float32.
    assert ((ours - exact).abs() <= torch.finfo(dtype).eps / 2 * exact + 2.0**-20).all()


def test_threads_share_a_model() -> None:
    model = model_of(in_place)
    fast, wrong = accelerate(model), []

    def many() -> None:
        try:
            for _ in range(20):
                check(model, fast)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_copy_has_weights_of_its_own() -> None:
    model = model_of(in_place)
    fast = accelerate(model)
    check(model, fast)
    twin = copy.deepcopy(fast)
    with torch.no_grad():
        twin.conv1.weight.zero_()
        fast.norm1.bias.zero_()
        model.norm1.bias.zero_()
    check(model, fast)
    model.load_state_dict(twin.state_dict())
    check(model, twin)
