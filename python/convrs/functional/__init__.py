"""Convolution and pooling of torch.nn.functional on arrays.

Names, order and defaults of the parameters are torch's; `out`, `rule` of pools and `padding_mode` of convolutions come
after them, by keyword alone. NumPy arrays (and what numpy.asarray makes one of) give a NumPy array, computed by the
Rust kernels. Torch tensors give a torch tensor on their device: on the CPU computed by the same kernels over the
tensors' own memory, elsewhere by torch.nn.functional.
"""

from .adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from .average import avg_pool1d, avg_pool2d, avg_pool3d, lp_pool1d, lp_pool2d, lp_pool3d
from .conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from .fractional import fractional_max_pool2d, fractional_max_pool3d
from .max_pool import max_pool1d, max_pool2d, max_pool3d
from .max_unpool import max_unpool1d, max_unpool2d, max_unpool3d
from .min_pool import min_pool1d, min_pool2d, min_pool3d
from .patches import fold, unfold

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "min_pool1d",
    "min_pool2d",
    "min_pool3d",
    "unfold",
]
