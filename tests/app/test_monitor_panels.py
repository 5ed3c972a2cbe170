"""The panels of the monitor."""

from __future__ import annotations

import shutil
import threading
import time

import pytest

from engine.config.run_config import RunConfig
from engine.launch.start import launch
from engine.runs.control import STOP, Request
from engine.runs.directory import RunDirectory
from engine.runs.events import Controlled, Evaluated, Event, EventLog, Log, Resources, Samples
from tui.app import DltuiApp
from tui.charts import chart as chart_module
from tui.charts.explorer import ChartExplorer
from tui.screens.monitor.chart_grid import ChartGrid, layout
from tui.settings import Settings
from tui.widgets.log_panel import LogPanel

_GPU = {
    "name": "[b]GPU[/b]", "memory": 8e9, "memory_total": 16e9, "load_percent": 97,
    "temperature": 64, "power_watts": 250.0,
}  # fmt: skip


def append(run: RunDirectory, *events: Event) -> None:
    with EventLog(run.events.path) as log:
        for event in events:
            log.write(event)


def machine(cpu: float, **more: object) -> Resources:
    return Resources(cpu_percent=cpu, memory=4 * 10**9, memory_total=16 * 10**9,
                     process_memory=10**9, **more)  # fmt: skip


@pytest.fixture
def going(make_run, training):
    """A run of four epochs after its second, with a live worker."""
    return make_run("going", training(trained=2), working=True)


async def test_a_cursor_tells_the_values_of_every_curve(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "over epoch" in text_of(pilot))
        await pilot.press("home")
        await until(pilot, lambda: "epoch 0.1   ━━━ train 2.0000   ━●━ validation 1.0000"
                    in text_of(pilot))  # fmt: skip
        await pilot.press("l", "l")
        await until(pilot, lambda: "epoch 0.3   ━━━ train 0.6667" in text_of(pilot))
        await pilot.press("b")
        await until(pilot, lambda: "epoch 2   ━━━ train 0.1000   ━●━ validation 0.5000"
                    in text_of(pilot))  # fmt: skip
        await pilot.press("escape")
        await until(pilot, lambda: "over epoch" in text_of(pilot))
        assert app.screen.query_one(ChartExplorer)


async def test_a_chart_is_zoomed_about_its_cursor_and_moved(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "over epoch" in text_of(pilot))
        chart = app.screen.query_one(ChartExplorer)
        await pilot.press("plus", "plus")
        await until(pilot, lambda: "zoomed" in text_of(pilot))
        assert chart.span == pytest.approx((1.525, 2.0))
        await pilot.press("less_than_sign")
        assert chart.span == pytest.approx((1.40625, 1.88125))
        await pilot.press("home")
        assert chart.span is not None
        assert chart.span[0] == pytest.approx(0.1)
        await pilot.press("0")
        assert chart.span is None
        assert chart.cursor is None


async def test_a_click_puts_the_cursor_on_the_nearest_point(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "┐" in text_of(pilot))
        await pilot.click(ChartExplorer, offset=(96, 5))
        await until(pilot, lambda: "epoch 2   " in text_of(pilot))


async def test_the_axis_is_epochs_updates_or_time(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "over epoch" in text_of(pilot))
        await pilot.press("x")
        await until(pilot, lambda: "over step" in text_of(pilot))
        await pilot.press("x")
        await until(pilot, lambda: "over time" in text_of(pilot) and "15 s" in text_of(pilot))


async def test_a_metric_is_found_by_a_part_of_its_name(going, until, text_of) -> None:
    append(going, Evaluated(step=21, epoch=2.1, split="validation", metrics={"f1/[b]ORG": 0.5}))
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "over epoch" in text_of(pilot))
        await pilot.press("slash", *"org")
        await until(pilot, lambda: "learning_rate" not in text_of(pilot))
        assert "No name matches." not in text_of(pilot)
        await pilot.press(*"zzz")
        await until(pilot, lambda: "No name matches." in text_of(pilot))
        await pilot.press("enter", *["backspace"] * 3, "enter")
        await until(pilot, lambda: "f1/[b]ORG   ━●━ validation" in text_of(pilot))


async def test_charts_are_drawn_beside_the_event_loop(going, until, text_of, monkeypatch) -> None:
    threads = set()

    def draw(*arguments):
        threads.add(threading.current_thread())
        return drawn(*arguments)

    drawn = chart_module.draw
    monkeypatch.setattr(chart_module, "draw", draw)
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "over epoch" in text_of(pilot))
    assert threads
    assert threading.main_thread() not in threads


