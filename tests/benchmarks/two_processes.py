"""Samples a second of two processes (ddp) against one, each on one thread.

    python tests/benchmarks/two_processes.py [--seconds 8]

Prints a table in Markdown, in about two minutes; on a machine with two idle cores or more. The rows
are those of ``speed.py``, with its batch in all, and with its batch in each process. ``processor``
is the processor time of a sample in all processes against that of one: without any waiting, two
processes would be 2 / processor times as fast.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

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


def measure(row: str, folder: Path, processes: int, rows: int, seconds: float) -> dict[str, float]:
    """Return samples a second, and processor seconds of a sample, of a real run."""
    from speed import configuration

    from engine import RunConfig
    from engine.launch.start import launch
    from engine.runs.events import Progress

    values = configuration(row, folder)
    values["train"] |= {"devices": processes, "strategy": "ddp", "batch_size": rows}
    handle = launch(RunConfig.parse(values))

    def after(step: int) -> Progress | None:
        last = next(iter(handle.run.events.newest(Progress)), None)
        return last if last is not None and last.step > step else None

    def processor() -> float:
        worker = psutil.Process(handle.process.pid)
        training = worker.children() if processes > 1 else [worker]
        return sum(sum(one.cpu_times()[:2]) for one in training)

    try:
        first: Progress = wait_for(lambda: after(WARM))
        used = processor()
        time.sleep(seconds)
        last: Progress = wait_for(lambda: after(first.step))
        used = processor() - used
    finally:
        handle.stop()
        handle.wait(PATIENCE)
    samples = (last.step - first.step) * rows
    return {"speed": samples / (last.time - first.time), "processor": used / samples}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    seconds = parser.parse_args().seconds
    os.environ["OMP_NUM_THREADS"] = "1"
    print("| | rows in all | one process | two processes | ratio | processor |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        from speed import write_data

        os.environ["DLTUI_HOME"] = name
        write_data(Path(name))
        for row in ROWS:
            batch = int(row.rpartition(" ")[2])
            one = measure(row, Path(name), 1, batch, seconds)
            for rows in (batch, 2 * batch):
                two = measure(row, Path(name), 2, rows, seconds)
                ratio, cost = (two[what] / one[what] for what in ("speed", "processor"))
                print(f"| {row} | {rows} | {one['speed']:,.0f}/s | {two['speed']:,.0f}/s | "
                      f"{ratio:.2f} | {cost:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
