"""Data sets of growing size: time and memory of preparing them and of one epoch.

    python tests/benchmarks/streaming.py [--kind table] [--largest 10000000]
    python tests/benchmarks/streaming.py --kind wide --only 26000000

Prints a table in Markdown and writes ``results/streaming-cpu.json`` beside this file. Tables of
twenty random numbers and a class, and texts of a few words, are written as Parquet into a folder
that is removed afterwards (up to 2.5 GB are needed). Wide tables have two hundred columns of 16
numbers each, so that the file is a tenth of its rows: 26 million are 20 GB, which take two or three
times that on the disk while they are prepared; they are measured only on request. A worker trains
on each data set, as from the terminal: read, split, fit, encode, train a tiny network for an epoch,
evaluate on the validation split. Time is CPU time, which hardly depends on other load. Memory is
the private memory of the process (``RssAnon``): pages of memory-mapped files belong to the system,
which reclaims them when it needs them. The exit status is 1 if time grows faster than the rows, or
if memory grows from the last size but one to the last by more than a small table (which is held in
memory) plus a fifth of the growth of the data.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from engine.config.run_config import RunConfig
from engine.data.on_disk import LARGE
from engine.launch.start import launch
from engine.runs.directory import RunDirectory
from engine.runs.events import Finished, Progress

RESULTS = Path(__file__).parent / "results"
COLUMNS = {"table": 20, "wide": 200}
SIZES = {
    "table": (10**4, 10**5, 10**6, 10**7),
    "text": (10**3, 10**4, 10**5, 10**6),
    "wide": (26_000, 260_000, 2_600_000, 26_000_000),
}
USUAL = ("table", "text")
EXPONENT, SHARE = 1.1, 0.2
"""Promised limits: the exponent of time over rows, and the growth of memory over that of data."""
_GROUP = 100_000
_WORDS = np.array([f"word{number}" for number in range(2000)])
MODELS: dict[str, dict[str, Any]] = {
    "table": {
        "task": {"kind": "tabular_classification"},
        "model": {"kind": "mlp", "hidden": [32]},
        "train": {"epochs": 1, "batch_size": 1024},
    },
    "text": {
        "task": {"kind": "text_classification", "max_length": 16},
        "model": {"kind": "transformer", "hidden_size": 16, "num_hidden_layers": 1,
                  "num_attention_heads": 2, "vocab_size": 2200},
        "train": {"epochs": 1, "batch_size": 256},
    },
}  # fmt: skip
MODELS["wide"] = MODELS["table"]


def groups(kind: str, rows: int) -> Iterator[pa.Table]:
    """The data set in chunks that fit into memory."""
    random = np.random.default_rng(0)
    for begin in range(0, rows, _GROUP):
        count = min(_GROUP, rows - begin)
        if kind == "text":
            picked = random.integers(0, len(_WORDS), (count, 12))
            texts = [" ".join(row) for row in _WORDS[picked]]
            yield pa.table({"text": texts, "label": picked[:, 0] % 2})
            continue
        shape = count, COLUMNS[kind]
        if kind == "wide":
            numbers = random.integers(-8, 8, shape, np.int8).astype(np.float32) / 8
        else:
            numbers = random.normal(size=shape).astype(np.float32)
        columns = {f"x{column}": numbers[:, column] for column in range(shape[1])}
        yield pa.table(columns | {"label": (numbers[:, :3].sum(1) > 0).astype(np.int8)})


def write(kind: str, rows: int, path: Path) -> int:
    """Write a data set as Parquet; return the bytes of its rows in memory."""
    size, writer = 0, None
    for group in groups(kind, rows):
        size += group.nbytes
        writer = writer or pq.ParquetWriter(path, group.schema)
        writer.write_table(group)
    assert writer is not None
    writer.close()
    return size


class Watch(threading.Thread):
    """A thread that samples the resources of a process until it exits."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._status = Path(f"/proc/{pid}/status")
        self.seen: list[tuple[float, float, int]] = []
        """Times, CPU seconds so far, and private bytes."""
        self.most = 0
        """Peak bytes including pages of mapped files."""
        self.start()

    def run(self) -> None:
        """Sample now and then."""
        while True:
            try:
                lines = dict(line.split(":", 1) for line in self._status.read_text().splitlines())
                used = self._process.cpu_times()
                private, most = (int(lines[name].split()[0]) for name in ("RssAnon", "VmHWM"))
            except (OSError, KeyError, ValueError, psutil.Error):
                return
            self.seen.append((time.time(), used.user + used.system, private * 1024))
            self.most = max(self.most, most * 1024)
            time.sleep(0.02)

    def between(self, begin: float, end: float) -> tuple[float, int]:
        """CPU seconds and peak private bytes."""
        before = [used for at, used, _ in self.seen if at < begin] or [0.0]
        within = [(used, size) for at, used, size in self.seen if begin <= at < end]
        if not within:
            return 0.0, 0
        return within[-1][0] - before[-1], max(size for _, size in within)


