"""Clocks and the head of a table: what every bench measures with, and on what it was measured."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import convrs

ROUND_SECONDS = 0.02
# Threads of torch, onnxruntime and ncnn go on spinning for up to 20 ms after a call, on the cores of the next engine.
REST_SECONDS = 0.025

Call = Callable[[], Any]


def seconds_of(call: Call, least_seconds: float = ROUND_SECONDS, least_calls: int = 3) -> float:
    """Shortest of the calls that fit into some time, after one that warms up: what the machine can do, noise aside."""
    call()
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < least_calls or time.perf_counter() - begin < least_seconds:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def in_turn(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Median seconds of a call over rounds, the engines in turn, so that a drift of the machine meets all of them."""
    repeats = {name: max(1, math.ceil(ROUND_SECONDS / seconds_of(call, 0.0, 2))) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(REST_SECONDS)
            times[name].append(round_of(call, repeats[name]))
    return {name: statistics.median(values) for name, values in times.items()}


def round_of(call: Call, repeats: int) -> float:
    """Mean seconds of a call, after one that wakes the engine's threads."""
    call()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def geometric_mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"without {package}"


def head(threads: int, *packages: str) -> str:
    """Processor, threads, instruction set and versions: without them a time means nothing."""
    versions = ", ".join(version(package) for package in ("convrs", "numpy", *packages))
    machine = f"{processor()}, {threads} thread{'s' if threads > 1 else ''}, {convrs._convrs.instruction_set()}"
    return f"{machine}; {versions}"


class Others:
    """How much of the machine other programs took since this was made: threads that wait for one another then crawl."""

    def __init__(self) -> None:
        self.begin = self.used()

    @staticmethod
    def used() -> tuple[float, float] | None:
        """Processor seconds of this process and those the machine gave or lost to anyone, if Linux counts them."""
        statistics_file = Path("/proc/stat")
        if not statistics_file.exists():
            return None
        ticks = list(map(int, statistics_file.read_text().splitlines()[0].split()[1:9]))
        idle = ticks[3] + ticks[4]
        return time.process_time(), (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK")

    def __str__(self) -> str:
        now = self.used()
        if self.begin is None or now is None:
            return "other programs: not known"
        own, everyone = (after - before for before, after in zip(self.begin, now, strict=True))
        share = max(everyone - own, 0.0) / max(everyone, 1e-9)
        return f"other programs took {share:.0%} of the processor time" + ("; do not trust this run" * (share > 0.05))
