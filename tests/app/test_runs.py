"""The list of runs: live, filtered, and operated by keys."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime

import psutil
from textual.widgets import Input

from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.files.paths import runs_folder
from engine.processes.identity import ProcessIdentity
from engine.queue import entries
from engine.runs.annotations import Annotations, read_annotations, write_annotations
from engine.runs.control import STOP, Request
from engine.runs.directory import all_runs
from engine.runs.events import PAUSED, EventLog, Failed, Progress, Resources
from engine.runs.summary import RunSummary
from tui.app import DltuiApp, farewell
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.dialogs.keys import KeysScreen
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.results.screen import ResultsScreen
from tui.screens.runs.machine_strip import Machine, gauges
from tui.screens.runs.rows import COLUMNS, STARTED, fitting, when
from tui.screens.runs.screen import RunsScreen
from tui.screens.runs.trash import TrashScreen
from tui.screens.runs.welcome import EXPERIMENTS
from tui.widgets.columns import Column, widths_of
from tui.widgets.listing import Listing


def names(app: DltuiApp) -> list[str]:
    """The runs in the list; empty while the screen is being mounted."""
    return [row.name for listing in app.screen_stack[-1].query(Listing) for row in listing.items]


async def test_an_empty_history_says_what_to_press(until, text_of) -> None:
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "There are no runs yet" in text_of(pilot))
        assert "n  with data of your own" in text_of(pilot)


def test_the_experiments_of_an_empty_list_need_no_download() -> None:
    presets = [preset for _, preset, _ in EXPERIMENTS.values()]
    configs = [load_preset(find_preset(name)) for name in presets]
    assert [config.data.kind for config in configs] == ["builtin"] * 5
    assert all(config.model.from_scratch for config in configs)
    assert len({config.task.kind for config in configs}) == 5


async def test_a_key_trains_an_experiment_while_the_list_is_empty(until, make_run) -> None:
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(
            pilot, lambda: app.screen.query("#empty") and app.screen.query_one("#empty").display
        )
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        (run,) = all_runs(runs_folder())
        assert run.config.read().data.label == "seasons"
        run.requests.send(Request(STOP))
        await until(pilot, lambda: run.status.state().ended)
        await pilot.press("escape")
        await until(pilot, lambda: names(app))
        await pilot.press("4")
        await pilot.pause()
        assert len(all_runs(runs_folder())) == 1


async def test_the_run_at_the_cursor_is_seen_at_a_glance(
    make_run, training, finished, until, text_of
) -> None:
    first = make_run("first", [*training(), finished(0.9)])
    report = {"metrics": {"test": {"accuracy": 0.9}}, "metric": "accuracy"}
    verdict = {"text": "The network is worse than guessing.", "outcome": "worse"}
    first.report.path.write_text(json.dumps(report | {"verdict": verdict}))
    config = make_run("second", training()).config
    config.write(config.read().override(["train.learning_rate=0.25", "task.label_smoothing=0.5"]))
    app = DltuiApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "differs from first in" in text_of(pilot))
        shown = text_of(pilot)
        assert "learning_rate  – → 0.25" in shown
        assert "label_smoothing 0 → 0.5" in shown
        assert "epoch" in shown
        await pilot.press("down")
        await until(pilot, lambda: "The network is worse than guessing." in text_of(pilot))
        await until(pilot, lambda: "accuracy 0.9000  test" in text_of(pilot))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "worse than guessing" not in text_of(pilot))


def test_a_narrow_list_does_without_the_least_telling_columns() -> None:
    titles = [column.title for column in fitting(60)]
    assert titles == ["", "State", "Name", "Model", "Value", STARTED]
    assert fitting(200) == COLUMNS


def test_names_of_metrics_are_whole_at_the_width_of_a_list_beside_the_pane() -> None:
    least = {column.title: column.column.least for column in fitting(72)}
    assert least["Metric"] >= len("mse_scaled")


def test_a_time_of_today_is_told_by_how_long_ago_it_was() -> None:
    noon = datetime(2020, 6, 15, 12, 0).timestamp()
    assert when(noon - 59, noon) == "just now"
    assert when(noon - 60 * 59, noon) == "59 min ago"
    assert when(noon - 60 * 125, noon) == "2 h ago"
    assert when(noon - 60 * 60 * 13, noon) == "14 Jun"
    assert when(noon - 366 * 86400, noon) == "2019-06"


async def test_a_row_shows_what_is_known(make_run, training, finished, until, text_of) -> None:
    make_run("good", [*training(), finished(0.9625)])
    app = DltuiApp()
    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, lambda: "0.9625" in text_of(pilot))
        row = next(line for line in text_of(pilot).splitlines() if "0.9625" in line)
    for part in ("✓ finished", "good", "cnn", "accuracy"):
        assert part in row


async def test_a_new_run_and_its_end_appear(make_run, training, until, text_of) -> None:
    make_run("first", training())
    app = DltuiApp()
    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, lambda: names(app) == ["first"])
        second = make_run("second", training(trained=1))
        second.status.set_worker(ProcessIdentity.own())
        await until(pilot, lambda: sorted(names(app)) == ["first", "second"])
        await until(pilot, lambda: "▶ 25%" in text_of(pilot))
        log = EventLog(second.events.path)
        log.write(Failed(message="no memory"))
        log.close()
        await until(pilot, lambda: "✗ failed" in text_of(pilot))


async def test_words_of_the_filter_must_all_be_found(make_run, until) -> None:
    for name in ("alpha-one", "alpha-two", "beta-one"):
        make_run(name)
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(names(app)) == 3)
        await pilot.press("slash", *"alpha one")
        await until(pilot, lambda: names(app) == ["alpha-one"])
        await pilot.press("escape")
        await until(pilot, lambda: len(names(app)) == 3)
        assert not app.screen.query_one("#filter", Input).display


async def test_a_filter_that_no_run_passes_says_why_and_how_to_see_all(
    make_run, training, finished, until, text_of
) -> None:
    make_run("alpha", [*training(), finished()])
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "accuracy" in text_of(pilot))
        await pilot.press("slash", *"beta", "enter")
        await until(pilot, lambda: "No run passes the filter; esc shows all." in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: len(names(app)) == 1)
        await pilot.press("slash", *"acuracy>0.5")
        said = "No run has a metric 'acuracy'; did you mean accuracy?"
        await until(pilot, lambda: said in text_of(pilot))


async def test_a_row_tells_how_far_a_run_is_and_that_it_is_finishing(
    make_run, training, until, text_of
) -> None:
    run = make_run("going", training(trained=2), working=True)
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "▶ 50% ━━━━━ " in text_of(pilot))
        with EventLog(run.events.path) as log:
            log.write(Progress(step=40, steps=40, epoch=4.0, epochs=4, loss=None,
                               learning_rate=1e-3, phase="test"))  # fmt: skip
        await until(pilot, lambda: "▶ finishing " in text_of(pilot))


async def test_stop_asks_first_and_leaves_a_request(make_run, training, until) -> None:
    run = make_run("going", training(trained=1))
    run.status.set_worker(ProcessIdentity.own())
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        await pilot.press("s", "n")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert list(run.requests.take()) == []
        await pilot.press("y")
        await until(pilot, lambda: any(run.requests.path.iterdir()))
    assert [request.action for request in run.requests.take()] == [STOP]


async def test_a_run_in_the_queue_is_taken_out_not_stopped(until) -> None:
    values = load_preset(find_preset("digits-cnn")).values() | {"name": "later"}
    run = entries.add(RunConfig.parse(values))
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        await pilot.press("s")
        await until(pilot, lambda: app.messages)
        assert "later waits in the queue: Q opens it, d takes it out." in app.messages[-1].text
    assert list(run.requests.take()) == []


async def test_delete_asks_first_and_the_trash_can_be_emptied(
    make_run, training, finished, until
) -> None:
    make_run("old", [*training(), finished()])
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        await pilot.press("d", "n")
        assert len(all_runs(runs_folder())) == 1
        await pilot.press("d", "y")
        await until(pilot, lambda: not names(app))
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, TrashScreen) and names(app) == ["old"])
        await pilot.press("Z", "y")
        await until(pilot, lambda: isinstance(app.screen, TrashScreen) and not names(app))
    assert [list(path.iterdir()) for path in runs_folder().iterdir()] == [[]]


async def test_deletion_pins_and_tags_are_undone_one_by_one(
    make_run, training, finished, until, text_of
) -> None:
    runs = [make_run(name, [*training(), finished()]) for name in ("one", "two")]
    write_annotations(runs[0], Annotations(("old",), "a note"))

    def notes() -> list[Annotations]:
        return [read_annotations(run) for run in runs]

    before = notes()
    async with DltuiApp().run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: len(names(pilot.app)) == 2)
        await pilot.press("a", "asterisk")
        await until(pilot, lambda: all(one.pinned for one in notes()))
        await until(pilot, lambda: all(row.notes.pinned for row in shown(pilot)))
        await pilot.press("N", *"new", "enter")
        await until(pilot, lambda: all("new" in one.tags for one in notes()))
        await pilot.press("d", "y")
        await until(pilot, lambda: not names(pilot.app))
        await pilot.press("u")
        await until(pilot, lambda: len(names(pilot.app)) == 2)
        assert all("new" in one.tags for one in notes())
        await pilot.press("u")
        await until(pilot, lambda: [one.tags for one in notes()] == [("old",), ()])
        assert all(one.pinned for one in notes())
        await pilot.press("u")
        await until(pilot, lambda: notes() == before)
        await pilot.press("u")
        await until(pilot, lambda: "There is nothing to undo." in text_of(pilot))


def shown(pilot) -> Sequence[RunSummary]:
    return pilot.app.screen.query_one(Listing).items


async def test_notes_that_were_changed_elsewhere_are_not_undone(
    make_run, training, finished, until, text_of
) -> None:
    run = make_run("one", [*training(), finished()])
    async with DltuiApp().run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: names(pilot.app))
        await pilot.press("asterisk")
        await until(pilot, lambda: read_annotations(run).pinned)
        other = Annotations(("from-elsewhere",))
        write_annotations(run, other)
        await pilot.press("u")
        await until(pilot, lambda: "! The notes of" in text_of(pilot))
    assert read_annotations(run) == other


async def test_a_running_run_is_not_deleted(make_run, training, until, text_of) -> None:
    run = make_run("going", training(trained=1))
    run.status.set_worker(ProcessIdentity.own())
    app = DltuiApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: names(app))
        await pilot.press("d", "y")
        await until(pilot, lambda: "Stop it before it is" in text_of(pilot))
    assert run.events.path.exists()


async def test_enter_opens_the_monitor_or_the_results(make_run, training, finished, until) -> None:
    make_run("lost", training(trained=1))
    done = make_run("done", [*training(), finished()])
    done.report.path.write_text('{"metrics": {"test": {"accuracy": 0.9}}, "metric": "accuracy"}')
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(names(app)) == 2)
        opened = {}
        for key in ("home", "end"):
            await pilot.press(key)
            name = app.screen.query_one(Listing).current.name
            await pilot.press("enter")
            await until(pilot, lambda: not isinstance(app.screen, RunsScreen))
            opened[name] = type(app.screen)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, RunsScreen))
    assert opened == {"lost": MonitorScreen, "done": ResultsScreen}


async def test_hostile_names_and_damage_are_only_shown(make_run, until, text_of) -> None:
    run = make_run("fine")
    (run.path / "config.toml").write_text('name = "[red]\\u001b[2J"\n')
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        assert "\x1b" not in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        await pilot.press("escape")


async def test_keys_that_need_a_run_are_offered_once_there_is_one(make_run, until) -> None:
    def offered(app: DltuiApp) -> set[str]:
        return {active.binding.description for active in app.screen.active_bindings.values()}

    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        needy = {"Open", "Stop", "Clone", "Filter", "Compare", "Export the model", "Delete"}
        await until(pilot, lambda: not needy & offered(app))
        assert {"New", "Presets", "Undo", "Quit"} <= offered(app)
        make_run("one")
        await until(pilot, lambda: names(app))
        await until(pilot, lambda: needy <= offered(app))


async def test_keys_of_the_screen_are_listed(make_run, until, text_of) -> None:
    make_run("one")
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        await pilot.pause()
        shown = text_of(pilot)
        for _ in range(4):  # the list is longer than 24 lines
            await pilot.press("ctrl+d")
            await pilot.pause()
            shown += text_of(pilot)
        for group, word in (("Run", "Clone"), ("View", "Sort"), ("Move", "Quit")):
            assert re.search(rf"  {group}  .*?  {word}", shown, re.DOTALL)
        for word in (
            "New", "Presets", "Resume", "Clone", "Delete", "Filter", "Quit", "Sort", "Select",
            "Compare", "Pin", "Tags and note", "Save as preset", "Trash",
        ):  # fmt: skip
            assert word in shown
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_the_palette_does_what_the_keys_do(make_run, training, finished, until) -> None:
    make_run("old", [*training(), finished()])
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        actions = {command.title: command for command in app.get_system_commands(app.screen)}
        actions["Delete"].callback()
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))


async def test_quitting_says_that_runs_continue(make_run, training, until) -> None:
    run = make_run("going", training(trained=1))
    run.status.set_worker(ProcessIdentity.own())
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        await pilot.press("q")
    assert app.return_value == farewell(1)
    assert "1 run continues" in farewell(1)


def test_columns_share_the_width_up_to_their_most() -> None:
    columns = (Column("a", 5, 10), Column("b", 5, 50))
    assert widths_of(columns, 11) == (5, 5)
    assert widths_of(columns, 31) == (10, 20)
    assert widths_of(columns, 300) == (10, 50)


async def test_the_cursor_stays_on_its_run_when_others_come(make_run, until) -> None:
    make_run("b")
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app) == ["b"])
        make_run("newer-1")
        make_run("newer-2")
        await until(pilot, lambda: len(names(app)) == 3)
        assert app.screen.query_one(Listing).current.name == "b"


def test_the_terminal_is_given_back_after_stray_output(home) -> None:
    """All output printed inside goes to the log; afterwards the streams are restored."""
    code = (
        "import os, sys, subprocess\n"
        "from tui.terminal import output\n"
        "with output.owned():\n"
        "    print('stray print'); os.write(2, b'stray write')\n"
        "    subprocess.run(['echo', 'stray child'])\n"
        "    sys.__stderr__.write('drawn'); sys.__stderr__.flush()\n"
        "print('after')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "after\n"
    assert done.stderr == "drawn"
    logged = (home / "logs" / "output.log").read_text()
    assert all(f"stray {way}" in logged for way in ("print", "write", "child"))


async def test_a_killed_run_is_resumed_by_a_key(make_run, training, until) -> None:
    run = make_run("killed", training(trained=1))
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run.status.set_worker(ProcessIdentity.of(gone.pid))
    os.kill(gone.pid, signal.SIGKILL)
    gone.wait()
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        await pilot.press("r")
        await until(pilot, lambda: run.status.worker() and run.status.worker().pid != gone.pid)
        worker = run.status.worker()
        await until(pilot, lambda: not worker.alive())


async def test_what_a_message_said_can_be_read_again(make_run, until, text_of) -> None:
    make_run("one")
    app = DltuiApp()
    async with app.run_test(size=(80, 24), notifications=False) as pilot:
        await until(pilot, lambda: names(app))
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: "None so far." in text_of(pilot))
        await pilot.press("escape", "C", "t")
        await until(pilot, lambda: len(app.messages) == 2)
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: "one has no finished model." in text_of(pilot))
        newest, older = [line for line in text_of(pilot).splitlines() if ":" in line[:12]][:2]
    assert "one has no finished model." in newest
    assert "Select at least two runs" in older


async def test_a_high_screen_shows_the_machine_and_the_queue(make_run, until, text_of) -> None:
    entries.append(make_run("waits"))
    app = DltuiApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "queue 1 run, not started; Q opens it" in text_of(pilot))
        strip = next(line for line in text_of(pilot).splitlines() if "CPU" in line)
        memory = psutil.virtual_memory().total / 1e9
        assert f"of {memory:.1f} GB" in strip
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "CPU" not in text_of(pilot))


def test_each_gpu_of_a_machine_has_a_gauge() -> None:
    gpus = [{"memory": 12 * 10**9, "memory_total": 24 * 10**9, "load_percent": 87}, {}]
    use = Resources(cpu_percent=5.0, memory=1, memory_total=2, process_memory=1, gpus=gpus)
    texts = [part.plain for part in gauges(Machine(use, 10**9, 0, working=False), "Q")]
    assert texts == [
        "CPU ▍······· 5 %",
        "memory ████···· 1 B of 2 B",
        "GPU 0 ████···· 87 %, 12.0 GB of 24.0 GB",
        "GPU 1 ········ 0 B of 0 B",
        "disk 1.0 GB free",
    ]


async def test_a_paused_run_is_shown_as_paused_and_found_by_that(
    make_run, training, until, text_of
) -> None:
    paused = Progress(
        step=20, steps=40, epoch=2.0, epochs=4, loss=None, learning_rate=1e-3, phase=PAUSED
    )
    run = make_run("waiting", [*training(trained=1), paused])
    run.status.set_worker(ProcessIdentity.own())
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "‖ paused" in text_of(pilot))
        await pilot.press("slash", *"state:paused", "enter")
        await until(pilot, lambda: names(pilot.app) == ["waiting"])


async def test_actions_are_listed_in_a_line_each_and_found_by_other_names(
    make_run, training, finished, until, text_of
) -> None:
    make_run("old", [*training(), finished()])
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(pilot.app))
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Adapters  A" in text_of(pilot))
        await pilot.press(*"duplicate")
        await until(pilot, lambda: "Clone  c" in text_of(pilot))
        assert "Adapters" not in text_of(pilot).split("duplicate")[1]
        # Before an action that has the letters somewhere, as Benchmarks (eval) has those of csv.
        await pilot.press(*["backspace"] * 9, *"csv")
        await until(pilot, lambda: re.search(r"csv\s+[▁\s]*Save predictions  F", text_of(pilot)))
