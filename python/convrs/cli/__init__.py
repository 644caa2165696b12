"""The command `convrs`: a demo, what this machine runs, and numbers taken apart."""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import __version__, functional, get_num_threads
from .._convrs import instruction_set

__all__ = ["main"]

EXPLAIN = """\
Arguments have the names of the function's parameters; index says which element of the result. Values that end in .npy
are files of arrays, written by numpy.save.

  convrs explain max_pool2d input=x.npy kernel_size=2 index=0,0,1,1
  convrs explain conv2d input=x.npy weight=w.npy stride=2 padding=1,0 padding_mode=reflect index=0,3,-1,-1
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status: 0, or 2 for wrong arguments.

    Args:
        arguments: those after the command's name; by default the process's own.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (ArithmeticError, LookupError, OSError, TypeError, ValueError) as error:
        print(f"convrs {options.command}: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convrs", description="Convolution and pooling of torch.nn.functional on NumPy arrays."
    )
    parser.add_argument("--version", action="version", version=f"convrs {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser("demo", help="a guided tour: worked examples, then a network that reads handwriting")
    demo.set_defaults(run=_demo)
    info = commands.add_parser("info", help="version, instruction set and threads")
    info.set_defaults(run=_info)
    explain = commands.add_parser(
        "explain",
        help="take one number of a result apart",
        description="Prints every tap, product and size behind one element of a function's result.",
        epilog=EXPLAIN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    explain.add_argument("function", choices=functional.__all__, metavar="function", help="for example conv2d")
    explain.add_argument("argument", nargs="+", metavar="name=value", help="an argument of the function, or the index")
    explain.set_defaults(run=_explain)
    return parser


def _demo(_: argparse.Namespace) -> None:
    from .. import demo

    demo.run()


def _info(_: argparse.Namespace) -> None:
    rows = {
        "convrs": __version__,
        "instruction set": instruction_set(),
        "threads": get_num_threads(),
        "NumPy": np.__version__,
        "Python": sys.version.split()[0],
    }
    for name, value in rows.items():
        print(f"{name:16}{value}")


def _explain(options: argparse.Namespace) -> None:
    from ..explanation import explain

    given: dict[str, Any] = {}
    for argument in options.argument:
        name, equals, value = argument.partition("=")
        if not equals:
            raise ValueError(f"{argument!r} must have the form name=value")
        given[name] = _value(value)
    if "index" not in given:
        raise ValueError("index=N,N,... is missing: which element of the result?")
    print(explain(options.function, **given))


def _value(text: str) -> Any:
    """An array from a file, a Python literal, or a word."""
    if text.endswith(".npy"):
        return np.load(text, allow_pickle=False)
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
