"""Memory of prepared data goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.processes.environment import worker_environment

SCRIPT = """
import re, sys
from pathlib import Path
import numpy as np
import pyarrow as pa
from engine.hardware.allocator import return_freed_arrays

def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

return_freed_arrays()
pa.array(np.arange(1 << 18)).cast("float64")
np.ones(3 << 20)  # glibc keeps arrays of up to the largest that was freed
begin, kept = anonymous(), []
for _ in range(40):
    arrays = [np.ones(1 << 18), pa.array(np.arange(1 << 18)).cast("float64")]
    kept.append((arrays, np.ones(1000)))
most = anonymous() - begin
kept = [small for _, small in kept]
del arrays
print(most, anonymous() - begin)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_freed_arrays_and_tables_go_back_to_the_system_beside_small_ones_that_stay() -> None:
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    most, left = map(int, found.stdout.split())
    assert most >= 150
    assert left < most / 4


def test_arrow_keeps_nothing_that_it_freed_in_processes_that_compute() -> None:
    script = "import pyarrow as pa; print(pa.default_memory_pool().backend_name)"
    found = subprocess.run(
        [sys.executable, "-c", script],
        env=worker_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "system"