def measure(kind: str, rows: int, folder: Path) -> dict[str, Any]:
    """Seconds and bytes of one run."""
    path = folder / "rows.parquet"
    data = write(kind, rows, path)
    values = MODELS[kind] | {
        "name": "streaming",
        "data": {"kind": "file", "path": str(path)},
        "compute": {"device": "cpu", "threads": 1, "precision": "float32"},
    }
    begin = time.time()
    handle = launch(RunConfig.parse(values), folder / "runs")
    watch = Watch(handle.process.pid)
    if handle.wait():
        raise SystemExit(handle.run.log.read_text() + str(handle.run.events.last()))
    path.unlink()
    first, trained, ended = _moments(handle.run)
    phases = {
        "prepare": watch.between(begin, first),
        "epoch": watch.between(first, trained),
        "measure": watch.between(trained, ended),
    }
    return {
        "rows": rows,
        "data": data,
        "seconds": {name: used for name, (used, _) in phases.items()},
        "total": sum(used for used, _ in phases.values()),
        "clock": ended - begin,
        "private": {name: size for name, (_, size) in phases.items()},
        "peak": max(size for _, size in phases.values()),
        "with_files": watch.most,
    }


def _moments(run: RunDirectory) -> tuple[float, float, float]:
    """Times of the first and the last reported update, and of the end of the run."""
    told = [
        e for e in run.events.newest(Progress) if isinstance(e, Progress) and e.phase == "train"
    ]
    ended = run.events.last(Finished)
    assert ended is not None
    return told[-1].time, told[0].time, ended.time


def exponent(results: list[dict[str, Any]]) -> float:
    """The exponent of time over rows, after subtracting the time of the smallest data set."""
    least = results[0]["total"]
    points = [(math.log(one["rows"]), math.log(one["total"] - least)) for one in results[2:]]
    if len(points) < 2:
        return float("nan")
    return float(np.polyfit(*zip(*points, strict=True), 1)[0])


def growth(results: list[dict[str, Any]]) -> tuple[int, int]:
    """Growth of private bytes from the second largest data set to the largest, and of the data."""
    before, last = results[-2:] if len(results) > 1 else results * 2
    return last["peak"] - before["peak"], last["data"] - before["data"]


def grows(results: list[dict[str, Any]]) -> bool:
    """Whether time or memory grow faster than promised."""
    memory, data = growth(results)
    return exponent(results) > EXPONENT or memory > LARGE + SHARE * data


def lines(kind: str, results: list[dict[str, Any]]) -> Iterator[str]:
    """The table in Markdown."""
    yield f"| {kind} | data | prepare | epoch | measure | private memory | with mapped files |"
    yield "|---|---|---|---|---|---|---|"
    for one in results:
        seconds = " | ".join(f"{part:.1f} s" for part in one["seconds"].values())
        sizes = " | ".join(f"{one[name] / 2**20:,.0f} MiB" for name in ("peak", "with_files"))
        yield f"| {one['rows']:,} | {one['data'] / 2**20:,.0f} MiB | {seconds} | {sizes} |"
    yield ""
    memory, data = growth(results)
    yield (
        f"Time grows with the rows to the power {exponent(results):.2f}; the last "
        f"{data / 2**20:,.0f} MiB of data took {memory / 2**20:+,.0f} MiB of private memory."
    )


def keep(kind: str, result: dict[str, Any]) -> list[dict[str, Any]]:
    """Save the results with their conditions; return all known results of this kind."""
    from adapters import machine

    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "streaming-cpu.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    by_rows = {one["rows"]: one for one in known.get(kind, [])}
    by_rows[result["rows"]] = result | {"machine": machine("cpu")}
    kept = [by_rows[rows] for rows in sorted(by_rows)]
    path.write_text(json.dumps(known | {kind: kept}, indent=1) + "\n")
    return kept


def main() -> int:
    """Measure all sizes of one kind of data, or of the usual kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=SIZES)
    parser.add_argument("--largest", type=int, default=max(map(max, SIZES.values())))
    parser.add_argument("--only", type=int, help="this number of rows only")
    arguments = parser.parse_args()
    failed = False
    for kind in [arguments.kind] if arguments.kind else USUAL:
        known: list[dict[str, Any]] = []
        for rows in [arguments.only] if arguments.only else SIZES[kind]:
            if rows > arguments.largest:
                continue
            with tempfile.TemporaryDirectory() as folder:
                os.environ["DLTUI_HOME"] = folder
                result = measure(kind, rows, Path(folder))
            known = keep(kind, result)
            print(kind, json.dumps(result), file=sys.stderr, flush=True)
        print("\n".join(lines(kind, known)), flush=True)
        failed |= grows(known)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
