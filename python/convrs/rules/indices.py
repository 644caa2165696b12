"""Indices of maxima from one dialect's count to another's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

IndexOrder: TypeAlias = Literal["torch", "onnx", "onnx-column-major", "tensorflow"]
"""What indices count, see `convert_indices`."""

ORDERS = ("torch", "onnx", "onnx-column-major", "tensorflow")


def convert_indices(
    indices: NDArray[np.int64], input_shape: Sequence[int], source: IndexOrder = "torch", target: IndexOrder = "onnx"
) -> NDArray[np.int64]:
    """The same elements in the way another dialect counts them.

    "torch" counts in each plane, "onnx" in the whole array, both in C order; "onnx-column-major" is ONNX's
    storage_order=1, in which the first spatial axis is the fastest; "tensorflow" counts in each image with the channels
    last (include_batch_in_index=False).

    Args:
        indices: (batch, channels, spatial axes), what a maximum pool gives beside its values.
        input_shape: the shape of the pool's input, batch and channels included.
        source: how they count.
        target: how the result counts.

    Returns:
        int64, of the same shape.

    Raises:
        ValueError: no such order, the ranks differ, or an index lies outside its plane.

    Source:
        onnx#2398 and pytorch#16455 for the two flat counts; tf.nn.max_pool_with_argmax for TensorFlow's.

    Example:
        >>> indices = np.array([[[1], [0]]])
        >>> convert_indices(indices, (1, 2, 3)).tolist()
        [[[1], [3]]]
        >>> convert_indices(indices, (1, 2, 3), target="tensorflow").tolist()
        [[[2], [1]]]
    """
    for name, order in (("source", source), ("target", target)):
        if order not in ORDERS:
            raise ValueError(f"{name} is {order!r}: it must be one of {', '.join(ORDERS)}")
    batch, channels, *sizes = input_shape
    if indices.ndim != len(input_shape) or indices.shape[:2] != (batch, channels) or not sizes:
        raise ValueError(
            f"indices has shape {indices.shape}: it must have the batch, channels and rank of {input_shape}"
        )
    elements = int(np.prod(sizes))
    axes = tuple(range(2, indices.ndim))
    plane = np.expand_dims(np.arange(batch)[:, None] * channels + np.arange(channels), axes)
    channel = np.expand_dims(np.arange(channels)[None], axes)
    if source == "tensorflow":
        place, rest = np.divmod(indices - channel, channels)
        wrong = rest != 0
    else:
        place = indices - (plane * elements if source.startswith("onnx") else 0)
        wrong = np.zeros(indices.shape, np.bool_)
    wrong |= (place < 0) | (place >= elements)
    if wrong.any():
        first = tuple(int(at) for at in np.argwhere(wrong)[0])
        raise ValueError(f"indices is {indices[first]} at {first}: it lies outside a plane of {elements} elements")
    if source == "onnx-column-major":
        place = np.ravel_multi_index(np.unravel_index(place, sizes, order="F"), sizes)
    if target == "onnx-column-major":
        place = np.ravel_multi_index(np.unravel_index(place, sizes), sizes, order="F")
    if target == "tensorflow":
        return np.asarray(place * channels + channel, np.int64)
    return np.asarray(place + (plane * elements if target.startswith("onnx") else 0), np.int64)
