"""The examples of the documentation run, and those of the README."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import convrs

ROOT = Path(__file__).parents[2]
MODULES = [
    module.name
    for module in pkgutil.walk_packages(convrs.__path__, "convrs.")
    if not module.name.endswith(("_convrs", ".torch", "__main__"))
]


@pytest.mark.parametrize("name", ["convrs", *MODULES])
def test_examples_of_a_module(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, verbose=False)
    assert failed == 0


@pytest.mark.parametrize("file", ["README.md", "ARCHITECTURE.md"])
def test_examples_of_a_page(file: str) -> None:
    failed, _ = doctest.testfile(str(ROOT / file), module_relative=False)
    assert failed == 0


def test_python_blocks_of_the_readme() -> None:
    """What is not written as a session runs as a program."""
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL):
        if ">>>" not in block:
            exec(compile(block, "README.md", "exec"), {})
