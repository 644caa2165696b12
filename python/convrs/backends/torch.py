"""Torch tensors: on the CPU the kernels work over the tensors' own memory, elsewhere torch.nn.functional computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor

from . import autograd
from .cpu import BFLOAT16, Function

__all__ = ["Tensor", "call", "in_torch", "to_numpy"]

PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}
"""Their names in torch.nn.functional.pad."""


def call(function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """Runs a function of `convrs.functional` on tensors of one device."""
    device = _device(arrays)
    if device.type == "cpu":
        return _on_cpu(function, arrays, parameters)
    return _on_device(function.__name__, arrays, parameters)


def to_numpy(name: str, tensor: Tensor) -> NDArray[Any]:
    """A NumPy view of a CPU tensor's memory; a copy only where the tensor is lazily conjugated or negated."""
    if tensor.layout != torch.strided:
        raise TypeError(f"{name} must be a dense tensor, got layout {tensor.layout}; write {name}.to_dense()")
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(BFLOAT16)
    try:
        return tensor.numpy()
    except TypeError as error:
        rule = "convrs takes float16, bfloat16, float32, float64, the integers, bool, complex64 and complex128"
        raise TypeError(f"{name} has dtype {tensor.dtype}: {rule}; write {name}.to(torch.float32)") from error


def _from_numpy(array: NDArray[Any]) -> Tensor:
    if array.dtype == BFLOAT16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _device(arrays: Mapping[str, Any]) -> torch.device:
    """The device of all the tensors, or a TypeError that says which argument lives where."""
    given = {name: array for name, array in arrays.items() if array is not None}
    places = {name: array.device if isinstance(array, Tensor) else None for name, array in given.items()}
    home, *_ = places.values()
    strangers = [name for name, place in places.items() if place != home]
    if home is None or strangers:
        kinds = (
            f"{name}: {type(given[name]).__name__}" + (f" on {place}" if place else "")
            for name, place in places.items()
        )
        hint = f"torch.as_tensor({strangers[0]}, device={str(home)!r})" if home else f"{strangers[0]}.numpy(force=True)"
        raise TypeError(f"all arrays must live in one place ({', '.join(kinds)}); write {hint}")
    return home


