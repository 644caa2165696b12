"""The same network in torch, where that is installed: its time, and how far its layers are from ours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as functional

from .. import check, get_num_threads
from ..functional import conv2d
from .digits import Floats, fastest, hidden_layers
from .tour import say


def run(pixels: Floats, weights: Mapping[str, Floats], seconds: float) -> None:
    """Prints torch's time beside ours, and for each convolution the largest difference beside its bound."""
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    images = torch.from_numpy(pixels)
    threads = torch.get_num_threads()
    torch.set_num_threads(get_num_threads())
    with torch.inference_mode():
        theirs = fastest(lambda: _scores(images, tensors))
    torch.set_num_threads(threads)
    say(
        f"torch {torch.__version__} with as many threads takes {theirs * 1000:.2f} ms for all {len(pixels)} images, "
        f"convrs {seconds * 1000:.2f} ms."
    )
    say(
        "The convolutions beside torch's, on the same inputs. Each result must lie within its rounding bound of the "
        "exact one, so the two may differ by twice that. The element that comes nearest to it, of each layer:"
    )
    first, _ = hidden_layers(pixels, weights)
    for name, seen in (("conv1", pixels), ("conv2", first)):
        weight, bias = weights[f"{name}_weight"], weights[f"{name}_bias"]
        ours = conv2d(seen, weight, bias, padding=1)
        with torch.inference_mode():
            other = functional.conv2d(
                torch.from_numpy(seen), tensors[f"{name}_weight"], tensors[f"{name}_bias"], padding=1
            ).numpy()
        difference = np.abs(ours.astype(np.float64) - other)
        bound = 2 * check.rounding_bound("conv2d", seen, weight, bias, padding=1)
        worst = np.unravel_index((difference / bound).argmax(), bound.shape)
        verdict = "below" if (difference <= bound).all() else "NOT BELOW"
        print(f"  {name}: difference {difference[worst]:.2g}, {verdict} its bound {bound[worst]:.2g}", end="")
        print(f"; largest anywhere {difference.max():.2g}")


def _scores(images: torch.Tensor, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    hidden = images
    for name in ("conv1", "conv2"):
        hidden = functional.conv2d(hidden, tensors[f"{name}_weight"], tensors[f"{name}_bias"], padding=1)
        hidden = functional.max_pool2d(functional.relu(hidden), 2)
    return functional.linear(hidden.flatten(1), tensors["linear_weight"], tensors["linear_bias"])
