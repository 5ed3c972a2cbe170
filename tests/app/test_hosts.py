"""Runs of other machines on the screens: a real ``dltui --stdio`` answers, without SSH between."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.config.run_config import RunConfig
from engine.processes.identity import ProcessIdentity
from engine.queue import entries
from engine.runs.annotations import Annotations, write_annotations
from engine.runs.directory import RunDirectory
from engine.runs.event_file import EventFile
from engine.runs.events import EventLog
from tui.app import DltuiApp
from tui.hosts import connection
from tui.hosts.address import Address
from tui.hosts.link import Standing
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.queue import QueueScreen
from tui.screens.results.screen import ResultsScreen
from tui.screens.runs.screen import RunsScreen
from tui.widgets.listing import Listing

_SSH = """\
#!/bin/sh
# In place of ssh: the program is started on this machine, with the folders of another one.
[ "$1" = -O ] && exit 255
while [ "$1" != -- ]; do shift; done
[ "$2" = gone ] && {{ echo "ssh: no route to gone" >&2; exit 255; }}
DLTUI_HOME={home} exec {python} -m tui --stdio
"""


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of another machine, which is named ``gpu1``."""
    programs, home = tmp_path / "bin", tmp_path / "box"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text(_SSH.format(home=home, python=sys.executable))
    ssh.chmod(0o700)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setattr(connection, "_SHORTEST_WAIT", 0.2)
    yield home
    for process in psutil.Process().children(recursive=True):
        if "--stdio" in process.cmdline():
            process.kill()


@pytest.fixture
def make_there(box: Path, training: Any) -> Callable[..., RunDirectory]:
    """A function that writes a run of that machine."""

    def make(name: str, *events: Any, trained: int | None = None) -> RunDirectory:
        values: dict[str, Any] = {
            "name": name,
            "task": {"kind": "image_classification"},
            "data": {"kind": "builtin"},
            "model": {"kind": "cnn"},
        }
        run = RunDirectory.create(box / "runs", RunConfig.parse(values))
        with EventLog(run.events.path) as log:
            for event in [*training(trained=trained), *events]:
                log.write(event)
        if not events:
            run.status.set_worker(ProcessIdentity.own())
        return run

    return make


@asynccontextmanager
async def opened(*hosts: str, size: tuple[int, int] = (120, 30)) -> AsyncIterator[Pilot[Any]]:
    app = DltuiApp(hosts=[Address(host) for host in hosts or ("gpu1",)])
    async with app.run_test(size=size) as pilot:
        yield pilot


def told(pilot: Pilot[Any]) -> str:
    """The messages so far: on the screen their lines are broken."""
    return "\n".join(shown.text for shown in pilot.app.messages)  # type: ignore[attr-defined]


def rows(pilot: Pilot[Any]) -> list[str]:
    return [row.key for row in pilot.app.screen.query_one(Listing).items]


async def test_runs_of_all_machines_are_in_one_list(
    make_there: Any, make_run: Any, finished: Any, until: Any, text_of: Any
) -> None:
    there, here = make_there("there", finished()), make_run("here")
    async with opened("gpu1", "gone") as pilot:
        await until(pilot, lambda: sorted(rows(pilot)) == sorted([here.id, f"gpu1/{there.id}"]))
        await until(pilot, lambda: "memory" in text_of(pilot))
        await until(pilot, lambda: "gone         not reachable" in text_of(pilot))
        assert "ssh: no route to gone" in text_of(pilot)
        assert "Host" in text_of(pilot)
        await pilot.press(*"/host:gpu1")
        await until(pilot, lambda: rows(pilot) == [f"gpu1/{there.id}"])


async def test_without_hosts_there_is_neither_a_column_nor_a_line(
    make_run: Any, until: Any, text_of: Any
) -> None:
    make_run("here")
    async with DltuiApp().run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: rows(pilot))
        assert "Host" not in text_of(pilot)
        assert not pilot.app.screen.query_one("#hosts").display


