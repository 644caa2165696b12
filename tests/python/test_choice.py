"""What callers choose: who computes, TF32, and what `describe` says of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import authority
import convrs
import strategies
from convrs import check
from convrs.backends import choice
from convrs.backends.device import precision
from operators import of

X = np.arange(24.0, dtype=np.float32).reshape(1, 2, 12)
W = np.arange(12.0, dtype=np.float32).reshape(2, 2, 3)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """The inputs that torch's own conv1d gets."""
    inputs: list[torch.Tensor] = []
    own = torch.nn.functional.conv1d
    monkeypatch.setattr(
        torch.nn.functional, "conv1d", lambda input, *others: inputs.append(input) or own(input, *others)
    )
    return inputs


# --- use_backend ---


def test_torch_computes_arrays_and_tensors_and_gives_back_their_kind(seen: list[torch.Tensor]) -> None:
    with convrs.use_backend("torch"):
        arrays, tensors = convrs.conv1d(X, W), convrs.conv1d(torch.from_numpy(X), torch.from_numpy(W))
        lists = convrs.conv1d(X.tolist(), W.tolist())
    assert len(seen) == 3
    assert type(arrays) is type(lists) is np.ndarray
    assert type(tensors) is torch.Tensor
    for result in (arrays, tensors.numpy(), lists):
        np.testing.assert_allclose(result, convrs.conv1d(X, W), rtol=1e-6)
    assert len(seen) == 3


def test_the_kernels_compute_tensors_of_other_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The meta device has no numbers to bring, so the copies are watched."""
    image = torch.empty(1, 2, 12, device="meta")
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: torch.ones(tensor.shape))
    with convrs.use_backend("rust"):
        values, indices = convrs.max_pool1d(image, 2, return_indices=True)
        assert values.device.type == indices.device.type == "meta"
        assert convrs.max_pool1d(image, 2, out=values) is values


@pytest.mark.parametrize("operator", of("conv", "max_pool", "avg_pool", "max_unpool"), ids=str)
@settings(max_examples=max(settings().max_examples // 4, 1))
@given(data=st.data())
def test_torch_takes_arrays_of_any_layout(operator: Any, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from([name for name in operator.dtypes if "16" not in name and name != "uint64"]))
    call = data.draw(strategies.calls(operator, dtype))
    parameters = {name: authority.without_numpy(value) for name, value in call.parameters.items()}
    with convrs.use_backend("torch"):
        actual = call(**parameters)
    arrays = {name: None if array is None else authority.plain(array) for name, array in call.arrays.items()}
    assert check.compare(actual, operator.name, **arrays, **call.parameters).agrees


def test_bfloat16_and_out_of_numpy() -> None:
    import ml_dtypes

    image = X.astype(ml_dtypes.bfloat16)
    out = np.zeros((1, 2, 12), ml_dtypes.bfloat16)[..., ::2]
    with convrs.use_backend("torch"):
        assert convrs.max_pool1d(image, 2).dtype == ml_dtypes.bfloat16
        assert convrs.max_pool1d(image, 2, out=out) is out
        with pytest.raises(ValueError, match=r"out has shape \(1, 2, 6\).*\(1, 2, 4\)"):
            convrs.max_pool1d(image, 3, out=out)
        with pytest.raises(TypeError, match="out has dtype"):
            convrs.max_pool1d(X, 2, out=out)
    np.testing.assert_array_equal(out, convrs.max_pool1d(image, 2))


def test_a_choice_ends_with_its_block_and_nests(seen: list[torch.Tensor]) -> None:
    with convrs.use_backend("torch"):
        with convrs.use_backend("rust"):
            convrs.conv1d(X, W)
        assert not seen
        convrs.conv1d(X, W)
    with pytest.raises(KeyError), convrs.use_backend("torch"):
        raise KeyError
    convrs.conv1d(X, W)
    assert len(seen) == 1


def test_a_choice_is_the_thread_s_and_the_task_s_own(seen: list[torch.Tensor]) -> None:
    with convrs.use_backend("torch"):
        thread = threading.Thread(target=convrs.conv1d, args=(X, W))
        thread.start()
        thread.join()
    assert not seen

    async def forced() -> None:
        with convrs.use_backend("torch"):
            await asyncio.sleep(0)
            convrs.conv1d(X, W)

    async def free() -> None:
        await asyncio.sleep(0)
        convrs.conv1d(X, W)

    async def both() -> None:
        await asyncio.gather(forced(), free(), forced())

    asyncio.run(both())
    assert len(seen) == 2


def test_no_such_backend() -> None:
    with pytest.raises(ValueError, match='name is "cuda": it must be "rust" or "torch"'), convrs.use_backend("cuda"):  # type: ignore[arg-type]
        pass


def test_a_planned_layer_stays_with_the_kernels() -> None:
    layer = convrs.nn.Conv1d.from_weights(W)
    with convrs.use_backend("torch"):
        np.testing.assert_array_equal(layer(X), convrs.nn.Conv1d.from_weights(W)(X))
        np.testing.assert_array_equal(layer(X, np.zeros((1, 2, 10), np.float32)), layer(X))
        assert torch.equal(layer(torch.from_numpy(X)), torch.from_numpy(layer(X)))


# --- TF32 ---


@pytest.fixture
def flag() -> Iterator[Any]:
    """cuDNN's flag, which a build without a GPU has as well."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    yield torch.backends.cudnn
    torch.backends.cudnn.allow_tf32 = before