async def test_the_mark_of_the_best_moves_to_a_better_evaluation(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: "◆     2.00" in text_of(pilot))
        append(going, Evaluated(step=30, epoch=3.0, split="validation", best=True,
                                metrics={"accuracy": 0.9, "loss": 0.1}))  # fmt: skip
        await until(pilot, lambda: "◆     3.00" in text_of(pilot))
        assert text_of(pilot).count("◆") == 1


async def test_samples_of_before_are_reached_by_keys(going, until, text_of) -> None:
    for step in (10, 20):
        append(going, Samples(step=step, split="validation",
                              items=[{"predicted": f"[b]at {step}\x1b[2J"}]))  # fmt: skip
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "[b]at 20␛[2J" in text_of(pilot))
        await pilot.press("left")
        await until(pilot, lambda: "[b]at 10␛[2J" in text_of(pilot))
        assert "1 before the newest" in text_of(pilot)
        await pilot.press("l")
        await until(pilot, lambda: "at step 20, the newest" in text_of(pilot))


async def test_the_machine_is_shown_with_what_it_did_before(going, until, text_of) -> None:
    append(going, *(machine(cpu, gpus=[_GPU]) for cpu in (0.0, 50.0, 100.0)))
    app = DltuiApp(going.id)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "▁▅█" in text_of(pilot))
        shown = text_of(pilot)
    assert "4.0 GB of 16.0 GB" in shown
    assert "[b]GPU[/b]" in shown
    assert "64 °C" in shown
    assert "250 W" in shown
    assert "disk" in shown


async def test_the_disk_has_free_what_can_be_written(going, until, text_of, monkeypatch) -> None:
    """Of 252 GB, 48 are in use; a quota or the system keeps 150 back."""
    usage = type(shutil.disk_usage("/"))(252 * 10**9, 48 * 10**9, 54 * 10**9)
    monkeypatch.setattr("tui.screens.monitor.watcher.shutil.disk_usage", lambda path: usage)
    append(going, machine(50.0))
    app = DltuiApp(going.id)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "free" in text_of(pilot))
        assert "54.0 GB free" in text_of(pilot)


async def test_what_a_gpu_does_not_tell_is_left_out(going, until, text_of) -> None:
    append(going, machine(1.0, gpus=[{"name": "slice"}]))
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "slice" in text_of(pilot))
        assert "temperature" not in text_of(pilot)


async def test_a_log_is_searched_and_sifted_by_level(going, until, text_of) -> None:
    append(going, Log(level="info", message="needle one"), Log(level="error", message="broken"))
    going.log.write_text("UserWarning: needle two\nplain words\n")
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await until(pilot, lambda: "plain words" in text_of(pilot) and "broken" in text_of(pilot))
        await pilot.press("slash", *"needle")
        await until(pilot, lambda: "2 of 5 lines" in text_of(pilot))
        assert "broken" not in text_of(pilot)
        await pilot.press("enter", "v", "v")
        await until(pilot, lambda: "1 of 5 lines, warnings and errors" in text_of(pilot))
        assert "needle two" in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "broken" in text_of(pilot))


async def test_a_log_stays_where_it_is_read_and_at_its_end_follows(going, until, text_of) -> None:
    append(going, *(Log(level="info", message=f"line {number}.") for number in range(100)))
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await until(pilot, lambda: "line 99." in text_of(pilot))
        append(going, Log(level="info", message="newest"))
        await until(pilot, lambda: "newest" in text_of(pilot))
        await pilot.press("home")
        await until(pilot, lambda: "line 3." in text_of(pilot))
        append(going, Log(level="info", message="unseen"))
        await until(pilot, lambda: "103 lines" in text_of(pilot))
        assert "line 3." in text_of(pilot)
        assert "unseen" not in text_of(pilot)


@pytest.mark.parametrize("size", [(80, 24), (60, 16), (200, 60)])
async def test_hostile_lines_are_shown_and_do_nothing(going, until, text_of, size) -> None:
    hostile = "[@click=app.quit]x[/] \x1b]52;c;aGk=\x07 \x9b2J \u202e" + "長" * 700 + "\ud800"
    append(going, Log(level="strange", message=hostile), Log(level="error", message="\x00" * 5000))
    going.log.write_bytes(b"\xff\xfe\x1b[2J[/b]\r\r\n" + b"A" * 100_000 + b"\n")
    app = DltuiApp(going.id)
    async with app.run_test(size=size) as pilot:
        await pilot.press("6", "slash", *"click", "enter", "home")
        await until(pilot, lambda: "[@click" in text_of(pilot))
        shown = text_of(pilot)
    assert not any(character in shown for character in "\x1b\x07\x9b\u202e\ud800\x00")


