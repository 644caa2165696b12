"""BatchNorm in evaluation, folded into the weights of the convolution before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import backends


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """(y - running_mean) / sqrt(running_var + eps) * weight + bias, for each channel of what a convolution gives.

    A layer takes it into its own weights: `from_weights(..., batch_norm=...)`. They are multiplied in float64 and
    rounded once to their dtype, which moves a result by at most u * (sum of |weight| |x| + |bias|) of the new weights
    and bias, with u = 2^-24 for float32, 2^-11 for float16 and 2^-8 for bfloat16; weights below float16's 2^-14 by at
    most 2^-25 times the sum of |x|.

    Attributes:
        running_mean: (channels,), NumPy's or a tensor, of any floating-point dtype; so the others.
        running_var: (channels,).
        weight: (channels,); ones if None.
        bias: (channels,); zeros if None.
        eps: as torch's.

    Example:
        >>> from convrs import nn
        >>> norm = nn.BatchNorm(np.array([1.0]), running_var=np.array([4.0]), weight=np.array([6.0]), eps=0)
        >>> layer = nn.Conv1d.from_weights(np.array([[[1, 1]]], np.float32), batch_norm=norm)
        >>> layer(np.array([[[0, 1, 2]]], np.float32))
        array([[[0., 6.]]], dtype=float32)
        >>> layer.weight, layer.bias
        (array([[[3., 3.]]], dtype=float32), array([-3.], dtype=float32))
    """

    running_mean: Any
    running_var: Any
    weight: Any = None
    bias: Any = None
    eps: float = 1e-5

    def folded_into(
        self, weight: NDArray[Any], bias: NDArray[Any] | None, *, transposed: bool, groups: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Weight and bias of a convolution with the normalisation behind it, in the weight's dtype.

        Raises:
            ValueError: a shape does not fit, or a weight becomes too large for its dtype.
            TypeError: the weight is not of a floating-point dtype.
        """
        if groups < 1 or weight.ndim < 3 or weight.shape[0] % groups:
            raise ValueError(f"weight has shape {weight.shape}: it cannot be cut into groups = {groups}")
        channels = weight.shape[1] * groups if transposed else weight.shape[0]
        mean, variance = (self._numbers(name, channels) for name in ("running_mean", "running_var"))
        with np.errstate(invalid="ignore"):
            scale = self._numbers("weight", channels, 1) / np.sqrt(variance + self.eps)
        added = np.zeros(channels) if bias is None else _widened("bias", bias)
        if added.shape != (channels,):
            raise ValueError(f"bias has shape {added.shape}, but the layer has {channels} output channels")
        # (in, out / groups, kernel ...) of a transposed one: the outputs of a group lie behind its inputs.
        factors = scale.reshape(groups, -1).repeat(weight.shape[0] // groups, axis=0) if transposed else scale[:, None]
        wide = _widened("weight", weight) * factors.reshape(*factors.shape, *[1] * (weight.ndim - 2))
        return (
            _rounded("weight", wide, weight.dtype),
            _rounded("bias", (added - mean) * scale + self._numbers("bias", channels), weight.dtype),
        )

    def _numbers(self, name: str, channels: int, default: float = 0) -> NDArray[np.float64]:
        value = getattr(self, name)
        if value is None:
            return np.full(channels, default, np.float64)
        array = backends.to_numpy(f"batch_norm.{name}", value)
        if array.shape != (channels,):
            raise ValueError(
                f"batch_norm.{name} has shape {array.shape}: it must be ({channels},), a number an output channel"
            )
        return _widened(f"batch_norm.{name}", array)


def _widened(name: str, array: NDArray[Any]) -> NDArray[np.float64]:
    if array.dtype.kind not in "fV" and backends.dtype_name(array.dtype) != "bfloat16":
        raise TypeError(f"{name} has dtype {array.dtype}: a BatchNorm is folded into floating-point numbers")
    return backends.widened(array)


def _rounded(name: str, numbers: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        rounded = backends.narrowed(numbers, dtype)
    if (np.isinf(backends.widened(rounded)) & np.isfinite(numbers)).any():
        largest = np.abs(numbers[np.isfinite(numbers)]).max()
        raise ValueError(
            f"with batch_norm folded in, {name} is as large as {largest:.3g}, too large for "
            f"{backends.dtype_name(dtype)}; make the layer of float32"
        )
    return rounded
