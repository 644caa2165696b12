"""What is there to compute with, and where each kind of array goes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from .. import _convrs
from .choice import chosen, tf32_is_allowed

__all__ = ["Description", "describe"]

KERNELS, TORCH = "the kernels of convrs", "torch"


@dataclass(frozen=True)
class Description:
    """What `describe` found. Print it to read it."""

    instruction_set: str
    """The instruction set of the kernels."""
    threads: int
    """The threads of the kernels."""
    torch: str | None
    """The version of the torch that is installed; None without one."""
    devices: tuple[str, ...] | None
    """The devices that torch has beside the CPU; None if nobody looked, since torch is not imported."""
    routes: Mapping[str, str]
    """Who computes each kind of array."""
    tf32: bool
    """Whether float32 convolutions on a CUDA device may use TF32."""

    def __str__(self) -> str:
        looked = "not looked for: torch is not imported" if self.torch else "none without torch"
        devices = looked if self.devices is None else ", ".join(self.devices) or "none"
        facts = {
            "instruction set": self.instruction_set,
            "threads": str(self.threads),
            "torch": self.torch or "not installed",
            "devices": devices,
            "TF32": "allowed" if self.tf32 else "off inside calls",
            **self.routes,
        }
        width = max(map(len, facts))
        return "\n".join(f"{name:{width}}  {fact}" for name, fact in facts.items())


def describe(*, look: bool = False) -> Description:
    """Says which instruction set, threads, torch and devices there are, and where each kind of array would be sent.

    Args:
        look: import torch, if it is installed, to see its devices. Else they are told only if it is imported already.

    Returns:
        The facts, an object to read or to print. The routes are those of the caller's context; see `use_backend`.

    Example:
        >>> import convrs.backends
        >>> convrs.backends.describe().routes["NumPy arrays"]
        'the kernels of convrs'
    """
    # Its import takes longer than that of convrs.
    from importlib import metadata

    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        version = None
    devices = None
    if version is not None and (look or "torch" in sys.modules):
        from . import torch

        devices = torch.devices()
    return Description(
        _convrs.instruction_set(), _convrs.get_num_threads(), version, devices, _routes(version), tf32_is_allowed()
    )


def _routes(torch: str | None) -> dict[str, str]:
    forced = {"rust": KERNELS, "torch": TORCH, None: None}[chosen()]
    copied = f"{KERNELS}, copied to the CPU and back" if forced == KERNELS else None
    elsewhere = copied or (TORCH if torch else "refused without torch")
    return {
        "NumPy arrays": forced or KERNELS,
        "torch tensors, CPU": forced or f"{KERNELS}, over the same memory",
        "torch tensors, other devices": copied or TORCH,
        "DLPack arrays, CPU": forced or f"{KERNELS}, over the same memory",
        "DLPack arrays, other devices": elsewhere,
    }
