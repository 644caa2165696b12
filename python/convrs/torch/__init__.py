"""Torch programs through convrs on the CPU.

`accelerate(model)` gives a copy of a model whose convolutions and pools run by planned layers, `report` says which and
how fast, `restore` gives torch's own back. `with intercept():` sends the calls of any torch code through us. The
functions are operators of torch as well, `torch.ops.convrs.conv2d` and others (see `convrs.torch.operators`). This
module imports torch; `import convrs` does not.

Example:
    >>> import torch
    >>> from convrs.torch import accelerate, report
    >>> layers = torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.MaxPool2d(2)
    >>> model = torch.nn.Sequential(*layers).eval()
    >>> fast = accelerate(model)
    >>> image = torch.randn(1, 3, 16, 16)
    >>> with torch.inference_mode():
    ...     torch.allclose(fast(image), model(image), atol=1e-5)
    True
    >>> print(report(fast))
    module  kind         computed by  why
    0       Conv2d       convrs       with 1, 2 folded in
    1       BatchNorm2d  convrs       folded into 0
    2       ReLU         convrs       folded into 0
    3       MaxPool2d    convrs
"""

from . import operators as operators
from .accelerate import accelerate, restore
from .intercept import intercept
from .report import Report, Row, Traced, report

__all__ = ["Report", "Row", "Traced", "accelerate", "intercept", "report", "restore"]
