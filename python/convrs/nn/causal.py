"""Causal convolution over time, whole sequences or step by step."""

from __future__ import annotations

from copy import copy
from typing import Any, Self

from .. import backends
from ..functional.arguments import Algorithm, Array
from .batch_norm import BatchNorm
from .conv import Conv1d
from .layer import Activation

__all__ = ["CausalConv1d"]


class CausalConv1d:
    """Convolution whose output at a time sees that time and the ones before it: conv1d with zeros before the input.

    A sequence may be given whole, in chunks or step by step: the sums are the same, bit for bit, because every output
    adds the same products in the same order. Between chunks the layer keeps the last dilation * (kernel - 1) inputs.

    Where `to` has moved it to a device, torch computes: there, whole sequences and chunks agree to rounding.

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

    __slots__ = ("_chunk", "_state", "_whole", "span")

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
        device: Any = None,
        batch_norm: BatchNorm | None = None,
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
            device: where it computes, as for `to`; the CPU if left out.
            batch_norm: as for `Conv1d`.

        Raises:
            ValueError: a shape or value is out of range.
            TypeError: a kind or dtype is wrong.
        """
        layer = cls.__new__(cls)
        array = backends.own_kind("weight", weight)
        if array.ndim == 2:
            array = array[:, None]
        if array.ndim != 3:
            raise ValueError(
                f"weight has shape {tuple(array.shape)}: it must be (out_channels, in_channels / groups, kernel), "
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
                device=device,
                batch_norm=batch_norm,
            )

        layer._take(planned(0), planned(layer.span))
        return layer

    def _take(self, chunk: Conv1d, whole: Conv1d) -> None:
        self._chunk, self._whole = chunk, whole
        self.reset()

    @property
    def weight(self) -> Any:
        """The weights, as `Conv1d` shows them."""
        return self._chunk.weight

    @property
    def bias(self) -> Any:
        """The bias likewise, None without one."""
        return self._chunk.bias

    def to(self, device: Any) -> Self:
        """This layer with its weights on another device, at the beginning of a sequence; see `Conv1d.to`.

        Args:
            device: "cpu", or what torch takes as a device: "cuda", "cuda:1", "mps", "xpu", a torch.device.

        Returns:
            Another layer of the same weights; this one if it is on the CPU and stays there.

        Raises:
            ValueError: torch has no such device, or the device no such dtype.
            ImportError: there is no torch.
        """
        chunk = self._chunk.to(device)
        if chunk is self._chunk:
            return self
        moved = copy(self)
        moved._take(chunk, self._whole.to(device))
        return moved

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
        self._state: Any = None

    @property
    def state(self) -> Any:
        """The last inputs, (batch, in_channels, span) or without the batch; None before the first step."""
        return None if self._state is None else _copied(self._state)

    @state.setter
    def state(self, state: Any) -> None:
        if state is not None:
            state = backends.own_kind("state", state)
            dtype, weight = backends.dtype_name(state.dtype), backends.dtype_name(self.weight.dtype)
            if state.shape[-1] != self.span or dtype != weight:
                raise ValueError(
                    f"state has shape {tuple(state.shape)} and dtype {dtype}: it holds the last {self.span} inputs, "
                    f"(batch, in_channels, {self.span}), in {weight}"
                )
        self._state = None if state is None else _copied(state)

    def extend(self, chunk: Array) -> Array:
        """The next times of the sequence.

        Args:
            chunk: (batch, in_channels, time) or (in_channels, time), with the batch of the chunks before, and of their
                kind: a NumPy array, or a tensor of the device where the weights live.

        Returns:
            (batch, out_channels, time), without the batch if the chunk has none, in the kind of the chunk.

        Raises:
            ValueError: the chunk does not fit the state.
            TypeError: it has another dtype than the weights, or lives elsewhere than they or the state.
        """
        result: Array = self._extend(backends.own_kind("chunk", chunk))
        return result

    def _extend(self, now: Any) -> Any:
        past = (*now.shape[:-1], self.span)
        state = backends.zeros(past, now) if self._state is None else self._state
        if tuple(state.shape) != past:
            raise ValueError(
                f"chunk has shape {tuple(now.shape)}, but the sequence so far has shape {(*state.shape[:-1], '...')}; "
                "call reset() to begin another one"
            )
        if type(state) is not type(now):
            backends.expect_one_home({"chunk": now, "state": state})
        if now.shape[-1] == 0:
            return backends.zeros((*now.shape[:-2], self.weight.shape[0], 0), now)
        seen = backends.zeros((*now.shape[:-1], self.span + now.shape[-1]), now)
        seen[..., : self.span], seen[..., self.span :] = state, now
        result = self._chunk(seen)
        self._state = _copied(seen[..., now.shape[-1] :])
        return result

    def step(self, input: Array) -> Array:
        """The next time of the sequence.

        Args:
            input: (batch, in_channels) or (in_channels,).

        Returns:
            (batch, out_channels) or (out_channels,).
        """
        result: Array = self._extend(backends.own_kind("input", input)[..., None])[..., 0]
        return result

    def __repr__(self) -> str:
        return f"Causal{self._chunk}"


def _copied(array: Any) -> Any:
    return array.clone() if hasattr(array, "clone") else array.copy()
