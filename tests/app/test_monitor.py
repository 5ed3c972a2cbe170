"""The monitor follows a run without changing it."""

from __future__ import annotations

import subprocess

import pytest
from textual.widgets import TabbedContent

from engine.config.run_config import RunConfig
from engine.launch.start import launch
from engine.processes.identity import ProcessIdentity
from engine.runs.control import CHECKPOINT, EVALUATE, STOP
from engine.runs.events import (
    CheckpointSaved,
    Evaluated,
    EventLog,
    Failed,
    Interrupted,
    Progress,
    Started,
)
from engine.runs.status import State
from tui.app import DltuiApp
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.results.screen import ResultsScreen
from tui.screens.runs.screen import RunsScreen


def append(run, *events) -> None:
    log = EventLog(run.events.path)
    for event in events:
        log.write(event)
    log.close()


@pytest.fixture
def going(make_run, training):
    """A run of four epochs after its second, with a live worker."""
    return make_run("going", training(trained=2), working=True)


async def test_numbers_bars_and_chart_show_the_state(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await until(pilot, lambda: "validation" in text_of(pilot))
        shown = text_of(pilot)
    assert "▶ running" in shown
    assert "50%  20 s left of 40 s" in shown
    assert "loss 0.1000" in shown
    assert "samples/s 1,234" in shown
    assert "◆ best" in shown


@pytest.mark.parametrize(("threads", "told"), [(1, "float32, 1 thread "), (2, "2 threads")])
async def test_threads_are_counted(make_run, until, text_of, threads, told) -> None:
    run = make_run("counted", [Started(device="cpu", precision="float32", threads=threads)])
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(MonitorScreen(run))
        await until(pilot, lambda: told in text_of(pilot))


async def test_what_is_written_later_appears(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        append(going, Progress(step=33, steps=40, epoch=3.3, epochs=4, loss=0.0123,
                               learning_rate=5e-4, seconds=33.0))  # fmt: skip
        await until(pilot, lambda: "Step 33/40" in text_of(pilot))
        assert "loss 0.0123" in text_of(pilot)
        assert "lr 5.00e-04" in text_of(pilot)


async def test_every_panel_opens_by_its_number(going, until, text_of) -> None:
    append(going, Evaluated(step=21, epoch=2.1, split="validation", metrics={"accuracy": 0.1}))
    going.log.write_text("library [b]says[/b]\x1b[2J\n")
    app = DltuiApp(going.id)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        expected = {
            "1": " loss   train",
            "2": "train loss",
            "3": "Samples come with",
            "4": "Measured every",
            "5": "900 of 900 parameters",
            "6": "library [b]says[/b]␛[2J",
        }
        for key, text in expected.items():
            await pilot.press(key)
            await until(pilot, lambda text=text: text in text_of(pilot))
        await until(pilot, lambda: "[red]not red[/red] ␛[2J" in text_of(pilot))


async def test_only_the_best_evaluation_is_marked(going, until, text_of) -> None:
    append(going, Evaluated(step=30, epoch=3.0, split="validation", metrics={"accuracy": 0.1}))
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: "0.1000" in text_of(pilot) and "◆" in text_of(pilot))
        marked = [line for line in text_of(pilot).splitlines() if "◆" in line]
    assert len(marked) == 1
    assert "2.00" in marked[0]


async def test_metric_and_scale_are_chosen_by_keys(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "loss   ━━━ train" in text_of(pilot))
        await pilot.press("y")
        await until(pilot, lambda: "over epoch, log" in text_of(pilot))
        await pilot.press("m")
        await until(pilot, lambda: "accuracy   ━●━ validation" in text_of(pilot))
        await pilot.press("m", "w")
        await until(pilot, lambda: "over epoch, log, smoothed" in text_of(pilot))


async def test_controls_leave_requests(going, until) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = app.screen
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        await pilot.press("S", "V", "s", "y")
        await until(
            pilot, lambda: app.screen is screen and len(list(going.requests.path.iterdir())) == 3
        )
    assert [request.action for request in going.requests.take()] == [CHECKPOINT, EVALUATE, STOP]


async def test_overfitting_is_reported_in_words(going, until, text_of) -> None:
    for epoch, loss in enumerate((0.9, 1.0, 1.1), 3):
        append(going, Evaluated(step=epoch * 10, epoch=float(epoch), split="validation",
                                metrics={"loss": loss}, train_loss=0.01 / epoch))  # fmt: skip
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "overfitting:" in text_of(pilot))


async def test_a_failed_run_says_why_and_where_its_log_is(
    make_run, training, until, text_of
) -> None:
    message = "[b]The loss is no longer finite. " + "Try a lower rate. " * 4
    run = make_run("failed", [*training(trained=1), Failed(message=message)])
    app = DltuiApp(run.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "[b]The loss is no longer finite" in text_of(pilot))
        await until(pilot, lambda: "log.txt" in text_of(pilot))
        assert not app.screen.check_action("request", (STOP,))
        assert app.screen.check_action("resume", ())


async def test_leaving_says_that_the_run_continues(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "▶ running" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await until(pilot, lambda: "going continues in the background" in text_of(pilot))
    assert going.status.state() is State.RUNNING


async def test_any_size_is_survived(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        for size in ((20, 5), (300, 80), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        for number in range(1, 7):
            await pilot.press(str(number))
        assert app.screen.query_one(TabbedContent).active == "log"


async def test_a_real_training_is_watched_to_its_results(home, until, text_of) -> None:
    config = RunConfig.parse(
        {
            "name": "real",
            "task": {"kind": "image_classification"},
            "data": {"kind": "builtin", "name": "digits", "max_samples": 200},
            "model": {"kind": "cnn"},
            "train": {"epochs": 2},
        }
    )
    handle = launch(config)
    app = DltuiApp(handle.run.id)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "Enter shows the results" in text_of(pilot))
        await until(pilot, lambda: "✓ finished" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        await until(pilot, lambda: "Confusion matrix" in text_of(pilot))
    assert handle.wait(60) == 0


async def test_a_lost_run_tells_how_it_is_resumed_and_no_time_left(
    make_run, training, until, text_of
) -> None:
    saved = CheckpointSaved(step=20, name="step-000000020", size=1, reason="periodic")
    lost = make_run("gone", [*training(trained=2), saved])
    with subprocess.Popen(["sleep", "60"]) as gone:
        lost.status.set_worker(ProcessIdentity.of(gone.pid))
        gone.kill()
    app = DltuiApp(lost.id)
    async with app.run_test(size=(300, 24)) as pilot:
        await until(pilot, lambda: "lost" in text_of(pilot))
        await until(pilot, lambda: "r resumes from the last checkpoint" in text_of(pilot))
        assert " left" not in text_of(pilot)


async def test_a_run_that_is_resumed_starts_first(make_run, training, until, text_of) -> None:
    interrupted = Interrupted(step=20, seconds=20.0)
    run = make_run("again", [*training(trained=2), interrupted])
    run.status.set_worker(ProcessIdentity.own())
    app = DltuiApp(run.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await until(pilot, lambda: "50%  starting" in text_of(pilot))
        assert "Interrupted" not in text_of(pilot)
        append(run, Started(device="cpu", precision="float32", threads=2, resumed_step=20))
        await until(pilot, lambda: "50%  reading the data" in text_of(pilot))
