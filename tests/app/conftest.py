"""Fixtures shared by the tests of screens: runs written by hand, and waiting for a text."""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import pytest
from textual.css.query import NoMatches
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot

from engine.config.run_config import RunConfig
from engine.files.paths import runs_folder
from engine.processes.identity import ProcessIdentity
from engine.runs.directory import RunDirectory
from engine.runs.events import (
    Data,
    Evaluated,
    Event,
    EventLog,
    Finished,
    Log,
    Model,
    Progress,
    Resources,
    Started,
)
from engine.service.client import Advisor
from tui.screens.runs.machine_strip import LEAST_HEIGHT, MachineStrip

MakeRun = Callable[..., RunDirectory]
TypeAhead = Callable[..., None]
Until = Callable[[Pilot[Any], Callable[[], object]], Awaitable[None]]

STEPS_AN_EPOCH = 10


def _training(epochs: int = 4, trained: int | None = None) -> Iterator[Event]:
    """The events of a training of ``epochs``, of which ``trained`` are finished."""
    yield Started(device="cpu", precision="float32", threads=2)
    yield Data(summary={"source": "digits", "rows": {"train": 1257}})
    yield Model(name="cnn", parameters=900, trainable=900, steps=10 * epochs, epochs=epochs)
    yield Log(level="warning", message="[red]not red[/red] \x1b[2J")
    for epoch in range(epochs if trained is None else trained):
        for i in range(STEPS_AN_EPOCH):
            step = STEPS_AN_EPOCH * epoch + i + 1
            yield Progress(
                step=step, steps=STEPS_AN_EPOCH * epochs, epoch=step / STEPS_AN_EPOCH,
                epochs=epochs, loss=2.0 / step, learning_rate=1e-3, samples_per_second=1234.0,
                seconds=float(step),
            )  # fmt: skip
        yield Evaluated(
            step=step, epoch=epoch + 1.0, split="validation", train_loss=2.0 / step, best=True,
            metrics={"accuracy": 0.5 + 0.1 * epoch, "loss": 1.0 / (epoch + 1)}, seconds=float(step),
        )  # fmt: skip


def _finished(accuracy: float = 0.9625) -> Event:
    """The final event of a run that completed."""
    return Finished(step=40, seconds=40.0, metrics={"accuracy": accuracy})


@pytest.fixture
def make_run(home: object) -> MakeRun:
    """A function that writes a run directory from events."""
    del home

    def make(name: str, events: Iterable[Event] = (), *, working: bool = False) -> RunDirectory:
        """``working``: this process is the worker that writes the events."""
        config = RunConfig.parse(
            {
                "name": name,
                "task": {"kind": "image_classification"},
                "data": {"kind": "builtin"},
                "model": {"kind": "cnn"},
            }
        )
        run = RunDirectory.create(runs_folder(), config)
        if working:
            run.status.set_worker(ProcessIdentity.own())
        log = EventLog(run.events.path)
        for event in events:
            log.write(event)
        log.close()
        return run

    return make


@pytest.fixture(scope="module")
def advisor() -> Iterator[Advisor]:
    """One advisor process for the module, where no test needs one of its own."""
    with Advisor() as advisor:
        yield advisor


@pytest.fixture
def until() -> Until:
    """A function that waits for a condition on the screen; the time-out only ends hanging tests."""

    def met(condition: Callable[[], object]) -> bool:
        try:
            return bool(condition())
        except NoMatches:
            return False  # the screen is there before its widgets are

    async def wait(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
        end, seconds = time.monotonic() + 180, 0.02
        while not met(condition):
            assert time.monotonic() < end, "the condition never came true"
            await pilot.pause(seconds)
            seconds = min(0.2, 1.2 * seconds)  # a look costs the time that a process is waited for

    return wait


@pytest.fixture
def same_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Pilot[Any]], bool]:
    """Measure always the same; a function that returns whether the first screen shows it."""
    use = Resources(cpu_percent=45.0, memory=1 << 34, memory_total=1 << 36, process_memory=1)
    monkeypatch.setattr("engine.hardware.resources.measure", lambda: use)
    disk = type(shutil.disk_usage("/"))(10**12, 4 * 10**11, 6 * 10**11)
    monkeypatch.setattr("tui.screens.runs.machine_strip.shutil.disk_usage", lambda path: disk)

    def shown(pilot: Pilot[Any]) -> bool:
        strips = list(pilot.app.screen.query(MachineStrip))
        return pilot.app.size.height < LEAST_HEIGHT or any(strip._lines for strip in strips)

    return shown


@pytest.fixture
def type_ahead() -> TypeAhead:
    """A function that types keys all at once, as over a slow connection."""

    def type_all(pilot: Pilot[Any], *keys: str) -> None:
        for key in keys:
            single = len(key) == 1
            name = _character_to_key(key) if single else key
            pilot.app.post_message(Key(name, key if single else None))

    return type_all


@pytest.fixture
def text_of() -> Callable[[Pilot[Any]], str]:
    """A function that returns the text on the screen, one line each."""

    def read(pilot: Pilot[Any]) -> str:
        compositor = pilot.app.screen._compositor
        return "\n".join(strip.text for strip in compositor.render_strips())

    return read


@pytest.fixture
def training() -> Callable[..., Iterator[Event]]:
    """The events of a training, complete or only its first epochs."""
    return _training


@pytest.fixture
def finished() -> Callable[..., Event]:
    """The final event of a run that completed."""
    return _finished
