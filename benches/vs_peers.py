"""convrs side by side with torch, onnxruntime, OpenVINO, ncnn and SciPy on the layers of layers.json.

    python benches/vs_peers.py [--threads 2] [--rounds 15] [--only resnet] [--csv table.csv] [--svg chart.svg]

Every engine computes the same float32 layer on the same Gaussian numbers, in one process; a result further from a
float64 reference than the a-priori bound of a float32 sum allows is not timed. Engines take turns in rounds of about
20 ms, with a rest before each, in which the threads of the one before stop spinning; the figure is the median over the
rounds. Run it alone on the machine: ratios of one run can be compared, single times cannot.

`convrs` is the functional call, `planned` the layer of convrs.nn, `torch_cl` torch with its data already in NHWC order.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from charts import Bar, bars
from layers import LAYERS, Layer, read_layers
from peers import OURS, PEERS, Call, Engine
from timing import Others, geometric_mean, head, in_turn

PACKAGES = ("torch", "onnxruntime", "openvino", "ncnn", "scipy")
RATIOS = {
    "planned/best": ("planned", "best"),
    "functional/best": ("convrs", "best"),
    "functional/torch": ("convrs", "torch"),
}


def agrees(name: str, layer: Layer, call: Call, reference: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether an engine's result lies within the bound; says so where it does not."""
    expected, bound = reference
    result = call()
    array = np.asarray(result.numpy() if hasattr(result, "numpy") else result, np.float64)
    if array.shape == expected.shape and np.all(np.abs(array - expected) <= bound):
        return True
    print(f"{layer.name}: {name} is not timed, its result lies beyond the bound", file=sys.stderr)
    return False


class Row:
    """One line of the table: seconds of every engine that computes the layer."""

    def __init__(self, layer: Layer, seconds: dict[str, float]) -> None:
        self.name, self.group = layer.name, layer.group
        self.best_peer = min((name for name in seconds if name in PEERS), key=lambda name: seconds[name])
        self.seconds = {**seconds, "best": seconds[self.best_peer]}

    def ratio(self, name: str) -> float | None:
        """How many times as fast the first engine of a ratio is as the second."""
        ours, theirs = (self.seconds.get(engine) for engine in RATIOS[name])
        return None if ours is None or theirs is None else theirs / ours

    def as_text(self, engines: list[str]) -> str:
        times = [f"{self.seconds[name] * 1e6:11.1f}" if name in self.seconds else f"{'-':>11}" for name in engines]
        ratios = [f"{ratio:17.2f}" if (ratio := self.ratio(name)) is not None else f"{'-':>17}" for name in RATIOS]
        return f"{self.name:26}" + "".join(times) + f"{self.best_peer:>12}" + "".join(ratios)

    def as_record(self, engines: list[str]) -> dict[str, Any]:
        times = {f"{name} us": self.seconds[name] * 1e6 for name in engines if name in self.seconds}
        return {"layer": self.name, "group": self.group, "best": self.best_peer, **times} | {
            name: self.ratio(name) for name in RATIOS
        }


def measured(layer: Layer, engines: dict[str, Engine], threads: int, rounds: int) -> Row:
    reference = layer.reference()
    prepared = {name: engine.prepare(layer, threads) for name, engine in engines.items()}
    calls = {name: call for name, call in prepared.items() if call is not None and agrees(name, layer, call, reference)}
    return Row(layer, in_turn(calls, rounds))


def summary(rows: list[Row]) -> str:
    """Geometric mean and worst layer of each ratio, group by group."""
    lines = [f"{'times as fast':20}" + "".join(f"{name:>18}{'worst layer':>35}" for name in RATIOS)]
    for group in [*dict.fromkeys(row.group for row in rows), "all"]:
        cells = []
        for name in RATIOS:
            ratios = {row.name: row.ratio(name) for row in rows if group in (row.group, "all")}
            known = {layer: ratio for layer, ratio in ratios.items() if ratio is not None}
            worst = min(known, key=known.__getitem__, default="")
            cells.append(
                f"{geometric_mean(list(known.values())):18.2f}{worst:>26}{known[worst]:9.2f}" if known else f"{'-':>53}"
            )
        lines.append(f"{group:20}" + "".join(cells))
    return "\n".join(lines)


def chart(title: str, rows: list[Row]) -> str:
    lines = [
        Bar(row.group, row.name, row.ratio("planned/best"), row.ratio("functional/best"), note(row)) for row in rows
    ]
    heading = ["How many times as fast as the fastest peer (float32)", *title.split("; ")]
    return bars(heading, lines, "planned layer / best peer", "functional call / best peer")


def note(row: Row) -> str:
    ratio = row.ratio("planned/best") or row.ratio("functional/best")
    return f"{ratio:.2f} of {row.best_peer}" if ratio else row.best_peer


def write_csv(path: Path, rows: list[Row], engines: list[str]) -> None:
    with path.open("w", newline="") as file:
        columns = ["layer", "group", "best", *(f"{name} us" for name in engines), *RATIOS]
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(row.as_record(engines) for row in rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="layers whose name or group holds this text")
    parser.add_argument("--layers", type=Path, default=LAYERS, help="another file of layers")
    parser.add_argument("--csv", type=Path, help="also write the table there")
    parser.add_argument("--svg", type=Path, help="also draw the chart there")
    return parser.parse_args()


@torch.inference_mode()
def main() -> None:
    arguments = parse()
    title = head(arguments.threads, *PACKAGES)
    print(title)
    engines = {}
    for name, engine in (PEERS | OURS).items():
        if engine.missing:
            print(f"{name} is left out: {', '.join(engine.missing)} not installed")
        else:
            engines[name] = engine
    print(f"\n{'microseconds':26}" + "".join(f"{name:>11}" for name in engines), end="")
    print(f"{'best peer':>12}" + "".join(f"{name:>17}" for name in RATIOS), flush=True)
    rows, others = [], Others()
    for layer in read_layers(arguments.layers, arguments.only):
        rows.append(measured(layer, engines, arguments.threads, arguments.rounds))
        print(rows[-1].as_text(list(engines)), flush=True)
    print(f"\n{summary(rows)}\n\n{others}")
    if arguments.csv:
        write_csv(arguments.csv, rows, list(engines))
    if arguments.svg:
        arguments.svg.write_text(chart(title, rows))


if __name__ == "__main__":
    main()
