"""Threads: their number, forced instruction sets, many callers, fork, Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import convrs

ON_X86 = os.uname().machine == "x86_64"


def python(code: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def printed(code: str, **environment: str) -> str:
    done = python(code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- how many ---


def test_set_and_get() -> None:
    for count in (1, 3, 2):
        convrs.set_num_threads(count)
        assert convrs.get_num_threads() == count


@pytest.mark.parametrize("count", [0, -1])
def test_at_least_one(count: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        convrs.set_num_threads(count)
    assert convrs.get_num_threads() == 2


def test_not_more_than_a_number_of_64_bits() -> None:
    with pytest.raises(ValueError, match="num_threads is 1180591620717411303424"):
        convrs.set_num_threads(2**70)


@pytest.mark.parametrize("count", [1.5, "2", None])
def test_a_whole_number(count: object) -> None:
    with pytest.raises(TypeError):
        convrs.set_num_threads(count)  # type: ignore[arg-type]


NUMBER = "import convrs; print(convrs.get_num_threads())"


def test_the_environment_decides() -> None:
    assert printed(NUMBER, CONVRS_NUM_THREADS="3") == "3"


def test_affinity_decides() -> None:
    first = min(os.sched_getaffinity(0))
    assert printed(f"import os; os.sched_setaffinity(0, [{first}]); {NUMBER}", CONVRS_NUM_THREADS="") == "1"


def test_never_more_than_the_machine_has() -> None:
    assert 1 <= int(printed(NUMBER, CONVRS_NUM_THREADS="")) <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize("value", ["0", "-2", "many"])
def test_nonsense_in_the_environment_does_no_harm(value: str) -> None:
    """Either a clear error at import or the default."""
    done = python(NUMBER, CONVRS_NUM_THREADS=value)
    assert (done.returncode == 0 and int(done.stdout) >= 1) or "CONVRS_NUM_THREADS" in done.stderr


MEMORY = """
import random
import numpy as np, convrs
from convrs import nn

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

numbers = np.random.default_rng(0).standard_normal(8 * 64 * 64).astype(np.float32)
weight = numbers[: 12 * 8 * 9].reshape(12, 8, 3, 3)
layer = nn.Conv2d.from_weights(weight, padding=1)
draw = random.Random(0)

def work(height, width):
    image = numbers[: 8 * height * width].reshape(1, 8, height, width)
    layer(image)
    convrs.conv2d(image, weight, stride=draw.randint(1, 3))
    convrs.conv_transpose2d(image[..., :16, :16], weight.reshape(8, 12, 3, 3), stride=draw.randint(1, 3))
    convrs.max_pool2d(image, draw.randint(1, 3))

for _ in range(500):
    work(64, 64)
before = resident()
for number in range(10_000):
    work(3 + number % 62, 3 + number // 62 % 62)
print((resident() - before) / 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_stays_flat_over_ten_thousand_shapes() -> None:
    assert float(printed(MEMORY)) < 1.0


# --- instruction sets ---

SET = "from convrs import _convrs; print(_convrs.instruction_set())"


def test_portable_runs_everywhere() -> None:
    assert printed(SET, CONVRS_ISA="portable") == "portable"


@pytest.mark.skipif(not ON_X86, reason="the names are those of x86-64")
@pytest.mark.parametrize(("name", "flags"), [("avx2", {"avx2", "fma"}), ("avx512", {"avx512f"})])
def test_forced_or_refused(name: str, flags: set[str]) -> None:
    known = set(Path("/proc/cpuinfo").read_text().split())
    done = python(SET, CONVRS_ISA=name)
    if flags <= known:
        assert done.stdout.strip() == name, done.stderr
    else:
        assert done.returncode != 0
        assert "CONVRS_ISA" in done.stderr


def test_an_unknown_set_is_refused() -> None:
    done = python(SET, CONVRS_ISA="mmx")
    assert done.returncode != 0
    assert "CONVRS_ISA" in done.stderr
    assert "portable" in done.stderr


AGREES = """
import numpy as np, convrs
generator = np.random.default_rng(0)
image = generator.integers(-8, 8, (2, 5, 19, 23)).astype(np.float32)
weight = generator.integers(-8, 8, (7, 5, 3, 3)).astype(np.float32)
means = convrs.avg_pool2d(image, 2).sum(dtype=np.float64)
sums = convrs.conv2d(image, weight, padding=1).sum(dtype=np.float64)
print(sums, means, convrs.max_pool2d(image, 3, 2, 1).sum(dtype=np.float64))
"""


@pytest.mark.parametrize("name", ["portable", "avx2"])
def test_sets_agree_on_whole_numbers(name: str) -> None:
    done = python(AGREES, CONVRS_ISA=name)
    if "CONVRS_ISA" in done.stderr:
        pytest.skip(f"no {name} here")
    assert done.stdout.strip() == printed(AGREES, CONVRS_ISA="")


# --- many callers ---


def test_many_python_threads() -> None:
    generator = np.random.default_rng(0)
    image = generator.standard_normal((1, 16, 40, 40)).astype(np.float32)
    weight = generator.standard_normal((16, 16, 3, 3)).astype(np.float32)
    expected = convrs.conv2d(image, weight).tobytes()

    def work(_: int) -> bool:
        return all(convrs.conv2d(image, weight).tobytes() == expected for _ in range(5))

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(64)))


