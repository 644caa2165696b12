"""A torch model with planned layers in it, and back."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any, get_args

import torch
from torch import Tensor
from torch.fx import Graph
from torch.nn import Module

from .. import functional
from ..functional.arguments import Algorithm
from .choosing import choose
from .folding import CONVOLUTIONS, FLOATS
from .folds import Fold, folds
from .part import Part
from .running import Convolution, Planned, Pool, put_on, running_on, take_off
from .tracing import parts

ALGORITHMS = get_args(Algorithm)

POOLS: dict[type[Module], Any] = {
    getattr(torch.nn, name): getattr(functional, function)
    for family, function_family, ranks in (
        ("MaxPool", "max_pool", "123"),
        ("AvgPool", "avg_pool", "123"),
        ("LPPool", "lp_pool", "123"),
        ("AdaptiveAvgPool", "adaptive_avg_pool", "123"),
        ("AdaptiveMaxPool", "adaptive_max_pool", "123"),
        ("FractionalMaxPool", "fractional_max_pool", "23"),
        ("MaxUnpool", "max_unpool", "123"),
    )
    for rank in ranks
    for name, function in [(f"{family}{rank}d", f"{function_family}{rank}d")]
}
"""Torch's modules and our functions."""


def accelerate(
    model: Module, *, algorithm: Algorithm = "auto", faster_on: Tensor | tuple[Any, ...] | None = None
) -> Module:
    """A copy of a model whose convolutions and pools are computed by convrs on the CPU, for inference.

    The modules of the copy stay torch's own objects with their parameters, so that `state_dict`, hooks, names and
    classes are what they were; only what they run is exchanged. What follows a convolution is folded into it: a
    BatchNorm in evaluation, then the sum with a tensor of the same shape (`+`, `+=`, `torch.add`), then an activation
    (ReLU, ReLU6, LeakyReLU, PReLU, SiLU, Hardswish, Sigmoid, Tanh, GELU, Hardtanh; all but PReLU as functions too).
    What follows what is found by torch.fx; where the forward of the model cannot be traced, in those of its children
    that can. A traced part runs by its graph, in which functions that pool or convolve are computed by convrs as well.

    If a module of a part gets a hook, another mode, setting, submodule, class or forward, or a parameter or buffer
    appears or goes, the forward runs as it is written and nothing is folded, until that is taken back; a hook that is
    there already stays where it is, and what is around it is folded. New weights (`load_state_dict`, or any change in
    place that torch sees) are planned at the next call; a write through `.data` or NumPy is not seen. Tensors that were
    made under `torch.inference_mode()` do not say when they are written to: a layer with such weights is torch's. The
    settings of a convolution or pool (`stride` ...) are those it had.

    What a trace cannot see: what the forward asks of others than its arguments and attributes (global variables,
    attributes of classes, what lies in lists and objects, a dtype read through `next(self.parameters())`, settings of
    modules that it calls, whether gradients are enabled, random numbers for Python) stays what it was; accelerate again
    after changing it. What a forward does beside its result (counting in an object, hooking its modules, writing into
    weights that it uses later) may be missed, and `type(x) is Tensor`, `x is y` or an attribute set on `x` may be
    answered wrongly: of such a model, accelerate the children instead.

    A call is torch's as before where a gradient is asked for (so run the copy under `torch.inference_mode()` or
    `torch.no_grad()`), in training, under autocast, compilation, export and tracing, for unbatched inputs, other
    dtypes than float16, bfloat16, float32 and float64, and on other devices. Nothing is folded under a mode that
    watches torch's functions, or with an argument that has a default. Results lie in memory contiguously, also
    those of channels_last inputs, whose results a forward must not `view` otherwise.

    In 16 bits a fold rounds once the products of weights and normalisation, and once the result, where torch rounds
    after each step: with w and b those products, a result lies within u (sum of |w| |x| + |b| + |result|) of the exact
    one, u = 2^-11 for float16 and 2^-8 for bfloat16, and what sums of float32 err; and within 2^-25 times the sum of
    |x| more where float16 products are smaller than 2^-14.

    Args:
        model: any module, in evaluation mode.
        algorithm: of the convolutions, as in `convrs.nn`.
        faster_on: an input of the model, or a tuple of all its arguments. The model is called on it in turn with layers
            of ours and with torch's, and those are left to torch with which the whole model is faster in nearly every
            turn: some of those that torch computes faster alone, all, or none. That takes as long as some hundred
            calls, and holds for the machine, threads, shapes and dtypes that were there.

    Returns:
        The copy. `convrs.torch.report(copy)` says what became of each module.

    Raises:
        ValueError: the model is in training mode, or there is no such algorithm.
        TypeError: `model` is no module.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Conv1d(1, 4, 3), torch.nn.ReLU()).eval()
        >>> fast = accelerate(model)
        >>> list(fast.state_dict())
        ['0.weight', '0.bias']
        >>> with torch.inference_mode():
        ...     fast(torch.zeros(2, 1, 9)).shape
        torch.Size([2, 4, 7])
    """
    if not isinstance(model, Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm is {algorithm!r}: it must be one of {', '.join(ALGORITHMS)}")
    if model.training:
        raise ValueError("model is in training mode, where a BatchNorm cannot be folded; call model.eval() first")
    with torch.inference_mode(False):
        # Tensors of the inference mode do not count how often they are written to.
        model = restore(model)
        graphs = parts(model)
    ours = {module: _running(module, algorithm) for module in model.modules() if why_not(module) is None}
    layers = {root: _layers(graph, root, ours) for root, graph in graphs.items()}
    for module, running in ours.items():
        put_on(module, running)
    arrange = partial(_arrange, graphs, layers, ours)
    arrange()
    if faster_on is not None:
        choose(model, faster_on, arrange)
    return model


def _running(module: Module, algorithm: Algorithm) -> Convolution | Pool:
    if type(module) in CONVOLUTIONS:
        return Convolution(module, algorithm)
    function = POOLS[type(module)]
    names = inspect.signature(function).parameters
    return Pool(module, function, {name: getattr(module, name) for name in names if hasattr(module, name)})


def _arrange(
    graphs: Mapping[Module, Graph], layers: Mapping[Module, Mapping[Fold, Planned]], ours: Mapping[Module, Any]
) -> None:
    """Puts on the roots of the graphs what folds all that is not left to torch."""
    around = []
    for root, graph in graphs.items():
        take_off(root)
        fused = {fold: layer for fold, layer in layers[root].items() if not ours[fold.chain.convolution].slower}
        if not all(fold.alone for fold in fused):
            around.append(Part(root, graph, fused))
    for part in around:
        put_on(part.module, part)
    for part in around:
        # Only now the modules hold all that they will hold.
        part.watch()


def _layers(graph: Graph, root: Module, ours: Mapping[Module, Any]) -> dict[Fold, Planned]:
    """What can be folded in a part, with its layer."""
    found = [fold for fold in folds(graph, root) if fold.chain.convolution in ours]
    return {fold: ours[fold.chain.convolution].planned(fold.chain) for fold in found}


def restore(model: Module) -> Module:
    """A copy of an accelerated model that is all torch's again, with the weights it has now.

    Raises:
        TypeError: `model` is no module.

    Example:
        >>> model = torch.nn.Conv1d(1, 4, 3).eval()
        >>> "forward" in accelerate(model).__dict__, "forward" in restore(accelerate(model)).__dict__
        (True, False)
    """
    if not isinstance(model, Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    model = copy.deepcopy(model)
    for module in model.modules():
        take_off(module)
    return model


def why_not(module: Module) -> str | None:
    """Why a module is left to torch; None where it is not."""
    known = next((kind for kind in (*CONVOLUTIONS, *POOLS) if isinstance(module, kind)), None)
    if known is None:
        return "neither a convolution nor a pool"
    if type(module) is not known:
        return f"a subclass of {known.__name__}, which may compute something else"
    if "forward" in module.__dict__ and running_on(module) is None:
        return "it has a forward of its own"
    if known in POOLS:
        return None
    weight = module._parameters.get("weight")
    if weight is None:
        return "its weight is computed from other parameters"
    if weight.device.type != "cpu":
        return f"its weight lives on {weight.device}"
    if weight.dtype not in FLOATS:
        return f"its weight has dtype {weight.dtype}, and only floating-point ones are planned"
    return None
