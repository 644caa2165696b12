"""The dialects of pooling: what `rule=` of a pool stands for, where two of them differ, and the windows they make.

An output has floor((input + before + after - dilation * (kernel - 1) - 1) / stride) + 1 elements everywhere; with
ceil_mode it is ceil, and dialects part ways.

"torch"
    A last window of ceil mode that would begin after the input and the padding before it is dropped. A mean is divided
    by the elements of its window in input and padding (count_include_pad=False: in the input). A NaN is the maximum, of
    several the last gives the index; indices count in each plane. A power mean is of x, and a short window counts as if
    it were full. At most half a kernel of padding.
"onnx"
    Opset 22 and its node tests. Sizes, divisors and maxima are torch's; indices count in the whole array, in C order; a
    power mean is (sum |x|^p)^(1/p); any padding. `auto_pad` SAME_UPPER is padding="same", SAME_LOWER "same_lower",
    VALID "valid".
"onnxruntime-legacy"
    ONNX Runtime's CPU kernels for opsets 7 to 18 until mended (onnxruntime#16203, #29629): as "onnx", but no window of
    ceil mode is dropped, and a mean that counts the padding is divided by the whole kernel. The maximum of a window
    without elements is the least finite number, its mean NaN, or 0 where the padding counts.
"coreml"
    The operators of Core ML's model intermediate language: a window of ceil mode is dropped as by torch, but only if
    there is padding; a mean that counts the padding is divided by the whole kernel. ceil_mode for 1-D and 2-D and equal
    padding on both sides alone; of power means only that of 2, (sum x^2)^(1/2); no indices.
"tensorflow-same"
    `padding="SAME"`: ceil(input / stride) outputs, an odd element of padding goes after. A mean is divided by the
    elements in the input. A maximum begins at the least finite number, which only larger numbers replace: NaN and -inf
    never. Indices count in each image with the channels last, (row * width + column) * channels + channel. No
    ceil_mode, no power means, no padding of one's own.
"tensorflow-valid"
    `padding="VALID"`: the same without padding.

What a dialect leaves open is as torch has it: ONNX, Core ML and TensorFlow's vector code promise nothing about NaN
(tensorflow#125965 shows both answers in one call; that of a single channel is ours). Minimum pools, which no dialect
has, follow its maximum pools. Convolutions spell their dialect by padding: "same" is TensorFlow's SAME and ONNX's
SAME_UPPER, "same_lower" ONNX's SAME_LOWER.

Sources:
    ONNX: https://onnx.ai/onnx/operators/, MaxPool, AveragePool, LpPool, MaxUnpool.
    Core ML: coremltools, converters/mil/mil/ops/defs/iOS15/pool.py and _utils.py (spatial_dimensions_out_shape).
    TensorFlow: https://www.tensorflow.org/api_docs/python/tf/nn, max_pool, avg_pool, max_pool_with_argmax.

Example:
    >>> print(differences("avg_pool1d", 5, 2, ceil_mode=True, rules=("onnx", "onnxruntime-legacy")))
    avg_pool1d, input 5, kernel_size 2, stride 2, padding 0, ceil_mode: torch gives 3 outputs
      rule                in       outputs              why
      onnx                nothing
      onnxruntime-legacy  divisor  1 of 3: length at 2  the whole kernel counts: 2 instead of 1 along length at 2
"""

from .differences import Difference, Differences, differences
from .indices import convert_indices
from .names import RULES
from .windows import AxisWindows, Window, windows

__all__ = ["RULES", "AxisWindows", "Difference", "Differences", "Window", "convert_indices", "differences", "windows"]
