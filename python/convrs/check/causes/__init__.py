"""Why a result is wrong: each way of going wrong is tried, and the one that gives the same numbers is the cause."""

from .evidence import Cause, Evidence, Hypothesis
from .places import places
from .search import causes

__all__ = ["Cause", "Evidence", "Hypothesis", "causes", "places"]
