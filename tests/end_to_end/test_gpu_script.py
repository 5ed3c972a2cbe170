"""The script for measurements on a GPU, run on the device of this machine."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The runner of the parts, which is run from its own folder."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("gpu")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_part_runs_tiny_on_this_machine(gpu: Any, tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    before = set((BENCHMARKS / "results").iterdir())
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--smoke", "--out", str(out)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert out.exists(), ran.stderr
    results = json.loads(out.read_text())
    assert list(results["parts"]) == list(gpu.BUDGETS)
    for name, part in results["parts"].items():
        assert part["rows"], name
        for row in part["rows"]:
            assert "error" not in row, (name, row)
            assert row.get("skipped", "why") != ""
        assert (tmp_path / f"gpu-{name}.log").exists()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert results["smoke"]
    assert results["machine"]["torch"]
    assert set((BENCHMARKS / "results").iterdir()) == before


PARTS = {
    "hangs": """
        import subprocess, time
        from pathlib import Path
        child = subprocess.Popen(["sleep", "600"])
        part = Part(Path(sys.argv[sys.argv.index("--rows") + 1]), True, "cpu", 4.0)
        part.row("first", child=child.pid)
        time.sleep(600)
    """,
    "raises": """
        def rows(part):
            with part.measured("broken") as row:
                row["figure"] = 1
                raise ValueError("no such thing")
            part.row("after it")
            raise OSError("the end")
    """,
    "skips": """
        def rows(part):
            with part.measured("four bits"):
                raise Skipped("bitsandbytes is missing")
            part.skipped("NVML", "no CUDA device")
    """,
    "runs": """
        def rows(part):
            with part.measured("all") as row:
                row |= {"smoke": part.smoke, "left": part.seconds_left(), "device": part.device}
    """,
}


def write_parts(folder: Path) -> None:
    head = "import sys\nfrom part import Part, Skipped, main\n"
    for name, body in PARTS.items():
        (folder / f"{name}.py").write_text(f"{head}{textwrap.dedent(body)}\nmain(rows)\n")


@pytest.fixture
def results(gpu: Any, tmp_path: Path) -> dict[str, Any]:
    """The results file after four parts, the first of which hangs."""
    write_parts(tmp_path)
    path = os.pathsep.join([str(BENCHMARKS / "gpu_parts"), os.environ.get("PYTHONPATH", "")])
    runner = gpu.Runner(
        tmp_path / "gpu.json",
        smoke=True,
        folder=tmp_path,
        grace=0.0,
        environment=os.environ | {"PYTHONPATH": path},
    )
    budgets = {"hangs": 4.0, "raises": 100.0, "skips": 100.0, "runs": 100.0}
    runner.run(budgets, {"parts": {}})
    read: dict[str, Any] = json.loads((tmp_path / "gpu.json").read_text())
    return read["parts"]


@pytest.mark.slow
def test_parts_that_hang_or_raise_leave_errors_and_the_next_begins(results: dict[str, Any]) -> None:
    assert list(results) == list(PARTS)
    first, killed = results["hangs"]["rows"]
    assert first["name"] == "first"
    assert killed["error"].startswith("killed after")
    gone_by = time.monotonic() + 10
    while psutil.pid_exists(first["child"]) and time.monotonic() < gone_by:
        if psutil.Process(first["child"]).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    else:
        assert not psutil.pid_exists(first["child"])
    broken, after, last = results["raises"]["rows"]
    assert broken["error"] == "ValueError: no such thing"
    assert broken["figure"] == 1
    assert after == {"name": "after it"}
    assert last["error"] == "exit status 1: OSError: the end"
    assert [row["skipped"] for row in results["skips"]["rows"]] == [
        "bitsandbytes is missing",
        "no CUDA device",
    ]
    (row,) = results["runs"]["rows"]
    assert row["smoke"] is True
    assert 0 < row["left"] <= 100


def test_an_unknown_part_is_refused(gpu: Any) -> None:
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--only", "works,sped"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "unknown part sped; use works, bits" in ran.stderr
