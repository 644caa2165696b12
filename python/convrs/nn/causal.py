"""Causal convolution over time, whole sequences or step by step."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .. import backends
from ..functional.arguments import Algorithm, Array
from .conv import Activation, Conv1d

__all__ = ["CausalConv1d"]


class CausalConv1d:
    """Convolution whose output at a time sees that time and the ones before it: conv1d with zeros before the input.

    A sequence may be given whole, in chunks or step by step: the sums are the same, bit for bit, because every output
    adds the same products in the same order. Between chunks the layer keeps the last dilation * (kernel - 1) inputs.

    It computes on the CPU; on a device a whole sequence is `Conv1d` with padding=((dilation * (kernel - 1), 0),).

    The depthwise form (groups = channels) is the short convolution of Mamba (A. Gu and T. Dao, arXiv:2312.00752).

    Example:
        >>> import numpy as np
        >>> layer = CausalConv1d.from_weights(np.array([[[1, 10, 100]]], np.float32))
        >>> sequence = np.array([[[1, 2, 3, 4]]], np.float32)
        >>> layer(sequence)
        array([[[100., 210., 321., 432.]]], dtype=float32)
        >>> [float(layer.step(sequence[:, :, time]).item()) for time in range(4)]
        [100.0, 210.0, 321.0, 432.0]
    """

    __slots__ = ("_chunk", "_state", "_whole", "bias", "span", "weight")

    weight: NDArray[Any]
    """The weights, read-only."""
    bias: NDArray[Any] | None
    """The bias, read-only."""
    span: int
    """Inputs that are kept from chunk to chunk: dilation * (kernel - 1)."""
    _chunk: Conv1d
    _whole: Conv1d

    @classmethod
    def from_weights(
        cls,
        weight: Any,
        bias: Any = None,
        dilation: int = 1,
        groups: int | None = None,
        *,
        activation: Activation | None = None,
        algorithm: Algorithm = "direct",
    ) -> Self:
        """A layer of given weights; they are copied.

        Args:
            weight: (out_channels, in_channels / groups, kernel), or (channels, kernel) for a depthwise layer.
            bias: (out_channels,), of the same dtype.
            dilation: distance of neighbouring taps.
            groups: blocks of channels that do not see each other; if left out, as many as there are channels where a
                weight has one input channel, else 1.
            activation: the last step, as for `Conv1d`.
            algorithm: as for `Conv1d`. Chunks and whole sequences give the same bits with "direct".

        Raises:
            ValueError: a shape or value is out of range.
            TypeError: a kind or dtype is wrong.
        """
        layer = cls.__new__(cls)
        array = backends.to_numpy("weight", weight)
        if array.ndim == 2:
            array = array[:, np.newaxis]
        if array.ndim != 3:
            raise ValueError(
                f"weight has shape {array.shape}: it must be (out_channels, in_channels / groups, kernel), "
                "or (channels, kernel) for a depthwise layer"
            )
        if groups is None:
            groups = array.shape[0] if array.shape[1] == 1 else 1
        layer.span = dilation * (array.shape[-1] - 1)

        def planned(before: int) -> Conv1d:
            return Conv1d.from_weights(
                array,
                bias,
                padding=((before, 0),),
                dilation=dilation,
                groups=groups,
                activation=activation,
                algorithm=algorithm,
            )

        layer._chunk, layer._whole = planned(0), planned(layer.span)
        layer.weight, layer.bias = layer._chunk.weight, layer._chunk.bias
        layer.reset()
        return layer

    def __call__(self, input: Array, *, out: Array | None = None) -> Array:
        """A whole sequence from a silent past; what `step` and `extend` keep is neither read nor changed.

        Args:
            input: (batch, in_channels, time) or (in_channels, time).
            out: array that receives the result.

        Returns:
            (batch, out_channels, time), without the batch if the input has none.
        """
        return self._whole(input, out=out)

    def reset(self) -> None:
        """Forgets the past: the next step is the first of a new sequence."""
        self._state: NDArray[Any] | None = None

    @property
    def state(self) -> NDArray[Any] | None:
        """The last inputs, (batch, in_channels, span) or without the batch; None before the first step."""
        return None if self._state is None else self._state.copy()

    @state.setter
    def state(self, state: NDArray[Any] | None) -> None:
        if state is not None and (state.shape[-1] != self.span or state.dtype != self.weight.dtype):
            raise ValueError(
                f"state has shape {state.shape} and dtype {state.dtype}: it must hold the last {self.span} inputs, "
                f"(batch, in_channels, {self.span}), in {self.weight.dtype}"
            )
        self._state = None if state is None else np.array(state)

    def extend(self, chunk: NDArray[Any]) -> NDArray[Any]:
        """The next times of the sequence.

        Args:
            chunk: (batch, in_channels, time) or (in_channels, time), with the batch of the chunks before.

        Returns:
            (batch, out_channels, time), without the batch if the chunk has none.

        Raises:
            ValueError: the chunk does not fit the state.
        """
        chunk = backends.to_numpy("chunk", chunk)
        past = (*chunk.shape[:-1], self.span)
        state = np.zeros(past, chunk.dtype) if self._state is None else self._state
        if state.shape != past:
            raise ValueError(
                f"chunk has shape {chunk.shape}, but the sequence so far has shape {(*state.shape[:-1], '...')}; "
                "call reset() to begin another one"
            )
        if chunk.shape[-1] == 0:
            return np.empty((*chunk.shape[:-2], self.weight.shape[0], 0), chunk.dtype)
        seen = np.concatenate([state, chunk], axis=-1)
        result = self._chunk(seen)
        self._state = seen[..., seen.shape[-1] - self.span :].copy()
        return result

    def step(self, input: NDArray[Any]) -> NDArray[Any]:
        """The next time of the sequence.

        Args:
            input: (batch, in_channels) or (in_channels,).

        Returns:
            (batch, out_channels) or (out_channels,).
        """
        result: NDArray[Any] = self.extend(np.asarray(input)[..., np.newaxis])[..., 0]
        return result

    def __repr__(self) -> str:
        return f"CausalConv1d(weight={self.weight.shape}, dtype={self.weight.dtype})"
