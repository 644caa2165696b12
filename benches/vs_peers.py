"""convrs side by side with torch and onnxruntime on the layers of layers.json.

    python benches/vs_peers.py [--threads 2] [--rounds 15] [--only resnet] [--csv table.csv]

Every engine computes the same float32 layer on the same Gaussian numbers; a result further from a float64 reference
than the a-priori bound of a float32 sum allows is not timed. Engines take turns in rounds of about 20 ms; the figure is
the median over the rounds. Run it alone on the machine: ratios of one run can be compared, single times cannot.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import importlib.util
import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import convrs

LAYERS = Path(__file__).parent / "layers.json"
ROUND_SECONDS = 0.02
UNIT_ROUNDOFF = 2.0**-24

Call = Callable[[], Any]


class Layer:
    """One layer with its operands."""

    def __init__(self, description: dict[str, Any], generator: np.random.Generator) -> None:
        self.name: str = description["name"]
        self.group: str = description["group"]
        self.op: str = description["op"]
        self.params: dict[str, Any] = description["params"]
        self.input = generator.standard_normal(description["input"], np.float32)
        weight = description["weight"]
        self.weight = None if weight is None else generator.standard_normal(weight, np.float32)

    @property
    def operands(self) -> list[np.ndarray]:
        return [self.input] if self.weight is None else [self.input, self.weight]

    def torch_result(self, *operands: torch.Tensor) -> torch.Tensor:
        return getattr(torch.nn.functional, self.op)(*operands, **self.params)

    def reference(self) -> tuple[np.ndarray, np.ndarray]:
        """Result in float64, and the bound on what float32 may be away from it: gamma_(K+1) * sum |x| |w|."""
        operands = [torch.from_numpy(array).double() for array in self.operands]
        result = self.torch_result(*operands).numpy()
        magnitude = self.torch_result(*(operand.abs() for operand in operands)).numpy()
        if self.weight is not None:
            taps = self.weight[0].size if "transpose" not in self.op else self.weight[:, 0].size
        else:
            taps = (
                self.input[0, 0].size
                if "output_size" in self.params
                else self.params["kernel_size"] ** (self.input.ndim - 2)
            )
        gamma = (taps + 1) * UNIT_ROUNDOFF / (1 - (taps + 1) * UNIT_ROUNDOFF)
        # Winograd, which some peers take, multiplies the error of a direct sum; three times is allowed.
        return result, 3 * gamma * magnitude


def with_convrs(layer: Layer, threads: int) -> Call:
    convrs.set_num_threads(threads)
    function, operands, params = getattr(convrs, layer.op), layer.operands, layer.params
    return lambda: function(*operands, **params)


def with_torch(layer: Layer, threads: int) -> Call:
    torch.set_num_threads(threads)
    operands = [torch.from_numpy(array) for array in layer.operands]
    function, params = getattr(torch.nn.functional, layer.op), layer.params
    return lambda: function(*operands, **params)


def with_channels_last(layer: Layer, threads: int) -> Call | None:
    if not layer.op.endswith("2d"):
        return None
    torch.set_num_threads(threads)
    operands = [torch.from_numpy(array).to(memory_format=torch.channels_last) for array in layer.operands]
    function, params = getattr(torch.nn.functional, layer.op), layer.params
    return lambda: function(*operands, **params)


class Module(torch.nn.Module):
    """A layer as a module, for the export."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.weight = None if layer.weight is None else torch.nn.Parameter(torch.from_numpy(layer.weight))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer.torch_result(x) if self.weight is None else self.layer.torch_result(x, self.weight)


def with_onnxruntime(layer: Layer, threads: int) -> Call | None:
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("onnxscript") is None:
        return None
    import io

    import onnxruntime

    model = io.BytesIO()
    torch.onnx.export(Module(layer).eval(), (torch.from_numpy(layer.input),), model, dynamo=True, verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.getvalue(), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: layer.input}
    return lambda: session.run(None, feed)[0]


ENGINES: dict[str, Callable[[Layer, int], Call | None]] = {
    "torch": with_torch,
    "torch_cl": with_channels_last,
    "onnxruntime": with_onnxruntime,
    "convrs": with_convrs,
}


def agrees(layer: Layer, call: Call) -> bool:
    """Whether an engine's result lies within the bound; says so where it does not."""
    expected, bound = layer.reference()
    error = np.abs(np.asarray(call(), np.float64) - expected)
    if np.all(error <= bound):
        return True
    print(f"{layer.name}: not timed, {np.max(error / np.maximum(bound, 1e-300)):.1f} times the bound", file=sys.stderr)
    return False


def measure(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Median seconds of a call, the engines in turn."""
    repeats = {}
    for name, call in calls.items():
        call()
        start = time.perf_counter()
        call()
        repeats[name] = max(1, math.ceil(ROUND_SECONDS / max(time.perf_counter() - start, 1e-7)))
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return {name: statistics.median(values) for name, values in times.items()}


def geometric_mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def head(threads: int) -> str:
    versions = []
    for package in ("convrs", "numpy", "torch", "onnxruntime"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"without {package}")
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        if cpuinfo.exists()
        else []
    )
    processor = names[0] if names else platform.processor()
    return f"{processor}, {threads} threads, {convrs._convrs.instruction_set()}; {', '.join(versions)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="layers whose name or group holds this text")
    parser.add_argument("--csv", type=Path, help="also write the table there")
    arguments = parser.parse_args()
    print(head(arguments.threads))
    print("times in microseconds; behind them how many times as fast as torch\n")
    print(f"{'layer':28}{'torch':>10}" + "".join(f"{name:>20}" for name in ENGINES if name != "torch"))
    rows: list[dict[str, Any]] = []
    for description in json.loads(LAYERS.read_text()):
        if arguments.only not in description["name"] and arguments.only not in description["group"]:
            continue
        layer = Layer(description, np.random.default_rng(0))
        calls = {}
        for name, prepare in ENGINES.items():
            call = prepare(layer, arguments.threads)
            if call is not None and agrees(layer, call):
                calls[name] = call
        times = measure(calls, arguments.rounds)
        cells = [
            f"{times[name] * 1e6:10.1f} {times['torch'] / times[name]:8.2f}x" if name in times else f"{'-':>20}"
            for name in ENGINES
            if name != "torch"
        ]
        print(f"{layer.name:28}{times['torch'] * 1e6:10.1f}" + "".join(cells), flush=True)
        rows.append({"layer": layer.name, "group": layer.group, **{name: times.get(name) for name in ENGINES}})
    print("\ngeometric mean of the speed over torch")
    for group in dict.fromkeys(row["group"] for row in rows):
        ratios = [row["torch"] / row["convrs"] for row in rows if row["group"] == group and row["convrs"]]
        if ratios:
            print(f"{group:14} {geometric_mean(ratios):6.2f}x   slowest {min(ratios):6.2f}x")
    if arguments.csv:
        with arguments.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["layer", "group", *ENGINES])
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
