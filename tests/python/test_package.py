"""The package from outside: names, signatures, import, wheel."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import torch.nn.functional

import convrs
import convrs.functional
from operators import OPERATORS, Operator

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT / "tests",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- names and signatures ---


def test_every_operator_is_there_and_nothing_else() -> None:
    assert set(convrs.functional.__all__) == OPERATORS.keys()
    for name in OPERATORS:
        assert getattr(convrs, name) is getattr(convrs.functional, name)
    assert set(convrs.__all__) >= OPERATORS.keys()
    assert all(hasattr(convrs, name) for name in convrs.__all__)


TORCH_SIGNATURES = {
    # Torch writes these in C, or wraps them so that their signature is lost.
    **{f"conv{n}d": "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1" for n in (1, 2, 3)},
    **{
        f"conv_transpose{n}d": "input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1"
        for n in (1, 2, 3)
    },
    "avg_pool1d": "input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True",
    **{
        f"avg_pool{n}d": "input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, "
        "divisor_override=None"
        for n in (2, 3)
    },
    "adaptive_avg_pool1d": "input, output_size",
    **{
        f"max_pool{n}d": "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False"
        for n in (1, 2, 3)
    },
    **{
        f"min_pool{n}d": "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False"
        for n in (1, 2, 3)
    },
    **{f"adaptive_max_pool{n}d": "input, output_size, return_indices=False" for n in (1, 2, 3)},
    **{
        f"fractional_max_pool{n}d": "input, kernel_size, output_size=None, output_ratio=None, return_indices=False, "
        "_random_samples=None"
        for n in (2, 3)
    },
}


OWN = {
    "conv": {"algorithm", "padding_mode"},
    "max_pool": {"rule"},
    "min_pool": {"rule"},
    "max_unpool": {"rule"},
    "avg_pool": {"dilation", "rule"},
    "lp_pool": {"padding", "dilation", "rule"},
}
"""What comes after torch's parameters beside `out`."""


@pytest.mark.parametrize("operator", [*OPERATORS.values()], ids=str)
def test_signature_is_torchs(operator: Operator) -> None:
    ours = inspect.signature(getattr(convrs, operator.name)).parameters.values()
    positional = [parameter for parameter in ours if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    written = [
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default}"
        for parameter in positional
    ]
    if operator.name in TORCH_SIGNATURES:
        assert ", ".join(written) == TORCH_SIGNATURES[operator.name]
    else:
        theirs = inspect.signature(getattr(torch.nn.functional, operator.name)).parameters.values()
        assert [(parameter.name, parameter.default) for parameter in positional] == [
            (parameter.name, parameter.default) for parameter in theirs
        ]
    own = {parameter.name for parameter in ours if parameter.kind is parameter.KEYWORD_ONLY}
    assert own == {"out"} | OWN.get(operator.family, set())


@pytest.mark.parametrize("name", [name for name in TORCH_SIGNATURES if "max" not in name and "min" not in name])
def test_the_written_signatures_are_those_of_the_installed_torch(name: str) -> None:
    text = getattr(torch.nn.functional, name).__doc__
    assert text.strip().startswith(f"{name}({TORCH_SIGNATURES[name]}) -> ")


@pytest.mark.parametrize("operator", [*OPERATORS.values()], ids=str)
def test_documentation_is_complete(operator: Operator) -> None:
    text = inspect.getdoc(getattr(convrs, operator.name)) or ""
    for part in ("Args:", "Returns:", "Raises:", "ValueError:", "TypeError:", "Example:", ">>> "):
        assert part in text
    for name in inspect.signature(getattr(convrs, operator.name)).parameters:
        assert f"{name}:" in text


def test_completion_offers_what_is_public() -> None:
    assert dir(convrs) == sorted(convrs.__all__)
    assert {"check", "explain", "nn", "rules", "windows"} <= set(dir(convrs))


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="conv4d"):
        convrs.conv4d  # noqa: B018


def test_version() -> None:
    assert convrs.__version__ == metadata.version("convrs")


# --- import ---


def test_import_brings_no_torch_and_no_tools() -> None:
    loaded = run("-c", "import sys, convrs; print(*sys.modules)").split()
    for name in ("torch", "ml_dtypes", "convrs.check", "convrs.explanation", "convrs.cli", "convrs.demo", "rich"):
        assert name not in loaded
    assert "torch" not in run("-c", "import sys, convrs.check, convrs.explanation; print(*sys.modules)").split()


SHARE_OF_NUMPY = """
import time
begin = time.perf_counter(); import numpy
middle = time.perf_counter(); import convrs
print((time.perf_counter() - middle) / (middle - begin))
"""


def test_import_adds_at_most_half_of_what_numpy_takes() -> None:
    assert min(float(run("-c", SHARE_OF_NUMPY)) for _ in range(5)) < 0.5


# --- types ---


def test_typed() -> None:
    assert (Path(convrs.__file__).parent / "py.typed").exists()


def test_stubs_are_the_module() -> None:
    assert "Success" in run("-m", "mypy.stubtest", "convrs._convrs")


# --- the wheel ---


def wheels() -> list[Path]:
    return sorted((ROOT / "dist").glob("convrs-*.whl")) if (ROOT / "dist").exists() else []


@pytest.mark.skipif(not wheels(), reason="no wheel in dist/")
def test_wheel() -> None:
    wheel = wheels()[-1]
    assert "-cp311-abi3-" in wheel.name
    assert wheel.stat().st_size < 5_000_000
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("convrs/py.typed", "convrs/_convrs.pyi", "convrs/functional/__init__.py"):
        assert name in names
    assert sum(name.endswith(".so") for name in names) == 1
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]
    assert any("LICENSE" in name for name in names)


def test_needs_numpy_alone() -> None:
    needed = [line for line in metadata.requires("convrs") or [] if "extra ==" not in line]
    assert [line.replace(" ", "") for line in needed] == ["numpy>=1.25"]
