"""The names of the rules."""

from __future__ import annotations

from typing import get_args

from ..functional.arguments import Rule

RULES: tuple[Rule, ...] = get_args(Rule)
"""Every rule that `rule=` takes."""
