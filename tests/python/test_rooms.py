"""The walls of the design: which room uses which, and where `unsafe` and torch may appear."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUST, PYTHON = ROOT / "src", ROOT / "python" / "convrs"

RUST_ROOMS: dict[str, set[str]] = {
    "error": set(),
    "shape": {"error"},
    "array": {"error", "shape"},
    "simd": {"error", "shape", "array"},
    "parallel": {"error"},
    "conv": {"error", "shape", "array", "simd", "parallel"},
    "pool": {"error", "shape", "array", "simd", "parallel"},
    "reference": {"array", "error"},
    "python": {"error", "shape", "array", "simd", "parallel", "conv", "pool"},
}
"""What a room may use besides itself."""

UNSAFE = ("array/", "simd/", "conv/", "pool/", "parallel", "python/arrays.rs")
"""Where `unsafe` may stand."""

PYTHON_ROOMS: dict[str, set[str]] = {
    "backends": {"_convrs"},
    "functional": {"_convrs", "backends"},
    "nn": {"_convrs", "functional", "backends"},
    "torch": {"functional", "backends", "nn"},
    "check": {"functional", "backends"},
    "rules": {"_convrs", "functional", "check"},
    "explanation": {"_convrs", "functional", "backends", "check", "rules"},
    "demo": {"_convrs", "functional", "check", "explanation"},
    "cli": {"_convrs", "functional", "check", "explanation", "demo"},
}


def rust_code(path: Path) -> str:
    """A file without its comments and its unit tests."""
    text = re.sub(r"//.*", "", path.read_text())
    return text.split("#[cfg(test)]")[0]


def rust_files(room: str) -> list[Path]:
    single = RUST / f"{room}.rs"
    return [*(RUST / room).rglob("*.rs"), *([single] if single.exists() else [])]


def test_every_room_is_known() -> None:
    rooms = {path.stem for path in RUST.iterdir()} - {"lib"}
    assert rooms == RUST_ROOMS.keys()


@pytest.mark.parametrize("room", RUST_ROOMS)
def test_a_rust_room_uses_what_it_may(room: str) -> None:
    for path in rust_files(room):
        code = rust_code(path)
        used = set(re.findall(r"\bcrate::(\w+)", code))
        for group in re.findall(r"\bcrate::\{([^}]*)\}", code):
            used |= set(re.findall(r"(?:^|,)\s*(\w+)", group))
        used = {name for name in used if name in RUST_ROOMS or not name[0].isupper()}
        assert used <= RUST_ROOMS[room] | {room}, f"{path.relative_to(ROOT)} uses {used - RUST_ROOMS[room]}"


def test_unsafe_stays_in_its_rooms() -> None:
    for path in RUST.rglob("*.rs"):
        if re.search(r"\bunsafe\b", rust_code(path)):
            assert str(path.relative_to(RUST)).startswith(UNSAFE), path


def test_nothing_outside_simd_depends_on_the_architecture() -> None:
    for path in RUST.rglob("*.rs"):
        if path.parent.name != "simd":
            assert not re.search(r"target_arch|core::arch|std::arch|is_x86_feature", rust_code(path)), path


def python_imports(path: Path) -> set[str]:
    """Names of modules that a file imports, relative ones from the package's root."""
    found = set()
    room = path.relative_to(PYTHON).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = [".", *room[: len(room) + 1 - node.level]] if node.level else []
            base += node.module.split(".") if node.module else []
            found |= {".".join([*base, alias.name]) if len(base) < 2 else ".".join(base) for alias in node.names}
    return found


@pytest.mark.parametrize("room", PYTHON_ROOMS)
def test_a_python_room_uses_what_it_may(room: str) -> None:
    for path in (PYTHON / room).rglob("*.py"):
        inside = {name.removeprefix("..").split(".")[0] for name in python_imports(path) if name.startswith(".")}
        rooms = inside & {*PYTHON_ROOMS, "_convrs", "nn"}
        assert rooms <= PYTHON_ROOMS[room] | {room}, f"{path.relative_to(ROOT)} uses {rooms - PYTHON_ROOMS[room]}"


TORCH = (
    "backends/torch.py",
    "backends/memory.py",
    "backends/device/",
    "backends/autograd.py",
    "demo/torch.py",
    "torch/",
)
"""Where torch may be imported."""


def test_torch_is_imported_where_it_may_be() -> None:
    for path in PYTHON.rglob("*.py"):
        if any(name.split(".")[0] == "torch" for name in python_imports(path)):
            assert str(path.relative_to(PYTHON)).startswith(TORCH), path


@pytest.mark.parametrize(
    "path", [*RUST.rglob("*.rs"), *PYTHON.rglob("*.py")], ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_file_is_longer_than_400_lines_of_code(path: Path) -> None:
    """Documentation does not count: the functions' docstrings are long on purpose."""
    text = path.read_text()
    if path.suffix == ".py":
        text = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    assert len([line for line in text.splitlines() if line.strip()]) <= 400
