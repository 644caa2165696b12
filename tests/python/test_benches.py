"""The benches measure what they say: peers set up rightly, products counted, cliffs seen, charts drawn."""

from __future__ import annotations

import csv
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

BENCHES = Path(__file__).parents[2] / "benches"

LAYERS: list[dict[str, Any]] = [
    {"op": "conv1d", "input": [2, 1, 50], "weight": [1, 1, 7], "params": {"padding": 2, "stride": 2}},
    {"op": "conv1d", "input": [1, 6, 20], "weight": [6, 2, 3], "params": {"dilation": 2, "groups": 3}},
    {"op": "conv2d", "input": [2, 4, 9, 11], "weight": [6, 2, 3, 2], "params": {"stride": [2, 1], "groups": 2}},
    {"op": "conv2d", "input": [1, 1, 9, 11], "weight": [1, 1, 4, 3], "params": {"padding": [2, 1]}},
    *(
        {
            "op": "conv2d",
            "input": [2, 3, 9, 8],
            "weight": [4, 3, 3, 3],
            "params": {"padding": 1},
            "residual": residual,
            "activation": activation,
        }
        for residual in (False, True)
        for activation in (None, "relu", "relu6", "silu", "gelu")
    ),
    {"op": "conv3d", "input": [1, 2, 4, 6, 8], "weight": [3, 2, 1, 3, 2], "params": {"padding": [0, 1, 1]}},
    {"op": "conv_transpose1d", "input": [1, 4, 9], "weight": [4, 3, 5], "params": {"stride": 3, "output_padding": 2}},
    {
        "op": "conv_transpose2d",
        "input": [1, 4, 5, 6],
        "weight": [4, 3, 3, 2],
        "params": {"stride": [3, 2], "padding": [1, 0], "output_padding": [2, 1], "groups": 2},
    },
    {"op": "max_pool2d", "input": [1, 2, 9, 12], "weight": None, "params": {"kernel_size": [3, 2], "padding": [1, 0]}},
    {"op": "avg_pool2d", "input": [1, 2, 9, 12], "weight": None, "params": {"kernel_size": 3, "padding": 1}},
    {"op": "adaptive_avg_pool2d", "input": [1, 2, 5, 7], "weight": None, "params": {"output_size": 1}},
]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a bench by its name."""
    monkeypatch.syspath_prepend(BENCHES)
    return importlib.import_module


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the thread pools of the peers stay out of this one."""
    command = [sys.executable, *map(str, command)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=BENCHES)


CHECK = """
import pathlib, sys
import layers, peers, vs_peers
for layer in layers.read_layers(pathlib.Path(sys.argv[1]), ""):
    for name, engine in (peers.PEERS | peers.OURS).items():
        call = None if engine.missing else engine.prepare(layer, 2)
        assert call is None or vs_peers.agrees(name, layer, call, layer.reference())
"""


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    named = [{"name": f"{number}.{layer['op']}", "group": layer["op"], **layer} for number, layer in enumerate(LAYERS)]
    path = tmp_path / "layers.json"
    path.write_text(json.dumps(named))
    return path


def test_every_installed_engine_is_within_the_bound_of_every_layer(layers: Path) -> None:
    result = run("-c", CHECK, layers)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_table_the_file_and_the_chart_tell_the_same(layers: Path, tmp_path: Path) -> None:
    table, chart = tmp_path / "table.csv", tmp_path / "chart.svg"
    options = ("--only", "max_pool", "--layers", layers, "--csv", table, "--svg", chart)
    result = run("vs_peers.py", "--rounds", "1", *options)
    assert (result.returncode, result.stderr) == (0, "")
    with table.open() as file:
        (row,) = csv.DictReader(file)
    speedup = float(row["torch us"]) / float(row["convrs us"])
    assert float(row["functional/torch"]) == pytest.approx(speedup)
    assert f"{speedup:.2f}" in result.stdout
    assert ElementTree.parse(chart).getroot().tag.endswith("svg")
    assert f"{float(row['functional/best']):.2f} of {row['best']}" in chart.read_text()


def test_a_sweep_draws_its_tables(tmp_path: Path) -> None:
    chart = tmp_path / "sweep.svg"
    result = run("sweep.py", "--functional", "--only", "dilation", "--svg", chart)
    assert "dilation \\ kernel" in result.stdout
    assert result.returncode == ("!" in result.stdout)
    assert ElementTree.parse(chart).getroot().tag.endswith("svg")


def test_each_library_is_measured_alone_and_beside_the_other(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    coexistence = bench("coexistence")
    monkeypatch.setattr(coexistence, "SECONDS", 0.0)
    called: list[str] = []
    for name in coexistence.LIBRARIES:
        monkeypatch.setitem(coexistence.LIBRARIES, name, lambda threads, name=name: {"": lambda: called.append(name)})
    orders = {
        "alone": ["torch"] * 10,
        "used": ["convrs"] + ["torch"] * 10,
        "in turn": ["convrs"] + ["convrs", "torch"] * 10,
    }
    for beside, order in orders.items():
        called.clear()
        assert len(coexistence.measure("torch", beside, 2)) == 1
        assert called == order


def test_products_are_those_on_real_elements(bench: Any) -> None:
    for problem in (
        bench("grid").Problem(2, 4, 6, 5, (11, 3), 1, 1, 2),
        bench("grid").Problem(1, 1, 1, 14, (5, 1), 3, 2),
        bench("grid").Problem(1, 8, 8, 7, (3, 3), 2, 1, 8),
    ):
        ones = [torch.ones(shape) for shape in (problem.input_shape, problem.weight_shape)]
        result = torch.nn.functional.conv2d(*ones, **problem.params)
        assert tuple(result.shape[2:]) == problem.output_size
        assert int(result.sum()) == problem.products


def test_a_cliff_is_seen_from_every_side(bench: Any) -> None:
    lagging = bench("sweep").lagging
    assert set(lagging([[8.0, 8.0, 8.0], [8.0, 3.9, 8.0], [8.0, 8.0, 8.0]])) == {(1, 1)}
    assert set(lagging([[1.0, 2.1]])) == {(0, 0)}
    assert set(lagging([[1.0, 2.0, None], [None, None, 9.0]])) == set()


def test_errors_are_judged_where_the_result_is_finite(bench: Any) -> None:
    accuracy = bench("accuracy")
    case = accuracy.Case(2, (4, 5))
    x, w = np.ones((1, 2, 4, 5), np.float32), case.weight(np.random.default_rng(0))
    x[0, 0, 0, 0] = np.inf
    reference = accuracy.Reference(case, x, w)
    exact = reference.result.astype(np.float32)
    assert reference.judge(exact).wrong_kind == 0
    assert reference.judge(exact).of_taps < 1
    spread = np.where(np.isfinite(exact), exact, np.nan)
    assert reference.judge(spread).wrong_kind == np.isinf(exact).sum()


@pytest.mark.parametrize("plane", [(30,), (9, 12), (4, 9, 12)])
def test_inputs_fill_every_rank(bench: Any, plane: tuple[int, ...]) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")
    inputs = bench("inputs")
    for name, fill in (inputs.NETWORK_INPUTS | inputs.ADVERSARIAL_INPUTS).items():
        x = fill((1, 4, *plane), np.random.default_rng(0))
        assert (x.shape, x.dtype) == ((1, 4, *plane), np.float32), name
        assert np.ptp(x[np.isfinite(x)]) > 0, name
