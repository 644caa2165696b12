"""Where an array lives, and the refusal of arrays that live apart. Torch is not imported for the question."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["expect_one_home", "home_of", "is_foreign", "is_tensor", "namespace_of", "place_of", "scattered"]

HOSTS = (1, 3, 11)
"""DLPack's numbers of memory that the CPU reads: its own, and what CUDA and ROCm have pinned."""

DEVICES = {2: "cuda", 10: "cuda", 13: "cuda", 8: "mps", 14: "xpu"}
"""DLPack's numbers of devices, as torch names them; to torch ROCm is CUDA."""


def is_tensor(array: object) -> bool:
    """Whether it is a torch tensor."""
    # A module that is being imported by another thread may lack the name.
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    return tensor is not None and isinstance(array, tensor)


def is_foreign(array: object) -> bool:
    """Whether it is an array of another library than NumPy and torch, which hands it over by DLPack."""
    if isinstance(array, np.ndarray | np.generic) or not hasattr(type(array), "__dlpack_device__"):
        return False
    return not is_tensor(array)


def place_of(array: Any) -> str:
    """The device of an array that has DLPack, as torch would write it."""
    kind, number = array.__dlpack_device__()
    if int(kind) in HOSTS:
        return "cpu"
    return f"{DEVICES[kind]}:{number}" if kind in DEVICES else f"DLPack device ({int(kind)}, {number})"


def namespace_of(array: Any) -> Any:
    """The module of an array's library that takes arrays back: the array's own answer, or its type's package."""
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    return sys.modules.get(type(array).__module__.partition(".")[0])


def home_of(array: Any) -> tuple[str, str]:
    """Library and device of an array, or of what NumPy makes one of."""
    if is_tensor(array):
        return "torch", str(array.device)
    if is_foreign(array):
        return getattr(namespace_of(array), "__name__", type(array).__module__), place_of(array)
    return "numpy", "cpu"


def expect_one_home(arrays: Mapping[str, Any]) -> None:
    """Raises a TypeError unless all arrays are of one library and on one device."""
    if len({home_of(array) for array in arrays.values() if array is not None}) > 1:
        raise scattered(arrays)


def scattered(arrays: Mapping[str, Any]) -> TypeError:
    """The refusal: which argument lives where, and the call that mends it."""
    homes = {name: home_of(array) for name, array in arrays.items() if array is not None}
    # The first one that is not just anywhere.
    library, place = next(home for home in homes.values() if home != ("numpy", "cpu"))
    stranger = next(name for name, home in homes.items() if home != (library, place))
    where = "" if place == homes[stranger][1] else f", device={place!r}"
    mend = f"torch.as_tensor({stranger}{where})" if library == "torch" else f"{library}.asarray({stranger})"
    shown = (
        f"{name}: {type(arrays[name]).__name__} of {library} on {place}" for name, (library, place) in homes.items()
    )
    return TypeError(f"all arrays must be of one library and on one device ({', '.join(shown)}); write {mend}")
