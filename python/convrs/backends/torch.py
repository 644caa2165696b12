"""Torch tensors: on the CPU the kernels work over the tensors' own memory, elsewhere torch computes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from . import autograd, cpu, device
from .choice import chosen
from .cpu import Function, Planned
from .device.layer import Layer
from .memory import from_kernels, from_numpy, to_numpy
from .placement import scattered

__all__ = ["Layer", "Tensor", "call", "call_arrays", "call_layer", "in_torch", "to_numpy"]


WORDS = (
    (r'(\w+)\.astype\((?:numpy\.|")(\w+)"?\)', r"\1.to(torch.\2)"),
    (r'numpy\.empty\((\[.*?\]), "(\w+)"\)', r"torch.empty(\1, dtype=torch.\2)"),
    (r"numpy\.empty", "torch.empty"),
    (r"\.copy\(\)", ".clone()"),
)
"""What a refusal of the kernels says to write, for arrays and for tensors."""


def call(function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """Runs a function of `convrs.functional` on tensors of one device."""
    if isinstance(function, Planned):
        return call_layer(function.run, **arrays)
    forced, on_cpu = chosen(), _live_on_cpu(arrays)
    if forced == "torch" or (forced is None and not on_cpu):
        return device.call(function, arrays, parameters)
    return (_on_cpu if on_cpu else _brought_to_cpu)(function, arrays, parameters)


def call_layer(run: Any, input: Any, residual: Any, out: Any) -> Any:
    """Runs a planned layer on tensors of the device where its weights live."""
    if isinstance(run, Layer):
        return run(input, residual, out)
    if out is None and input.dtype is not torch.bfloat16:
        # What nearly every call is. There is no view where more has to be asked: gradients, devices, layouts, kinds.
        try:
            views = input.numpy(), None if residual is None else residual.numpy()
        except (AttributeError, RuntimeError, TypeError):
            pass
        else:
            try:
                return torch.from_numpy(run(*views, None))
            except (TypeError, ValueError) as error:
                raise _of_tensors(error) from None
    arrays = {"input": input, "residual": residual, "out": out}
    if _live_on_cpu(arrays):
        return _on_cpu(Planned(run), arrays, {})
    if chosen() == "rust":
        return _brought_to_cpu(Planned(run), arrays, {})
    place = str(input.device)
    raise TypeError(
        f"a planned layer computes where its weights live, on the CPU, and input lives on {place}; "
        f"write layer.to({place!r}), or input.cpu()"
    )


def call_arrays(function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """Runs it in torch on NumPy arrays, or what becomes one; a planned layer in the kernels, which alone have it."""
    if isinstance(function, Planned):
        return cpu.call(function, arrays, parameters)
    out = arrays["out"]
    tensors: dict[str, Any] = {name: array for name, array in arrays.items() if array is None}
    for name in arrays.keys() - tensors.keys():
        tensors[name] = from_numpy(cpu.to_numpy(name, arrays[name]))
    if out is not None:
        # Torch may not be able to write where it is.
        tensors["out"] = torch.empty_like(tensors["out"])
    result = device.call(function, tensors, parameters)
    values, *indices = result if isinstance(result, tuple) else (result,)
    shown: Any = to_numpy("result", values)
    if values.dtype == torch.bfloat16:
        shown = shown.view(cpu.to_numpy("input", arrays["input"]).dtype)
    if out is not None:
        np.copyto(out, shown)
        shown = out
    return (shown, *(places.numpy() for places in indices)) if indices else shown


def call_foreign(function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """Runs it on another library's arrays, as tensors over their memory."""
    tensors = {name: None if array is None else from_dlpack(array) for name, array in arrays.items()}
    return call(function, tensors, parameters)


def devices() -> tuple[str, ...]:
    """The devices that torch can compute on beside the CPU, with their names."""
    cuda = [f"cuda:{number} {torch.cuda.get_device_name(number)}" for number in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    xpu = [f"xpu:{number} {torch.xpu.get_device_name(number)}" for number in range(torch.xpu.device_count())]
    return (*cuda, *mps, *xpu)


def _live_on_cpu(arrays: Mapping[str, Any]) -> bool:
    """Whether tensors live on the CPU, else all on one other device; raises a TypeError where they live apart."""
    for array in arrays.values():
        if array is not None and not (isinstance(array, Tensor) and array.is_cpu):
            break
    else:
        return True
    home = arrays["input"].device if isinstance(arrays["input"], Tensor) else None
    for array in arrays.values():
        if array is not None and not (isinstance(array, Tensor) and array.device == home):
            raise scattered(arrays)
    return False


def _on_cpu(function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    if "_random_samples" in arrays and arrays["_random_samples"] is None:
        arrays = {**arrays, "_random_samples": _random_samples(function.__name__, arrays["input"])}
    if autograd.asked(arrays):
        return autograd.call(function, arrays, parameters, partial(_on_cpu, function), partial(in_torch, function))
    views = {name: None if tensor is None else to_numpy(name, tensor) for name, tensor in arrays.items()}
    try:
        result = function(**views, **parameters)
    except (TypeError, ValueError) as error:
        raise _of_tensors(error) from None
    values, indices = result if isinstance(result, tuple) else (result, None)
    out = arrays["out"]
    if out is None:
        out = from_kernels(values)
    elif not out.is_inference():
        # Autograd must see that `out` has changed.
        torch.autograd.graph.increment_version(out)
    return out if indices is None else (out, from_kernels(indices))


def _of_tensors(error: Exception) -> Exception:
    """A refusal of the kernels, with torch's calls in place of NumPy's."""
    text = str(error)
    for numpys, torchs in WORDS:
        text = re.sub(numpys, torchs, text)
    return type(error)(text)


def _brought_to_cpu(function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """Tensors of another device, by the kernels: copied there and back."""
    out = arrays["out"]
    there = {name: None if tensor is None or name == "out" else tensor.cpu() for name, tensor in arrays.items()}
    result = _on_cpu(function, there, parameters)
    values, *indices = result if isinstance(result, tuple) else (result,)
    home = arrays["input"].device
    values = values.to(home) if out is None else device.into(out, values)
    return (values, *(places.to(home) for places in indices)) if indices else values


def in_torch(function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """Runs it by differentiable functions of torch, wherever the tensors live; parameters may be left out."""
    known = {name: given.default for name, given in signature(function).parameters.items() if name not in arrays}
    return device.call(function, arrays, {**known, **parameters})


def _random_samples(name: str, input: Tensor) -> Tensor:
    """Torch's own draw: with the same seed the windows are torch's."""
    spatial = int(name[-2])
    dtype = input.dtype if input.is_floating_point() else torch.float64
    return torch.rand(*(1, *input.shape[:-spatial])[-2:], spatial, dtype=dtype)
