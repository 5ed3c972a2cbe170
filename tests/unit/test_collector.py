"""The garbage collector of a process that trains: what was imported is not gone through."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

from engine.processes.collector import collector_paused

SELDOM = """
import gc, json, time
from engine.processes.collector import collect_seldom
imported = [[] for _ in range(10_000)]
collect_seldom()
before = sum(part["collections"] for part in gc.get_stats())
read = [[] for _ in range(20_000)]
after = sum(part["collections"] for part in gc.get_stats())
cycle = []
cycle.append(cycle)
del cycle
print(json.dumps([gc.get_freeze_count() > 10_000, after - before, gc.collect() > 0]))
"""


def test_what_was_imported_is_skipped_and_the_rest_collected_seldom() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SELDOM], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [True, 0, True]


def test_a_pause_ends_with_its_block() -> None:
    with collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
