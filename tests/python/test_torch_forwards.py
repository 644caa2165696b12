"""`convrs.torch.accelerate`: forwards that a graph would not follow, and arguments with a default."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import Tensor

from convrs.torch import accelerate
from torch_models import IMAGE, Block, Way, check, model_of, planned_calls, trained


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return planned_calls(monkeypatch)


def asks_for_a_class(m: Any, x: Any) -> Tensor:
    result = m.conv1(x).relu()
    return m.conv2(result) if isinstance(x, Tensor) else result


def asks_for_an_attribute(m: Any, x: Any) -> Tensor:
    result = m.conv1(x).relu()
    return x.tensors if hasattr(x, "tensors") else result


def writes_into_an_alias(m: Any, x: Tensor) -> Tensor:
    alias = x
    alias += 1
    return m.conv1(x).relu()


def changes_a_mode(m: Any, x: Tensor) -> Tensor:
    with torch.autocast("cpu"):
        return m.conv1(x).relu()


def makes_a_tensor(m: Any, x: Tensor) -> Tensor:
    return m.conv1(x).relu() + torch.ones(4, 1, 1)


def leaves_something(m: Any, x: Tensor) -> Tensor:
    m.last = m.conv1(x)
    return m.last.relu()


def reads_a_number(m: Any, x: Tensor) -> Tensor:
    return m.conv1(x).relu() * float(m.scale)


def reads_a_number_of_a_buffer(m: Any, x: Tensor) -> Tensor:
    return m.conv1(x).relu() * float(m.offset)


def of_another_class(m: Any, x: Tensor) -> Any:
    return OrderedDict(out=m.conv1(x).relu())


FORWARDS = [
    *(asks_for_a_class, asks_for_an_attribute, writes_into_an_alias, changes_a_mode, makes_a_tensor, leaves_something),
    *(reads_a_number, reads_a_number_of_a_buffer, of_another_class),
]


@pytest.mark.parametrize("way", FORWARDS)
def test_a_forward_does_all_that_it_did(way: Way) -> None:
    model = model_of(way)
    fast = accelerate(model)
    for network in (model, fast):
        with torch.no_grad():
            network.scale.fill_(3)
            network.offset.fill_(3)
    check(model, fast)
    with torch.no_grad():
        assert type(fast(IMAGE.clone())) is type(model(IMAGE.clone()))
    if way is leaves_something:
        assert type(fast.last) is Tensor


class Optional(Block):
    def forward(self, input: Tensor, mask: Tensor | None = None, *, scale: float = 1.0) -> dict[str, Any]:
        result = self.conv1(input).relu()
        return {"result": result * scale if mask is None else result * mask, "shape": [result.shape[2:], None]}


def test_arguments_with_a_default(calls: list[int]) -> None:
    model = trained(Optional(makes_a_tensor))
    fast, mask = accelerate(model), torch.rand(9, 9)
    with torch.no_grad():
        for given, named in (((IMAGE,), {}), ((IMAGE, mask), {}), ((IMAGE,), {"scale": 3.0}), ((), {"input": IMAGE})):
            ours, theirs = fast(*given, **named), model(*given, **named)
            torch.testing.assert_close(ours["result"], theirs["result"], rtol=1e-5, atol=1e-5)
            assert ours["shape"] == theirs["shape"]
            assert type(ours) is dict
    assert calls == [1, 0, 0, 1]
