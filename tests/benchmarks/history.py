"""Times for a long history: a list of ten thousand runs, and a run of a million events.

    python tests/benchmarks/history.py [--runs 10000] [--events 1000000]

Writes real run directories into a temporary folder, opens the program on them without a terminal,
prints the figures and writes ``results/history.json`` beside this file. ``cold`` is without the
index that the list stores beside the runs, ``warm`` with it; ``cpu`` is the CPU time of the
process, which is more reliable on a busy machine (``load``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import tomlkit
from textual.events import Key
from textual.keys import _character_to_key as character_to_key
from textual.widgets import Input

from engine.config.run_config import RunConfig
from engine.runs.directory import RunDirectory
from engine.runs.events import (
    Evaluated,
    Event,
    Finished,
    Model,
    Progress,
    Resources,
    Started,
    encode,
)
from engine.runs.follower import read_history
from engine.runs.index import _FILE as INDEX
from engine.runs.listing import list_runs
from tui.app import DltuiApp
from tui.screens.runs.screen import RunsScreen
from tui.widgets.listing import Listing

RESULTS = Path(__file__).parent / "results"
SIZE = (120, 40)
KINDS = (
    ("image_classification", "digits", "cnn", "accuracy"),
    ("tabular_classification", "iris", "mlp", "accuracy"),
    ("tabular_regression", "diabetes", "mlp", "rmse"),
)
FILTER = "run-12 accuracy>=0.7"


def write_run(folder: Path, place: int) -> None:
    """A finished run of 50 events, with settings of its own."""
    task, data, model, metric = KINDS[place % len(KINDS)]
    config = RunConfig.parse(
        {
            "name": f"run-{place}",
            "task": {"kind": task},
            "data": {"kind": "builtin", "name": data},
            "model": {"kind": model},
            "train": {"learning_rate": 1e-4 * (1 + place % 50), "seed": place},
        }
    )
    path = folder / f"2026{1 + place % 12:02d}{1 + place // 12 % 28:02d}-120000-{config.name}"
    path.mkdir(parents=True)
    (path / "config.toml").write_text(tomlkit.dumps(config.values()))
    value = place % 1000 / 1000
    write_events(path, events(45, 15, 1.7e9 + 60 * place, {metric: value, "loss": 1 - value}))


def events(steps: int, an_epoch: int, begin: float, metrics: dict[str, float]) -> Iterator[Event]:
    """A training with an evaluation an epoch."""
    epochs = steps // an_epoch
    yield Started(time=begin, device="cpu", precision="float32", threads=2)
    yield Model(time=begin, name="net", parameters=9, trainable=9, steps=steps, epochs=epochs)
    for step in range(1, steps + 1):
        now, epoch = begin + step, step / an_epoch
        if step % an_epoch == 0:
            yield Evaluated(time=now, step=step, epoch=epoch, split="validation",
                            metrics=dict(metrics), best=step == an_epoch)  # fmt: skip
        elif step % 20 == 0:
            yield Resources(time=now, cpu_percent=50.0, memory=1 << 30, memory_total=1 << 33,
                            process_memory=1 << 28)  # fmt: skip
        else:
            yield Progress(time=now, step=step, steps=steps, epoch=epoch, epochs=epochs,
                           loss=1 / step, learning_rate=1e-3, grad_norm=1.25, seconds=float(step),
                           samples_per_second=1234.5, memory=1 << 28)  # fmt: skip
    yield Finished(time=begin + steps, step=steps, seconds=float(steps), metrics=dict(metrics))


def write_events(path: Path, some: Iterator[Event]) -> None:
    """Write the events file of a run."""
    with (path / "events.jsonl").open("w") as file:
        file.writelines(line for event in some for line in (encode(event), "\n"))


@contextmanager
def home(path: Path) -> Iterator[None]:
    """Set the home folder, so that runs are found below ``path``."""
    before = os.environ.get("DLTUI_HOME")
    os.environ["DLTUI_HOME"] = str(path)
    yield
    del os.environ["DLTUI_HOME"]
    os.environ |= {"DLTUI_HOME": before} if before else {}


async def open_list(folder: Path, count: int, filtered: bool = False) -> dict[str, float]:
    """Seconds from the start of the program to its first rows, to all rows, and of each key."""
    begin, cpu = time.perf_counter(), time.process_time()
    with home(folder):
        app = DltuiApp()
        painted = note_paints(app)
        async with app.run_test(size=SIZE):
            while not (isinstance(app.screen, RunsScreen) and app.screen.is_mounted):
                await asyncio.sleep(0.001)
            least = min(10, count)
            while not painted or painted[-1][1] < count:
                await asyncio.sleep(0.001)
            figures = {
                "first": next(at for at, rows in painted if rows >= least) - begin,
                "complete": next(at for at, rows in painted if rows == count) - begin,
            }
            figures["cpu"] = time.process_time() - cpu
            if filtered:
                figures |= await key_times(app, painted)
    return figures


def note_paints(app: DltuiApp) -> list[tuple[float, int]]:
    """Times of paints that show more than a scroll bar, and the number of rows then."""
    paints: list[tuple[float, int]] = []
    display = app._display

    def noted(screen: Any, update: Any) -> None:
        display(screen, update)
        spans = getattr(update, "spans", [(0, 0, 0)])
        if any(left < SIZE[0] - 2 for _, left, _ in spans):
            rows = sum(len(listing.items) for listing in screen.query(Listing))
            paints.append((time.perf_counter(), rows))

    app._display = noted  # type: ignore[method-assign, assignment]
    return paints


async def key_times(app: DltuiApp, painted: list[tuple[float, int]]) -> dict[str, float]:
    """Seconds from each key of a filter until the last change that it causes is painted."""
    app.screen.query_one("#filter", Input).cursor_blink = False  # a blinking cursor is no answer
    app.simulate_key("slash")
    await asyncio.sleep(1)
    times = []
    for character in (*FILTER, *[""] * len(FILTER)):
        key = character_to_key(character) if character else "backspace"
        begin = time.perf_counter()
        app.post_message(Key(key, character or None))
        await asyncio.sleep(0.3)
        times.append(painted[-1][0] - begin)
    return {"key_median": median(times), "key_worst": max(times)}


def timed(action: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """The shortest of three times, in seconds."""
    times = []
    for _ in range(3):
        begin = clock()
        action()
        times.append(clock() - begin)
    return min(times)


def measure(folder: Path, runs: int, million: int) -> dict[str, float]:
    """All figures."""
    few, many, long = folder / "few", folder / "many", folder / "long" / "runs" / "20260101-long"
    for place in range(10):
        write_run(few / "runs", place)
    for place in range(runs):
        write_run(many / "runs", place)
    write_run(long.parent, 0)
    next(long.parent.iterdir()).rename(long)
    write_events(long, events(million, 1000, 1.7e9, {"accuracy": 0.5, "loss": 0.5}))

    asyncio.run(open_list(few, 10))  # loads what is imported late
    first_few = min(asyncio.run(open_list(few, 10))["first"] for _ in range(5))
    first_many = min(asyncio.run(open_list(many, runs))["first"] for _ in range(5))
    (many / "runs" / INDEX).unlink(missing_ok=True)
    cold = asyncio.run(open_list(many, runs))
    warm = asyncio.run(open_list(many, runs, True))
    (many / "runs" / INDEX).unlink(missing_ok=True)
    command = timed(lambda: list_runs(many / "runs"))
    run = RunDirectory(long)
    return {
        "first_rows_of_ten_s": first_few,
        "first_rows_of_many_s": first_many,
        "first_rows_ratio": first_many / first_few,
        "complete_cold_s": cold["complete"],
        "complete_cold_cpu_s": cold["cpu"],
        "complete_warm_s": warm["complete"],
        "complete_warm_cpu_s": warm["cpu"],
        "list_warm_s": command,
        "filter_key_median_s": warm["key_median"],
        "filter_key_worst_s": warm["key_worst"],
        "long_run_history_s": timed(lambda: read_history(run)),
        "long_run_history_cpu_s": timed(lambda: read_history(run), time.process_time),
        "long_run_listed_s": timed(lambda: list_runs(long.parent)),
    }


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        figures = measure(Path(folder), options.runs, options.events)
    for name, value in figures.items():
        print(f"{name:<24} {value:8.3f}")
    machine = {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    RESULTS.mkdir(exist_ok=True)
    content = vars(options) | machine | {name: round(value, 4) for name, value in figures.items()}
    (RESULTS / "history.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
