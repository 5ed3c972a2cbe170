"""Samples a second of two processes (ddp) against one, each on one thread.

    python tests/benchmarks/two_processes.py [--seconds 8]

Prints a table in Markdown, in about three minutes; on a machine with two idle cores or more. The
rows are those of ``speed.py``, with its batch in all, and with its batch in each process.
``processor`` is the processor time of a sample in all processes against that of one: without any
waiting, two processes would be 2 / processor times as fast. ``two runs`` is the speed of two runs
at once that have nothing to do with each other, against one alone: what the machine allows.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from engine import RunConfig
from engine.launch.start import Handle, launch
from engine.runs.directory import RunDirectory
from engine.runs.events import Progress

sys.path.insert(0, str(Path(__file__).parent))

from speed import configuration, write_data

ROWS = ("CNN, 8×8 digits, batch 64", "BERT, 2 × 128, 32 tokens, batch 32")
WARM = 30
"""Updates before the measurement."""
PATIENCE = 120


def wait_for(what: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        if found := what():
            return found
        time.sleep(0.02)
    raise TimeoutError("the run makes no updates")


def begun(row: str, folder: Path, processes: int, rows: int) -> Handle:
    """Start a real run that nothing ends."""
    values = configuration(row, folder)
    values["train"] |= {"devices": processes, "strategy": "ddp", "batch_size": rows}
    return launch(RunConfig.parse(values))


def after(run: RunDirectory, step: int) -> Progress | None:
    """Return the newest progress, if it is beyond an update."""
    last = next(iter(run.events.newest(Progress)), None)
    return last if isinstance(last, Progress) and last.step > step else None


def measured(handle: Handle, processes: int, rows: int, seconds: float) -> dict[str, float]:
    """Return samples a second, and processor seconds of a sample, of a run."""

    def processor() -> float:
        worker = psutil.Process(handle.process.pid)
        training = worker.children() if processes > 1 else [worker]
        return sum(sum(one.cpu_times()[:2]) for one in training)

    first: Progress = wait_for(lambda: after(handle.run, WARM))
    used = processor()
    time.sleep(seconds)
    last: Progress = wait_for(lambda: after(handle.run, first.step))
    used = processor() - used
    samples = (last.step - first.step) * rows
    return {"speed": samples / (last.time - first.time), "processor": used / samples}


def measure(
    row: str, folder: Path, processes: int, rows: int, seconds: float, beside: int = 0
) -> dict[str, float]:
    """Measure one run, while others like it train beside it."""
    handles = [begun(row, folder, processes, rows) for _ in range(1 + beside)]
    try:
        for handle in handles:
            wait_for(partial(after, handle.run, WARM))
        return measured(handles[0], processes, rows, seconds)
    finally:
        for handle in handles:
            handle.stop()
        for handle in handles:
            handle.wait(PATIENCE)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    seconds = parser.parse_args().seconds
    os.environ["OMP_NUM_THREADS"] = "1"
    print("| | rows in all | one process | two processes | ratio | processor | two runs |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        os.environ["DLTUI_HOME"] = name
        write_data(Path(name))
        for row in ROWS:
            batch = int(row.rpartition(" ")[2])
            one = measure(row, Path(name), 1, batch, seconds)
            beside = measure(row, Path(name), 1, batch, seconds, beside=1)
            limit = 2 * beside["speed"] / one["speed"]
            for rows in (batch, 2 * batch):
                two = measure(row, Path(name), 2, rows, seconds)
                ratio, cost = (two[what] / one[what] for what in ("speed", "processor"))
                print(f"| {row} | {rows} | {one['speed']:,.0f}/s | {two['speed']:,.0f}/s | "
                      f"{ratio:.2f} | {cost:.2f} | {limit:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
