"""Profiles of hypothesis, the slow mark, and the thread count every test begins with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import convrs

SHARED = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.differing_executors],
}
settings.register_profile("fast", max_examples=40, derandomize=True, database=None, **SHARED)
settings.register_profile("long", max_examples=4000, print_blob=True, **SHARED)
settings.load_profile("fast")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: needs minutes or many gigabytes; runs in the long profile alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--hypothesis-profile") == "long":
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="runs with --hypothesis-profile=long"))


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Two threads before every test, so that no test depends on the one before it or on the machine."""
    convrs.set_num_threads(2)
    yield
    convrs.set_num_threads(2)
