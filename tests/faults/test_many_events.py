"""Watching a run of a million events: bounded memory, quick keys, a short refresh."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, encode

_HISTORY = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "history.py"))
MOST_BYTES = 20 << 20
MOST_SECONDS_TO_PAINT = 0.1
MOST_SECONDS_TO_ATTACH = 3.0
PIECE = 50_000
CONFIG = RunConfig.parse(
    {
        "name": "long",
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "cnn"},
    }
)

# In a process of its own, to measure the memory of the program alone; it answers line by line.
WATCHING = """
import asyncio, gc, json, sys, time
from pathlib import Path
import psutil
from textual.widgets import TabbedContent
from engine.runs.directory import RunDirectory
from tui.app import DltuiApp
from tui.screens.monitor.screen import MonitorScreen

PANELS = ["charts", "table", "samples", "resources", "details", "log"]
painted = [0.0]
entered, last = [""], [""]  # the panel whose newest content was handed out, and painted
first = {}  # when that of each panel was painted first

async def until(condition):
    while not condition():
        await asyncio.sleep(0.002)

async def painted_since(begin):
    await until(lambda: painted[-1] > begin)
    return painted[-1] - begin

async def attach(app, run, step):
    begin = time.perf_counter()
    screen = MonitorScreen(run)
    app.push_screen(screen)
    await until(lambda: (screen._watch.trained and screen._watch.trained.step or 0) >= step)
    await painted_since(time.perf_counter())
    return screen, time.perf_counter() - begin

async def key_times(app, count):
    times = []
    for number in range(count):
        panel = (number + 1) % len(PANELS)  # never the one that is shown
        begin = time.perf_counter()
        app.simulate_key(str(panel + 1))
        await until(lambda: first.get(PANELS[panel], 0.0) > begin)
        times.append(first[PANELS[panel]] - begin)
        await asyncio.sleep(0.05)
    return sorted(times)

async def main(run):
    app = DltuiApp()
    display = app._display
    def noted(*parts):
        display(*parts)
        painted[0] = time.perf_counter()
        if entered[0] != last[0]:
            last[0] = entered[0]
            first[entered[0]] = painted[0]
    app._display = noted
    redraw = MonitorScreen._redraw
    def redrawing(screen):
        redraw(screen)
        entered[0] = screen.query_one(TabbedContent).active
    MonitorScreen._redraw = redrawing
    async with app.run_test(size=(120, 40)):
        await until(lambda: app.screen.is_mounted)
        gc.freeze()  # as the program does in a terminal
        screen = None
        while line := await asyncio.to_thread(sys.stdin.readline):
            ask = json.loads(line)
            if "step" in ask and screen is None:
                screen, _ = await attach(app, run, ask["step"])
                answer = {}
            elif "step" in ask:
                await until(lambda: screen._watch.trained.step >= ask["step"])
                await asyncio.sleep(0.6)
                gc.collect()
                answer = {"bytes": psutil.Process().memory_info().rss}
            elif "keys" in ask:
                answer = {"times": await key_times(app, ask["keys"])}
            else:
                screen.dismiss()
                await until(lambda: app.screen is not screen)
                answer = {"seconds": (await attach(app, run, ask["again"]))[1]}
            print(json.dumps(answer), flush=True)

asyncio.run(main(RunDirectory(Path(sys.argv[1]))))
"""


class Watcher:
    """The program in another process, with the monitor of a run on its screen."""

    def __init__(self, run: RunDirectory) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WATCHING, str(run.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **question: int) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[tuple[RunDirectory, Watcher]]:
    run = RunDirectory.create(tmp_path / "runs", CONFIG)
    watching = Watcher(run)
    yield run, watching
    watching.close()


def append(run: RunDirectory, some: Iterable[Event]) -> None:
    with run.events.path.open("a") as file:
        file.writelines(line for event in some for line in (encode(event), "\n"))


@contextmanager
def going_on(run: RunDirectory, events: Iterator[Event]) -> Iterator[None]:
    """Append a hundred events a second meanwhile."""
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.1):
            append(run, islice(events, 10))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def watch(
    run: RunDirectory, watching: Watcher, first: int, count: int, keys: int
) -> dict[str, Any]:
    """Watch ``count`` events as they arrive; return the figures after ``first`` and at the end."""
    metrics = {"accuracy": 0.5, "loss": 0.5}
    events = iter(_HISTORY["events"](count + 100_000, 1000, 1.7e9, metrics))
    append(run, islice(events, first))
    watching.ask(step=first - 10)
    before = watching.ask(step=first - 10)["bytes"]
    for place in range(first, count, PIECE):
        append(run, islice(events, min(PIECE, count - place)))
        after = watching.ask(step=min(place + PIECE, count) - 10)["bytes"]
    with going_on(run, events):
        times = watching.ask(keys=keys)["times"]
    seconds = watching.ask(again=count)["seconds"]
    figures = {
        "grown": after - before, "to paint": times[int(0.95 * len(times))], "to attach": seconds
    }  # fmt: skip
    print(figures)
    return figures


@pytest.mark.slow
def test_a_run_of_many_events_is_watched_in_little_memory(watcher: Any) -> None:
    figures = watch(*watcher, first=10_000, count=40_000, keys=12)
    assert figures["grown"] <= MOST_BYTES
    assert figures["to attach"] < MOST_SECONDS_TO_ATTACH


@pytest.mark.harm("a million events in one run", 1)
@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_a_run_of_a_million_events_is_watched_as_any_other(watcher: Any) -> None:
    figures = watch(*watcher, first=100_000, count=1_000_000, keys=200)
    assert figures["grown"] <= MOST_BYTES, figures
    assert figures["to paint"] < MOST_SECONDS_TO_PAINT, figures
    assert figures["to attach"] < MOST_SECONDS_TO_ATTACH, figures