def test_the_number_may_change_while_others_compute() -> None:
    image = np.random.default_rng(0).standard_normal((8, 32, 64, 64)).astype(np.float32)
    expected = convrs.max_pool2d(image, 3).tobytes()

    def work(number: int) -> bool:
        convrs.set_num_threads(number % 4 + 1)
        return convrs.max_pool2d(image, 3).tobytes() == expected

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(64)))


GIL = """
import threading, time, numpy as np, convrs
convrs.set_num_threads(1)
image, weight = np.ones((1, 64, 256, 256), np.float32), np.ones((64, 64, 3, 3), np.float32)
steps, ready = [0], threading.Event()
def count():
    ready.set()
    while steps[0] >= 0:
        steps[0] += 1
thread = threading.Thread(target=count, daemon=True); thread.start(); ready.wait()
begin = time.perf_counter(); convrs.conv2d(image, weight); took = time.perf_counter() - begin
during = steps[0]; steps[0] = -10**9
print(during, took)
"""


def test_others_run_while_it_computes() -> None:
    steps, seconds = map(float, printed(GIL).split())
    # A thread without the GIL would get a few switches in at most.
    assert steps / seconds > 1e5


# --- fork ---

FORKS = """
import os, signal, sys, warnings
import numpy as np, convrs
warnings.simplefilter("ignore")
convrs.set_num_threads(2)
image, weight = np.ones((2, 8, 24, 24), np.float32), np.ones((8, 8, 3, 3), np.float32)
right = convrs.conv2d(image, weight).tobytes()
tasks = "/proc/self/task"
for number in range(1000):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        same = convrs.conv2d(image, weight).tobytes() == right
        pooled = not os.path.isdir(tasks) or len(os.listdir(tasks)) == 2
        os._exit(0 if same and pooled else 1)
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"child {number}: {status}")
print(convrs.conv2d(image, weight).tobytes() == right)
"""


def test_a_thousand_forks_after_use() -> None:
    assert printed(FORKS) == "True"


NO_THREADS = """
import resource
import numpy as np, convrs
convrs.set_num_threads(2)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
{user}
image, weight = np.ones((4, 16, 64, 64), np.float32), np.ones((16, 16, 3, 3), np.float32)
print(convrs.conv2d(image, weight)[0, 0, 0, 0])
"""


def test_where_no_thread_may_start_the_caller_computes_alone() -> None:
    # The limit does not bind root.
    user = "import os; os.setuid(65534)" if os.getuid() == 0 else ""
    assert printed(NO_THREADS.format(user=user)) == "144.0"


# --- Ctrl-C ---

INTERRUPT = """
import os, signal, threading, time
import numpy as np, convrs
# Shells start background jobs with this signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
{setup}
call = lambda: {call}
started = []
def interrupt():
    time.sleep(0.3)
    started.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    while True:
        call()
        if started and time.perf_counter() - started[0] > 5:
            break
except KeyboardInterrupt:
    print(time.perf_counter() - started[0])
"""

LONG_CALLS = {
    "conv2d": ("x, w = np.ones((64, 128, 112, 112), 'f4'), np.ones((128, 128, 3, 3), 'f4')", "convrs.conv2d(x, w)"),
    "conv1d, one row": ("x, w = np.ones((1, 1, 3_000_000), 'f4'), np.ones((1, 1, 4001), 'f4')", "convrs.conv1d(x, w)"),
    "conv_transpose2d": (
        "x, w = np.ones((8, 128, 96, 96), 'f4'), np.ones((128, 128, 4, 4), 'f4')",
        "convrs.conv_transpose2d(x, w, stride=2)",
    ),
    "max_pool2d with indices": (
        "x = np.ones((64, 64, 224, 224), 'f4')",
        "convrs.max_pool2d(x, 15, 1, return_indices=True)",
    ),
    "lp_pool2d of integers": (
        "x = np.broadcast_to(np.ones((1, 1, 1, 1), 'i1'), (1, 8, 2**14, 2**13))",
        "convrs.lp_pool2d(x, 1.5, 4)",
    ),
    "big-endian": (
        "x = np.broadcast_to(np.ones((1, 1, 1, 1), '>f4'), (1, 32, 2**12, 2**12))",
        "convrs.max_pool2d(x, 2)",
    ),
    "lp_pool2d": ("x = np.ones((64, 64, 224, 224), 'f4')", "convrs.lp_pool2d(x, 1.5, 3)"),
}


@pytest.mark.parametrize("name", LONG_CALLS)
def test_ctrl_c_within_a_fifth_of_a_second(name: str) -> None:
    setup, call = LONG_CALLS[name]
    assert float(printed(INTERRUPT.format(setup=setup, call=call))) < 0.2
