"""Python's garbage collector leaves out what a process imported for good."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import gc
from engine.processes.collector import collector_paused

kept = gc.get_freeze_count()
with collector_paused(for_good={for_good}):
    assert not gc.isenabled()
    imported = [[] for _ in range(5000)]
assert gc.isenabled()
print(gc.get_freeze_count() - kept > 5000)
"""


@pytest.mark.parametrize("for_good", [True, False])
def test_what_is_imported_for_good_is_not_gone_through_again(for_good: bool) -> None:
    run = subprocess.run(
        [sys.executable, "-c", CODE.format(for_good=for_good)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.stdout.strip() == str(for_good), run.stderr
