"""Arrays of other libraries, by DLPack: a library of our own stands for them."""

from __future__ import annotations

import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest
import torch

import convrs
import convrs.backends.torch

X = np.arange(24.0, dtype=np.float32).reshape(1, 2, 12)
W = np.arange(12.0, dtype=np.float32).reshape(2, 2, 3)

CPU, CUDA, VULKAN = (1, 0), (2, 0), (7, 0)


class Foreign:
    """An array that knows DLPack alone. One that says it is on CUDA lies in the CPU's memory all the same."""

    __module__ = "foreign.arrays"

    def __init__(self, held: Any, device: tuple[int, int] = CPU) -> None:
        self.held, self.device = held, device

    def __dlpack__(self, **options: Any) -> Any:
        return self.held.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("foreign")
    module.from_dlpack = lambda array: Foreign(array)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "foreign", module)
    return module


def test_an_array_on_the_cpu_comes_back_in_its_library() -> None:
    result = convrs.conv1d(Foreign(X), Foreign(W))
    assert type(result) is Foreign
    assert type(result.held) is np.ndarray
    np.testing.assert_array_equal(result.held, convrs.conv1d(X, W))
    values, indices = convrs.max_pool1d(Foreign(X), 2, return_indices=True)
    assert type(values) is type(indices) is Foreign
    np.testing.assert_array_equal(indices.held, convrs.max_pool1d(X, 2, return_indices=True)[1])


def test_no_copy_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    from convrs.backends import libraries

    seen: list[Any] = []
    to_numpy = libraries.to_numpy
    monkeypatch.setattr(libraries, "to_numpy", lambda *given: seen.append(to_numpy(*given)) or seen[-1])
    convrs.max_pool1d(Foreign(X[..., ::2]), 2)
    assert seen[0].ctypes.data == X.ctypes.data
    assert seen[0].strides == X[..., ::2].strides


def test_out_is_written_in_place() -> None:
    memory = np.empty((1, 2, 10), np.float32)
    out = Foreign(memory)
    assert convrs.conv1d(Foreign(X), Foreign(W), out=out) is out
    np.testing.assert_array_equal(memory, convrs.conv1d(X, W))


def test_an_array_on_a_device_is_computed_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    own = torch.nn.functional.conv1d
    monkeypatch.setattr(convrs.backends.torch, "from_dlpack", lambda array: torch.from_numpy(array.held))
    monkeypatch.setattr(torch.nn.functional, "conv1d", lambda *given: seen.append(given) or own(*given))
    with convrs.use_backend("torch"):
        # What torch gets lies on the CPU here; only the forced choice sends it on.
        result = convrs.conv1d(Foreign(X, CUDA), Foreign(W, CUDA))
    assert type(result) is Foreign
    assert type(result.held) is torch.Tensor
    assert seen[0][0].data_ptr() == X.ctypes.data
    np.testing.assert_allclose(result.held.numpy(), convrs.conv1d(X, W), rtol=1e-6)


@pytest.mark.parametrize(("number", "name"), [(2, "cuda"), (13, "cuda"), (10, "cuda"), (8, "mps"), (14, "xpu")])
def test_a_device_is_named_as_torch_names_it(number: int, name: str) -> None:
    with pytest.raises(TypeError, match=f"input: Foreign of foreign on {name}:1, weight: Foreign of foreign on cpu"):
        convrs.conv1d(Foreign(X, (number, 1)), Foreign(W))
    assert torch.device(f"{name}:1").type == name


def test_numpy_views_are_taken_by_the_tools() -> None:
    assert convrs.check.compare(Foreign(convrs.conv1d(X, W)), "conv1d", Foreign(X), Foreign(W)).agrees
    with pytest.raises(TypeError, match=r"input lives on cuda:0"):
        convrs.check.compare(X, "max_pool1d", Foreign(X, CUDA), 2)


def test_an_array_answers_for_its_library() -> None:
    namespace = types.SimpleNamespace(from_dlpack=lambda array: ("given back", array))
    image = Foreign(X)
    image.__array_namespace__ = lambda: namespace  # type: ignore[attr-defined]
    assert convrs.max_pool1d(image, 2)[0] == "given back"


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ((Foreign(X), W), ["weight: ndarray of numpy on cpu", "foreign.asarray(weight)"]),
        ((X, Foreign(W)), ["input: ndarray of numpy on cpu", "weight: Foreign of foreign", "foreign.asarray(input)"]),
        ((Foreign(X), torch.from_numpy(W)), ["weight: Tensor of torch on cpu", "foreign.asarray(weight)"]),
        ((torch.from_numpy(X), Foreign(W)), ["weight: Foreign of foreign", "torch.as_tensor(weight)"]),
        ((Foreign(X, CUDA), Foreign(W)), ["input: Foreign of foreign on cuda:0", "weight: Foreign of foreign on cpu"]),
        ((Foreign(X), Foreign(W), [1.0, 2.0]), ["bias: list of numpy on cpu", "foreign.asarray(bias)"]),
        ((Foreign(X, VULKAN), Foreign(W, VULKAN)), ["DLPack device (7, 0)", "CPU's memory"]),
    ],
)
def test_mixed_libraries_are_refused(arrays: tuple[Any, ...], words: list[str]) -> None:
    with pytest.raises(TypeError) as caught:
        convrs.conv1d(*arrays)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_library_that_takes_nothing_back(library: types.ModuleType) -> None:
    del library.from_dlpack
    with pytest.raises(TypeError, match=r"Foreign.*no from_dlpack.*numpy\.asarray\(input\)"):
        convrs.max_pool1d(Foreign(X), 2)


def test_memory_that_numpy_cannot_view() -> None:
    unseen = Foreign(torch.zeros(1, 2, 8, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match=r"input is a Foreign that NumPy cannot view"):
        convrs.max_pool1d(unseen, 2)


WITHOUT_TORCH = """
import sys, importlib.abc, numpy, convrs
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name)
class Foreign:
    def __init__(self, kind): self.held, self.kind = numpy.ones((1, 1, 4)), kind
    def __dlpack__(self, **options): return self.held.__dlpack__()
    def __dlpack_device__(self): return self.kind, 0
def from_dlpack(array): return array
assert convrs.max_pool1d(Foreign(1), 2).shape == (1, 1, 2)
assert "torch" not in sys.modules
sys.modules["torch"] = None
try:
    convrs.max_pool1d(Foreign(2), 2)
except ImportError as error:
    print(error)
"""


def test_torch_is_not_imported_before_it_is_needed() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "input lives on cuda:0, where torch computes, and torch is not installed", done.stderr