async def test_over_a_slow_line_the_numbers_still_come(going, until, text_of) -> None:
    app = DltuiApp(going.id, Settings(slow_link=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        append(going, Evaluated(step=30, epoch=3.0, split="validation", metrics={"accuracy": 0.7}))
        await pilot.press("m")
        await until(pilot, lambda: "accuracy   ━●━ validation" in text_of(pilot))


@pytest.mark.slow
async def test_a_real_run_is_watched_through_every_size_and_panel(home, until, text_of) -> None:
    config = RunConfig.parse(
        {
            "name": "resized",
            "task": {"kind": "image_classification"},
            "data": {"kind": "builtin", "name": "digits", "max_samples": 200},
            "model": {"kind": "cnn"},
            "train": {"epochs": 100_000},
        }
    )
    handle = launch(config)
    app = DltuiApp(handle.run.id)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "validation" in text_of(pilot))
        for size in ((80, 24), (300, 80), (12, 4), (200, 60), (40, 10), (100, 30)):
            await pilot.resize_terminal(*size)
            for number in range(1, 7):
                await pilot.press(str(number))
            await pilot.press("1", "plus", "h", "w", "y")
        await until(pilot, lambda: "▶ running" in text_of(pilot))
        assert app.screen.query_one(LogPanel)
        handle.run.requests.send(Request(STOP))
        await until(pilot, lambda: "■ stopped" in text_of(pilot))
    assert handle.wait(60) == 0


async def test_the_loss_on_another_text_has_a_curve_too(going, until, text_of) -> None:
    append(going, *(Evaluated(step=step, epoch=step / 10, split="forgetting",
                              metrics={"loss": 1.5}) for step in (0, 10, 20)))  # fmt: skip
    async with DltuiApp(going.id).run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "━●━ validation   ━▲━ forgetting" in text_of(pilot))


def test_a_grid_has_as_many_charts_as_the_screen_shows_well() -> None:
    assert layout(metrics=6, width=76, height=15) == (1, 1)
    assert layout(metrics=6, width=116, height=15) == (1, 1)
    assert layout(metrics=6, width=116, height=30) == (2, 3)
    assert layout(metrics=3, width=116, height=30) == (2, 2)
    assert layout(metrics=2, width=116, height=30) == (1, 2)
    assert layout(metrics=9, width=196, height=40) == (3, 2)
    assert layout(metrics=1, width=196, height=40) == (1, 1)


async def test_all_metrics_are_seen_at_once_and_one_is_enlarged(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: " accuracy   validation 0.6000" in text_of(pilot))
        for line in (" loss   train 0.1000  validation 0.5000", " learning_rate   train 0.0010"):
            await until(pilot, lambda line=line: line in text_of(pilot))
        await pilot.press("m", "enter")
        await until(pilot, lambda: "accuracy   ━●━ validation   ◆ best by accuracy   over epoch"
                    in text_of(pilot))  # fmt: skip
        await pilot.press("home")
        await until(pilot, lambda: "epoch 1   ━●━ validation 0.5000" in text_of(pilot))
        await pilot.press("z")
        await until(pilot, lambda: " loss   train 0.1000" in text_of(pilot))
        await pilot.press("down")
        await until(pilot, lambda: app.screen.query_one(ChartGrid).metric == "learning_rate")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "learning_rate   epoch 1   ━━━ train" in text_of(pilot))


async def test_a_change_while_training_is_marked_on_the_curves(going, until, text_of) -> None:
    append(going, Controlled(request="learning_rate", message="Peak learning rate 5e-4."))
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "┊ Peak learning rate 5e-4." in text_of(pilot))
        frame = [line for line in text_of(pilot).splitlines() if "┤" in line or "│" in line]
        assert sum("┊" in line for line in frame) > 5
        await pilot.press("5", "end")
        await until(pilot, lambda: "epoch 2      Peak learning rate 5e-4." in text_of(pilot))


async def test_the_last_values_are_drawn_as_soon_as_the_run_has_ended(
    going, finished, until, text_of
) -> None:
    app = DltuiApp(going.id, Settings(slow_link=True))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "validation 0." in text_of(pilot))
        begin = time.monotonic()
        last = Evaluated(step=40, epoch=4.0, split="validation", metrics={"accuracy": 0.9876})
        append(going, last, finished())
        await until(pilot, lambda: "0.9876" in text_of(pilot))
        assert time.monotonic() - begin < 8  # a chart over a slow connection: every ten seconds
