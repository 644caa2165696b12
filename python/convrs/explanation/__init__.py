"""One number of a result taken apart: the taps it is made of, in the kernel's order, and the sizes behind it."""

from .explain import explain
from .model import Axis, Cell, Explanation, Plane, Step, Tap

__all__ = ["Axis", "Cell", "Explanation", "Plane", "Step", "Tap", "explain"]