class OnCuda:
    """What `may_be_shortened` asks of a tensor."""

    is_cuda = True
    dtype = torch.float32


def test_tf32_is_off_inside_and_as_before_outside(flag: Any) -> None:
    with precision.FULL:
        assert not flag.allow_tf32
        with precision.FULL:
            assert not flag.allow_tf32
        assert not flag.allow_tf32
    assert flag.allow_tf32
    with pytest.raises(KeyError), precision.FULL:
        raise KeyError
    assert flag.allow_tf32


def test_a_flag_that_is_off_is_not_touched(flag: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    flag.allow_tf32 = False
    monkeypatch.setattr(precision, "_switch_back", None)
    with precision.FULL:
        pass
    assert not flag.allow_tf32


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="this torch has no newer flags")
@pytest.mark.parametrize("conv", ["tf32", "ieee"])
def test_the_newer_flags(flag: Any, conv: str) -> None:
    flag.conv.fp32_precision = conv
    flag.rnn.fp32_precision = "ieee" if conv == "tf32" else "tf32"
    with precision.FULL:
        assert flag.conv.fp32_precision == "ieee"
    assert flag.conv.fp32_precision == conv
    flag.conv.fp32_precision = flag.rnn.fp32_precision = "tf32"


def test_threads_that_overlap(flag: Any) -> None:
    """The first one to leave must not switch TF32 on under the other."""
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with precision.FULL:
            inside.set()
            leave.wait()

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait()
    try:
        with precision.FULL:
            pass
        assert not flag.allow_tf32
    finally:
        leave.set()
        thread.join()
    assert flag.allow_tf32


def test_allow_tf32() -> None:
    assert not precision.may_be_shortened(torch.zeros(1))
    assert precision.may_be_shortened(OnCuda())  # type: ignore[arg-type]
    with convrs.allow_tf32(True):
        assert not precision.may_be_shortened(OnCuda())  # type: ignore[arg-type]
        assert convrs.backends.describe().tf32
        with convrs.allow_tf32(False):
            assert precision.may_be_shortened(OnCuda())  # type: ignore[arg-type]
    assert not choice.tf32_is_allowed()
    convrs.allow_tf32(True)
    assert choice.tf32_is_allowed()
    convrs.allow_tf32(False)
    with pytest.raises(TypeError, match="allowed must be True or False, got 1"):
        convrs.allow_tf32(1)  # type: ignore[arg-type]


# --- describe ---


def test_describe() -> None:
    found = convrs.backends.describe()
    assert found.torch == torch.__version__.partition("+")[0] or found.torch == torch.__version__
    assert found.devices is not None
    assert found.threads == convrs.get_num_threads()
    text = str(found)
    for word in (found.instruction_set, found.torch, *found.routes, *found.routes.values()):
        assert word in text


def test_describe_follows_the_choice() -> None:
    with convrs.use_backend("torch"):
        assert set(convrs.backends.describe().routes.values()) == {"torch"}
    with convrs.use_backend("rust"):
        assert all("kernels" in route for route in convrs.backends.describe().routes.values())


def test_describe_imports_no_torch_unless_asked() -> None:
    code = "import sys, convrs.backends as b; d = b.describe(); print('torch' in sys.modules, d.devices); "
    code += "print(d); print(b.describe(look=True).devices is not None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "False None"
    assert lines[-1] == "True"
    assert "not looked for" in done.stdout
