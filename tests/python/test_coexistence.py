"""Beside torch in one process: workers of a DataLoader, threads of both, and memory."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from torch.utils.data import DataLoader, Dataset

import convrs
from convrs import nn

IMAGE, WEIGHT = torch.randn(2, 8, 24, 24), torch.randn(8, 8, 3, 3)


def convolved(image: torch.Tensor) -> torch.Tensor:
    """A function, a planned layer and a pool, on enough elements for both threads."""
    layer = nn.Conv2d.from_weights(WEIGHT, activation="relu")
    return convrs.max_pool2d(layer(convrs.conv2d(image, WEIGHT, padding=1)), 2)


class Features(Dataset[torch.Tensor]):
    """Images that convrs computes where they are loaded."""

    def __init__(self, images: torch.Tensor, weight: torch.Tensor) -> None:
        self.images, self.weight = images, weight

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, number: int) -> torch.Tensor:
        return convrs.conv2d(convrs.max_pool2d(self.images[number], 3, 1, 1), self.weight)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_of_a_data_loader(start: str) -> None:
    images = torch.randn(6, 8, 24, 24)
    features = Features(images, WEIGHT)
    # With helpers that a forked worker has not.
    expected = torch.stack([features[number] for number in range(6)])
    loader = DataLoader(features, 2, num_workers=2, multiprocessing_context=start, persistent_workers=True, timeout=120)
    for _ in range(2):
        assert torch.equal(torch.cat(list(loader)), expected)


def test_both_pools_at_once() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        ours, theirs = convolved(IMAGE), functional.conv2d(IMAGE, WEIGHT)

        def work(number: int) -> bool:
            if number % 2:
                return torch.equal(convolved(IMAGE), ours)
            return torch.allclose(functional.conv2d(IMAGE, WEIGHT), theirs, atol=1e-4)

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(work, range(200)))
        assert torch.get_num_threads() == convrs.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


FLAT = """
import gc, os, torch, convrs
from convrs import nn
layers = nn.Conv2d(4, 8, 3, padding=1), nn.ConvTranspose2d(4, 2, 3, stride=2)
weight = torch.randn(4, 4, 3, 3)
def calls(count):
    for number in range(count):
        image = torch.randn(1, 4, 32 + number % 13, 32 + number % 11)
        for layer in layers:
            result = layer(image)
            layer(image, out=result)
        convrs.conv2d(image.bfloat16(), weight.bfloat16())
        convrs.max_pool2d(image.requires_grad_(), 2, return_indices=True)[0].sum().backward()
        try:
            convrs.conv2d(image, weight[:, :3])
        except ValueError:
            pass
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
calls(300)
before = calls(300)
print((calls(1000) - before) / 1000)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts pages by /proc")
def test_memory_stays_flat() -> None:
    """A round makes a dozen tensors and views: one of them that was kept would cost kilobytes."""
    done = subprocess.run([sys.executable, "-c", FLAT], capture_output=True, text=True, timeout=300, check=True)
    assert float(done.stdout) < 1000


@pytest.mark.parametrize("kind", ["function", "layer"])
def test_the_kernels_read_and_write_the_tensors_own_memory(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def watched(run: Any, input: int) -> Any:
        def spy(*given: Any) -> Any:
            result = run(*given)
            seen.extend([given[input].ctypes.data, result.ctypes.data])
            return result

        return spy

    view = IMAGE[:, :, ::2]
    if kind == "function":
        monkeypatch.setattr(convrs._convrs, "conv", watched(convrs._convrs.conv, 1))
        result = convrs.conv2d(view, WEIGHT)
        convrs.conv2d(view, WEIGHT, out=result)
    else:
        layer = nn.Conv2d.from_weights(WEIGHT)
        layer._run = watched(layer._run, 0)
        result = layer(view)
        layer(view, out=result)
    assert seen == [view.data_ptr(), result.data_ptr()] * 2