async def test_a_run_of_a_host_is_followed_stopped_and_its_rate_changed(
    make_there: Any, until: Any, text_of: Any
) -> None:
    run = make_there("there", trained=2)
    async with opened() as pilot:
        await until(pilot, lambda: rows(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, MonitorScreen))
        await until(pilot, lambda: "there on gpu1" in text_of(pilot))
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        (host,) = pilot.app.hosts  # type: ignore[attr-defined]
        host.link.stand(Standing("gone", problem="no route.", retry=time.monotonic()))
        await until(pilot, lambda: "gpu1 is not reachable, tried again at" in text_of(pilot))
        assert "there on gpu1   ? running" in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "✗ gpu1" in text_of(pilot))
        assert "? 50%" in text_of(pilot)
        assert "on gpu1, not reachable" in text_of(pilot)
        await until(pilot, lambda: "gpu1 is not reachable. Shown is" in text_of(pilot))
        assert "running" not in text_of(pilot).split("\n")[0]
        host.link.stand(Standing("connected"))
        await until(pilot, lambda: "not reachable" not in text_of(pilot))
        await until(pilot, lambda: "▶ 50%" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await pilot.press("L", "ctrl+u", *"0.5", "enter")
        await until(pilot, lambda: run.requests.waits("learning_rate"))
        await pilot.press("s", "y", "escape")
        await until(pilot, lambda: run.requests.waits("stop"))


async def test_results_of_a_host_are_shown_and_its_model_is_fetched_first(
    make_there: Any, finished: Any, until: Any, text_of: Any, home: Path
) -> None:
    run = make_there("there", finished())
    run.report.path.write_text('{"metric": "accuracy", "metrics": {"test": {"accuracy": 0.96}}}')
    async with opened() as pilot:
        await until(pilot, lambda: rows(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ResultsScreen))
        await until(pilot, lambda: "0.9600" in text_of(pilot))
        assert f"{run.id} on gpu1" in text_of(pilot)
        await pilot.press("t")
        await until(pilot, lambda: "Fetch it to this machine" in told(pilot))
        await pilot.press("escape", "H")
        await until(pilot, lambda: run.id in rows(pilot))
        assert EventFile(home / "runs" / run.id).last() == run.events.last()


async def test_a_clone_is_put_into_the_queue_of_a_host(
    make_there: Any, finished: Any, until: Any, text_of: Any, box: Path
) -> None:
    run = make_there("there", finished())
    (box / "queue").mkdir()
    # Its queue is running, as far as it knows: by this process, which starts nothing.
    (box / "queue" / "worker.json").write_text(json.dumps(ProcessIdentity.own().record()))
    async with opened() as pilot:
        await until(pilot, lambda: rows(pilot))
        await pilot.press("c")
        await until(pilot, lambda: "Clone there to" in text_of(pilot))
        await pilot.press(*"queue", "enter")
        await until(pilot, lambda: "changes as field=value" in text_of(pilot))
        await pilot.press(*"name=other train.epochs=-1")
        await until(pilot, lambda: "train.epochs" in text_of(pilot))
        await pilot.press("backspace", "backspace", "7", "enter")
        await until(pilot, lambda: "is in the queue of gpu1" in told(pilot))
        await until(pilot, lambda: len(rows(pilot)) == 2)
    (cloned,) = list((box / "runs").glob("*-other"))
    assert RunDirectory(cloned).config.read().train.epochs == 7
    assert run.config.read().train.epochs != 7


async def test_the_queue_of_a_host_is_ordered_beside_that_of_this_machine(
    make_there: Any, finished: Any, until: Any, text_of: Any, box: Path, monkeypatch: Any
) -> None:
    with monkeypatch.context() as there:
        there.setenv("DLTUI_HOME", str(box))
        first, second = make_there("first", finished()), make_there("second", finished())
        for run in (first, second):
            entries.append(run)
    async with opened() as pilot:
        await until(pilot, lambda: len(rows(pilot)) == 2)
        await pilot.press("Q")
        await until(pilot, lambda: isinstance(pilot.app.screen, QueueScreen))
        await until(pilot, lambda: "Queue of gpu1" in text_of(pilot))

        def queue() -> list[str]:
            return [row.run for row in pilot.app.screen.query_one(Listing).items]

        await until(pilot, lambda: queue() == [first.id, second.id])
        await pilot.press("J")
        await until(pilot, lambda: queue() == [second.id, first.id])
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "Queue of this machine" in text_of(pilot))
        assert queue() == []
        assert "No run is in the queue" in text_of(pilot)


async def test_nothing_that_is_typed_waits_for_a_host_that_hangs(
    make_there: Any, make_run: Any, until: Any, text_of: Any
) -> None:
    make_there("there", trained=2)
    make_run("local")
    async with opened() as pilot:
        await until(pilot, lambda: len(rows(pilot)) == 2)
        (host,) = pilot.app.hosts
        for process in psutil.Process().children(recursive=True):
            if "--stdio" in process.cmdline():
                process.suspend()
        listing = pilot.app.screen.query_one(Listing)
        place = next(i for i, row in enumerate(listing.items) if row.host)
        listing.action_move(place - listing.cursor)
        await pilot.press("enter")  # opens a run of the host, which does not answer
        await pilot.press("slash", *"local")
        await until(pilot, lambda: len(rows(pilot)) == 1)
        assert pilot.app.screen.query_one("#filter", Input).value == "local"
        await pilot.press("escape", "n")
        await until(pilot, lambda: not isinstance(pilot.app.screen, RunsScreen))
        assert host.link.standing.phase == "connected"


async def test_text_of_a_host_does_nothing_on_the_screen(
    make_there: Any, finished: Any, until: Any, text_of: Any
) -> None:
    run = make_there("there", finished())
    write_annotations(run, Annotations(("[red]tag",), "[bold]note\x1b[2J[/]", False))
    async with opened() as pilot:
        await until(pilot, lambda: "[bold]note␛[2J[/]" in text_of(pilot))
        assert "#[red]tag" in text_of(pilot)
