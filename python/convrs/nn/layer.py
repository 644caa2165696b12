"""A planned layer: what its weights are, how it is called, where it computes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy import ndarray
from numpy.typing import NDArray

from .. import _convrs, backends, functional
from ..functional.arguments import Algorithm, Array, Padding, PaddingMode, Size
from .batch_norm import BatchNorm
from .plan import Plan

Activation: TypeAlias = str | tuple[str, Any] | tuple[str, float, float]
"""The name of an activation, with its numbers behind it if it has any."""


class PlannedLayer:
    """What all convolutions share: a planned kernel and how it is called."""

    __slots__ = ("_activation", "_bias", "_home", "_layer", "_of_tensors", "_parameters", "_run", "_weight")

    spatial: ClassVar[int]
    transposed: ClassVar[bool]

    _weight: Any
    """A read-only NumPy array; where the layer was moved to a device, a tensor there."""
    _bias: Any
    _of_tensors: bool
    """Whether it was made of torch's tensors."""
    _home: Any
    """The layer on the CPU; None if this is it."""

    def _plan(
        self,
        weight: Any,
        bias: Any,
        stride: Size,
        padding: Padding,
        output_padding: Size,
        dilation: Size,
        groups: int,
        padding_mode: PaddingMode,
        activation: Activation | None,
        algorithm: Algorithm,
        device: Any = None,
        batch_norm: BatchNorm | None = None,
    ) -> None:
        self._of_tensors = backends.is_tensor(weight)
        arrays = backends.to_numpy("weight", weight), None if bias is None else backends.to_numpy("bias", bias)
        if batch_norm is not None:
            arrays = batch_norm.folded_into(*arrays, transposed=self.transposed, groups=groups)
        self._weight, self._bias = map(_read_only, arrays)
        own = {"output_padding": output_padding} if self.transposed else {"padding_mode": padding_mode}
        self._parameters = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, **own}
        self._activation = _with_numbers(activation)
        self._layer = _convrs.Layer(
            self.spatial,
            self.transposed,
            self._weight,
            self._bias,
            stride,
            padding,
            output_padding,
            dilation,
            groups,
            padding_mode,
            self._activation,
            algorithm,
        )
        # A bound method that is looked up once: a tiny call takes about a microsecond.
        self._run: Any = self._layer.run
        self._home = None
        if not _is_cpu(device):
            self._home = copy(self)
            self._move(device)

    @property
    def weight(self) -> Any:
        """The weights as they are computed with, a BatchNorm folded in: a read-only NumPy array.

        Where the layer was made of tensors, a tensor, a copy of them; where it was moved to a device, the one there.
        """
        return self._shown(self._weight)

    @property
    def bias(self) -> Any:
        """The bias likewise, None without one."""
        return self._shown(self._bias)

    def _shown(self, array: Any) -> Any:
        return backends.as_tensor(array) if self._of_tensors and array is not None else array

    def to(self, device: Any) -> Self:
        """This layer with its weights on another device, where torch computes it, imported for it.

        The weights are moved once. Calls take tensors of that device, or arrays of other libraries there, and give back
        their kind: the numbers of the CPU to rounding, by the algorithm that torch chooses. 16-bit floats are rounded
        after each step. Float32 is not shortened to TF32 unless `convrs.allow_tf32` says so.

        Args:
            device: "cpu", or what torch takes as a device: "cuda", "cuda:1", "mps", "xpu", a torch.device.

        Returns:
            Another layer of the same weights, which keeps the CPU's with what that has packed; for "cpu" that one.

        Raises:
            ValueError: torch has no such device, or the device no such dtype.
            ImportError: there is no torch.

        Example:
            >>> import numpy as np
            >>> from convrs.nn import Conv1d
            >>> layer = Conv1d.from_weights(np.ones((1, 1, 2), np.float32))
            >>> layer.to("cpu") is layer
            True
        """
        home = self if self._home is None else self._home
        if _is_cpu(device):
            return home
        moved = copy(self)
        moved._home = home
        moved._move(device)
        return moved

    def _move(self, device: Any) -> None:
        function = getattr(functional, f"conv{'_transpose' if self.transposed else ''}{self.spatial}d")
        self._run = backends.moved(function, self._weight, self._bias, self._parameters, self._activation, device)
        self._weight, self._bias = self._run.weight, self._run.bias

    def __call__(self, input: Array, residual: Array | None = None, *, out: Array | None = None) -> Array:
        """Computes the layer.

        Args:
            input: (batch, in_channels, ...) or (in_channels, ...), in the dtype of the weights and where they live.
            residual: added before the activation; of the result's shape and dtype.
            out: array that receives the result: its shape, dtype and kind, not overlapping an input.

        Returns:
            The result, as the function of the same name gives it.

        Raises:
            ValueError: a shape does not fit.
            TypeError: a kind or dtype is wrong, or an array lives elsewhere than the weights.
        """
        if type(input) is ndarray and residual is None:
            result: Array = self._run(input, None, out)
        else:
            result = backends.call_layer(self._run, input, residual, out)
        return result

    def plan(self, shape: Sequence[int]) -> Plan:
        """How an input of that shape would be computed by the kernels.

        Raises:
            ValueError: the shape does not fit.
            TypeError: the layer was moved to a device, where torch chooses and does not tell.

        Example:
            >>> import numpy as np
            >>> from convrs.nn import Conv2d
            >>> layer = Conv2d.from_weights(np.ones((64, 32, 3, 3), np.float32))
            >>> layer.plan((1, 32, 58, 58)).multiply_adds
            57802752
        """
        if self._home is not None:
            raise TypeError(
                f"the layer computes on {self._weight.device}, where torch chooses how and does not tell; "
                f'the kernels\' plan is layer.to("cpu").plan({tuple(shape)})'
            )
        fields = self._layer.plan(list(shape))
        return Plan(**{**fields, "tile": tuple(fields["tile"])})

    def __repr__(self) -> str:
        weight = self._weight
        device = "" if self._home is None else f", device={str(weight.device)!r}"
        return f"{type(self).__name__}(weight={(*weight.shape,)}, dtype={backends.dtype_name(weight.dtype)}{device})"


def _read_only(array: NDArray[Any] | None) -> NDArray[Any] | None:
    """A copy that nobody can change behind the packed weights."""
    if array is None:
        return None
    copy = np.array(array, order="C")
    copy.flags.writeable = False
    return copy


def _with_numbers(activation: Activation | None) -> tuple[str, list[float]] | None:
    """The name of an activation and a list of its numbers."""
    if activation is None:
        return None
    if isinstance(activation, str):
        return activation, []
    if not isinstance(activation, tuple) or not activation or not isinstance(activation[0], str):
        raise TypeError(f"activation must be a name, or a tuple of a name and its numbers, got {activation!r}")
    name, *numbers = activation
    return name, [float(number) for entry in numbers for number in np.ravel(entry)]


def _is_cpu(device: object) -> bool:
    """Whether it says the CPU, as a text or as torch's object, or nothing."""
    return device is None or str(device).partition(":")[0] == "cpu"
