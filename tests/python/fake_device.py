"""A device that only pretends: torch's CPU answers for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class FakeDevice(TorchFunctionMode):
    """Every tensor says that it lives on the device. Calls are recorded, and computed by torch on the CPU."""

    def __init__(self, name: str = "cuda:0") -> None:
        super().__init__()
        device = torch.device(name)
        self.getters = {
            torch.Tensor.device.__get__: device,
            torch.Tensor.is_cuda.__get__: device.type == "cuda",
            torch.Tensor.is_cpu.__get__: False,
        }
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.tf32: list[bool] = []

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if function in self.getters:
            return self.getters[function]
        given = dict(kwargs or {})
        if getattr(function, "__name__", "") != "__get__":
            self.calls.append((function.__name__.removeprefix("_"), args, dict(given)))
            self.tf32.append(torch.backends.cudnn.allow_tf32)
        if function is torch.Tensor.to and not isinstance(args[1], torch.dtype):
            return args[0]
        # The empty tensors that the kernels are shown have always been the CPU's.
        if function is torch.Tensor.numpy and args[0].numel():
            raise TypeError("no tensor of a device has a view")
        given.pop("device", None)
        return function(*args, **given)

    def called(self, *names: str) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
        """The calls of some names."""
        return [call for call in self.calls if call[0] in names]
