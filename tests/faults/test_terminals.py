"""The screens are closed, or left open, in every way while a run trains: the run continues."""

from __future__ import annotations

import os
import runpy
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import tomlkit

from engine import RunConfig, launch
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Progress
from engine.runs.status import State

_CONFTEST = runpy.run_path(str(Path(__file__).parents[1] / "end_to_end" / "conftest.py"))
Terminal: Any = _CONFTEST["Terminal"]
DLTUI = _CONFTEST["DLTUI"]
PATIENCE_SECONDS = 120
HARM = "the user interface ended, or its terminal closed or left alone, while a run trains"
FULL = 20
MOST_PERCENT = 5.0
CONFIG = RunConfig.parse(
    {
        "name": "endless",
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "wine"},
        "model": {"kind": "mlp", "hidden": [8]},
        "train": {"epochs": 100_000, "batch_size": 1},
        "compute": {"device": "cpu", "threads": 1},
    }
)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def step_of(run: RunDirectory) -> int:
    newest = run.events.last(Progress)
    return newest.step if isinstance(newest, Progress) else 0


def assert_continues(run: RunDirectory) -> None:
    """The run makes further updates."""
    before = step_of(run)
    until(lambda: step_of(run) > before)
    assert run.status.state() is State.RUNNING


@pytest.fixture(scope="module")
def going(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunDirectory]:
    """A run that trains during all tests of this module."""
    handle = launch(CONFIG, tmp_path_factory.mktemp("watched") / "runs")
    until(lambda: step_of(handle.run))
    yield handle.run
    handle.process.kill()
    handle.process.wait()


@pytest.fixture(autouse=True)
def home(going: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of that run."""
    folder = going.path.parent.parent
    monkeypatch.setenv("DLTUI_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def signals_are_heard() -> Iterator[None]:
    """Let child processes receive SIGINT, even if these tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Window(Terminal):  # type: ignore[misc]
    """A terminal that can be closed under its program and finds the processes of the screens."""

    def __init__(self, *through: str) -> None:
        """``through`` is a command that starts the screens."""
        super().__init__([*through, DLTUI], 100, 30)
        self._open = True

    def processes(self) -> list[psutil.Process]:
        """The screens and their helper processes."""
        screens = psutil.Process(self.process.pid)
        helpers = [child for child in screens.children(recursive=True) if not trains(child)]
        return [screens, *helpers]

    def slam(self) -> None:
        """Close the terminal without notice to the program."""
        os.close(self._master)
        os.close(self._slave)
        self._open = False

    def close(self) -> None:
        if self._open:
            super().close()
        elif self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def trains(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "engine.launch.worker" in process.cmdline()
    return False


def watch(window: Any) -> None:
    """Show the running run on the screens."""
    window.wait_for("endless", "Quit")
    window.press("enter")
    window.wait_for("Epoch")


def begin(window: Any, home: Path, known: RunDirectory) -> RunDirectory:
    """Start a run from the screens, and show it."""
    (home / "presets").mkdir(exist_ok=True)
    values = CONFIG.changes()
    values.pop("name")
    (home / "presets" / "endless.toml").write_text(tomlkit.dumps(values))
    window.wait_for("endless", "Quit")
    window.press("P")
    window.wait_for("own")
    window.press("enter")
    window.wait_for("$ dltui run endless", "fits")
    window.press("ctrl+r")
    window.wait_for("Epoch")
    (run,) = [run for run in all_runs(home / "runs") if run.id != known.id]
    return run


def signalled(number: int) -> Callable[[Any], None]:
    return lambda window: window.process.send_signal(number)


def slammed(window: Any) -> None:
    window.slam()


WAYS: dict[str, Callable[[Any], None]] = {
    "SIGHUP": signalled(signal.SIGHUP),
    "SIGTERM": signalled(signal.SIGTERM),
    "SIGINT": signalled(signal.SIGINT),
    "SIGKILL": signalled(signal.SIGKILL),
    "closed": slammed,
}


def gone(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def percent(processes: list[psutil.Process]) -> float:
    """Share of one CPU core in percent; processes that exit meanwhile use none."""

    def share(process: psutil.Process) -> float:
        with suppress(psutil.NoSuchProcess):
            return process.cpu_percent()
        return 0.0

    for process in processes:
        share(process)
    time.sleep(1)
    return sum(map(share, processes))


def end(window: Any, way: str, run: RunDirectory) -> None:
    """The screens exit and leave nothing behind; the run continues."""
    processes = window.processes()
    WAYS[way](window)
    until(lambda: all(map(gone, processes)))
    assert_continues(run)


def is_full(window: Any) -> bool:
    """Whether the terminal's buffer is full."""
    return not select.select([], [window._slave], [], 0)[1]


def leave_unread(window: Any, run: RunDirectory) -> None:
    """The terminal is not read: the screens wait, the run continues, then everything is shown."""
    quiet = 0
    for _ in range(60):  # until the terminal and the program's output buffer are full
        os.write(window._master, b"]" * 10)
        resting = percent(window.processes()) < MOST_PERCENT / 2
        quiet = quiet + 1 if resting and is_full(window) else 0
        if quiet == 3:
            break
    assert is_full(window)
    assert percent(window.processes()) < MOST_PERCENT
    assert_continues(run)
    window.press("1")
    window.wait_for("Epoch")
    window.press("escape")
    window.wait_for("endless", "Quit")
    window.press("q")
    assert window.wait_for_exit() == 0
    assert_continues(run)


UNTOLD = {
    1: ["setsid", "--wait"],
    2: ["sh", "-c", "trap '' HUP; exec \"$0\""],
}
"""By the number of the try: a command that hides the hang-up signal from the screens."""


def try_way(way: str, number: int, home: Path, going: RunDirectory) -> None:
    """Close the screens in one way; try 0 starts its run from the screens."""
    window = Window(*UNTOLD.get(number, ()) if way == "closed" else ())
    run = going
    try:
        if number == 0:
            run = begin(window, home, going)
        else:
            watch(window)
        leave_unread(window, run) if way == "unread" else end(window, way, run)
    finally:
        window.close()
        worker = run.status.worker()
        if number == 0 and worker is not None:
            os.kill(worker.pid, signal.SIGKILL)
            until(lambda: not worker.alive())
            run.delete()


ALL = pytest.mark.parametrize("way", [*WAYS, "unread"])


@pytest.mark.harm(HARM, 1)
@ALL
def test_a_run_continues_without_its_screens(way: str, home: Path, going: RunDirectory) -> None:
    try_way(way, 1, home, going)


@pytest.mark.harm(HARM, 1)
@pytest.mark.faults
@pytest.mark.parametrize("number", [0, *range(2, FULL + 1)])
@ALL
def test_a_run_continues_each_time(way: str, number: int, home: Path, going: RunDirectory) -> None:
    try_way(way, number, home, going)