def _on_cpu(function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    if "_random_samples" in arrays and arrays["_random_samples"] is None:
        arrays = {**arrays, "_random_samples": _random_samples(function.__name__, arrays["input"])}
    if autograd.asked(arrays):
        return autograd.call(function, arrays, parameters, partial(_on_cpu, function), partial(in_torch, function))
    views = {name: None if tensor is None else to_numpy(name, tensor) for name, tensor in arrays.items()}
    result = function(**views, **parameters)
    values, *indices = result if isinstance(result, tuple) else (result,)
    out = arrays["out"]
    if out is None:
        out = _from_numpy(values)
    elif not out.is_inference():
        # Autograd must see that `out` has changed.
        torch.autograd.graph.increment_version(out)
    return (out, *map(_from_numpy, indices)) if indices else out


def in_torch(function: Function, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """Runs it by differentiable functions of torch, wherever the tensors live."""
    return _on_device(function.__name__, arrays, parameters)


def _random_samples(name: str, input: Tensor) -> Tensor:
    """Torch's own draw: with the same seed the windows are torch's."""
    spatial = int(name[-2])
    dtype = input.dtype if input.is_floating_point() else torch.float64
    return torch.rand(*(1, *input.shape[:-spatial])[-2:], spatial, dtype=dtype)


def _on_device(name: str, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """The function of that name in torch; what torch lacks is put together from torch.nn.functional.pad."""
    if not hasattr(functional, name) and not name.startswith("min_pool"):
        raise TypeError("a planned layer computes on the CPU and keeps its weights there; write input.cpu()")
    tensors = dict(arrays)
    out = tensors.pop("out")
    parameters = _torchs(name, parameters)
    # Torch chooses its own.
    parameters.pop("algorithm", None)
    if "padding_mode" in parameters:
        tensors["input"], parameters["padding"] = _padded(
            tensors["input"], tensors["weight"], parameters, PADDING_MODES[_known(parameters.pop("padding_mode"))]
        )
    if name.startswith("min_pool"):
        tensors["input"] = -tensors["input"]
        result = getattr(functional, name.replace("min", "max"))(**tensors, **parameters)
        result = (-result[0], result[1]) if isinstance(result, tuple) else -result
    else:
        result = getattr(functional, name)(**tensors, **parameters)
    if out is None:
        return result
    values, *indices = result if isinstance(result, tuple) else (result,)
    if out.shape != values.shape:
        raise ValueError(
            f"out has shape {tuple(out.shape)}, but the result has shape {tuple(values.shape)}; "
            f"write out=torch.empty({tuple(values.shape)}, dtype={values.dtype}, device={str(values.device)!r})"
        )
    if out.dtype != values.dtype:
        raise TypeError(f"out has dtype {out.dtype}, but the result has dtype {values.dtype}")
    out.copy_(values)
    return (out, *indices) if indices else out


def _torchs(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a pool without those that torch lacks, or a TypeError where their values ask for more."""
    parameters = dict(parameters)
    if "rule" not in parameters:
        return parameters
    own: dict[str, Any] = {"rule": "torch"}
    if name.startswith(("avg", "lp")):
        own["dilation"] = 1
    if name.startswith("lp"):
        own["padding"] = 0
    for key, default in own.items():
        value = parameters.pop(key)
        if value != default:
            raise TypeError(
                f"{key}={value!r} is computed on the CPU alone, and input lives elsewhere; write input.cpu()"
            )
    padding = parameters.get("padding", 0)
    if isinstance(padding, str) or (
        isinstance(padding, list | tuple) and any(isinstance(side, Sequence) for side in padding)
    ):
        raise TypeError(
            f"padding={padding!r} is computed on the CPU alone, and input lives elsewhere; write input.cpu()"
        )
    return parameters


def _known(padding_mode: str) -> str:
    if padding_mode not in PADDING_MODES:
        raise ValueError(f'padding_mode is "{padding_mode}": it must be one of {", ".join(PADDING_MODES)}')
    return padding_mode


def _padded(input: Tensor, weight: Tensor, parameters: Mapping[str, Any], mode: str) -> tuple[Tensor, Any]:
    """The input and the padding that torch's convolution can take."""
    spatial = weight.dim() - 2
    padding, stride = parameters["padding"], _each(parameters["stride"], spatial)
    paired = isinstance(padding, (list, tuple)) and any(isinstance(side, Sequence) for side in padding)
    if mode == "constant" and not paired and (padding != "same" or set(stride) == {1}) and padding != "same_lower":
        return input, padding
    if padding == "valid":
        return input, 0
    if padding in ("same", "same_lower"):
        sizes = zip(
            input.shape[-spatial:], weight.shape[2:], stride, _each(parameters["dilation"], spatial), strict=True
        )
        total = [
            max((-(-size // step) - 1) * step + (kernel - 1) * apart + 1 - size, 0)
            for size, kernel, step, apart in sizes
        ]
        pairs = [(both // 2, both - both // 2) for both in total]
        if padding == "same_lower":
            pairs = [(after, before) for before, after in pairs]
    elif isinstance(padding, str):
        raise ValueError(f'padding is "{padding}": as a text it must be "valid", "same" or "same_lower"')
    else:
        pairs = list(padding) if paired else [(side, side) for side in _each(padding, spatial)]
    if len(pairs) != spatial:
        raise ValueError(f"padding has {len(pairs)} pairs: it must have one for each of the {spatial} spatial axes")
    # torch.nn.functional.pad begins with the last axis.
    return functional.pad(input, [side for pair in reversed(pairs) for side in pair], mode), 0


def _each(value: int | Sequence[int], spatial: int) -> list[int]:
    numbers = list(value) if isinstance(value, Sequence) else [value]
    return numbers * spatial if len(numbers) == 1 else numbers
