"""Composing a run with the keyboard alone, from the empty form to the worker."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
from typing import Any

import pytest
from textual.content import Content
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Static

from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.queue import entries
from engine.reports.estimate import Estimate, Memory
from engine.reports.speed import Speed
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.status import State
from engine.service.client import AdvisorError, Superseded
from tui.app import DltuiApp
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.new_run.draft_form import DraftForm
from tui.screens.new_run.screen import NewRunScreen
from tui.screens.new_run.sections import heading_of
from tui.widgets.estimate import EstimateBar
from tui.widgets.few_lines import FewLines
from tui.widgets.form.column_types import ColumnTypesScreen
from tui.widgets.form.paths import complete
from tui.widgets.form.row import FieldRow
from tui.widgets.preview import DataPreview

SIZES = [(80, 24), (120, 40)]
SMALL_FIRST = [SIZES[0], pytest.param(SIZES[1], marks=pytest.mark.slow)]


def unanswered(question: str, **arguments: Any) -> dict[str, Any]:
    """An advisor that never answers, for tests that do not concern its answers."""
    raise Superseded("")


def rows(pilot: Pilot[Any]) -> dict[str, FieldRow]:
    return {row.view.spec.name: row for row in pilot.app.screen.query(FieldRow)}


def value(pilot: Pilot[Any], name: str) -> str:
    return rows(pilot)[name].view.text


async def opened(pilot: Pilot[Any], screen: NewRunScreen, until: Any) -> None:
    pilot.app.push_screen(screen)
    await until(pilot, lambda: pilot.app.screen is screen and len(rows(pilot)) > 10)


async def go_to(pilot: Pilot[Any], name: str) -> None:
    """Jump to the section and press j until the field has the focus."""
    await pilot.press(str(heading_of(name) + 1))
    for _ in range(100):
        focused = pilot.app.focused
        if isinstance(focused, FieldRow) and focused.view.spec.name == name:
            return
        await pilot.press("j")
    raise AssertionError(f"{name} cannot be reached")


async def typed(pilot: Pilot[Any], name: str, text: str) -> None:
    """Replace the value of a field by typing."""
    await go_to(pilot, name)
    await pilot.press("enter", "ctrl+u", *text)
    await pilot.pause()


def role(text: str, column: str) -> str:
    """The preview's text for a column, after its name and type."""
    lines = (line.rpartition("▏")[2].split() for line in text.splitlines())
    return next((words[2] for words in lines if words[:1] == [column] and len(words) > 5), "")


def end(run: RunDirectory) -> None:
    """Kill the worker of a run that is no longer needed."""
    worker = run.status.worker()
    assert worker is not None
    if worker.alive():
        os.killpg(worker.pid, signal.SIGKILL)


@pytest.mark.parametrize("size", SIZES)
async def test_a_preset_is_loaded_changed_and_started(size, until) -> None:
    app = DltuiApp("new")
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen) and rows(pilot))
        await pilot.press("ctrl+o", "slash", *"digits-cnn", "enter", "enter")
        await until(pilot, lambda: "digits-cnn" in str(app.screen.query_one("#origin").render()))
        await typed(pilot, "train.epochs", "1")
        await pilot.press("enter", "ctrl+r")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        run = all_runs(runs_folder())[0]
        end(run)
    assert run.config.read() == load_preset(find_preset("digits-cnn"), ["train.epochs=1"])


async def test_the_empty_start_can_be_started_at_once(until) -> None:
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        run = all_runs(runs_folder())[0]
        end(run)
    assert (run.config.read().task.kind, run.config.read().data.label) == (
        "image_classification",
        "digits",
    )


async def test_the_first_frame_leaves_the_data_out_where_there_is_no_room(monkeypatch) -> None:
    frames: list[bool] = []
    refresh = NewRunScreen._refresh_layout

    def watched(self: NewRunScreen, *arguments: Any, **named: Any) -> None:
        frames.append(self.query_one(DataPreview).display)
        refresh(self, *arguments, **named)

    monkeypatch.setattr(NewRunScreen, "_refresh_layout", watched)
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await pilot.app.push_screen(NewRunScreen(ask=unanswered))
        await pilot.pause()
    assert frames
    assert not any(frames)


async def test_a_run_can_be_left_to_the_queue(until, text_of) -> None:
    app = DltuiApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        home = app.screen
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: app.screen is home)
        await until(pilot, lambda: "waits in" in text_of(pilot))
    assert [entry.run.status.state() for entry in entries.entries()] == [State.QUEUED]


async def test_another_domain_brings_its_task_model_and_data(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await pilot.press("1", "enter", *"tabular", "enter")
        await until(pilot, lambda: value(pilot, "task.kind") == "tabular_classification")
        assert value(pilot, "model.kind") == "tabm"
        assert value(pilot, "data.name") == "iris"
        assert "model.channels" not in rows(pilot)


async def test_numbers_go_to_sections_and_keys_through_all_fields(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        for number, first in enumerate(["domain", "task.kind", "model.kind"], 1):
            await pilot.press(str(number))
            assert pilot.app.focused.view.spec.name == first
        await pilot.press("4", "j", "k", "down", "up")
        assert pilot.app.focused.view.spec.name == "train.epochs"
        await pilot.press("g")
        for name in rows(pilot):
            assert pilot.app.focused.view.spec.name == name
            await pilot.press("j")


async def test_a_wrong_value_is_marked_while_it_is_typed_and_nothing_starts(until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await typed(pilot, "train.epochs", "0")
        await until(pilot, lambda: "4 Training !" in text_of(pilot))
        assert "! 0 is not allowed; a whole number from 1 to 100000" in text_of(pilot)
        await pilot.press("enter", "g", "ctrl+r")
        await pilot.pause()
        assert isinstance(pilot.app.screen, NewRunScreen)
        assert pilot.app.focused.view.spec.name == "train.epochs"
        await pilot.press("enter", "ctrl+u", "5")
        await until(pilot, lambda: "4 Training !" not in text_of(pilot))
    assert not all_runs(runs_folder())


async def test_escape_takes_back_what_was_typed(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await typed(pilot, "train.epochs", "77")
        await until(pilot, lambda: value(pilot, "train.epochs") == "77")
        await pilot.press("escape")
        await until(pilot, lambda: value(pilot, "train.epochs") == "")
        assert pilot.app.focused is rows(pilot)["train.epochs"]


async def test_tab_keeps_the_value_and_moves_to_the_next_field(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await typed(pilot, "train.epochs", "7")
        await pilot.press("tab")
        await until(pilot, lambda: pilot.app.focused is rows(pilot)["train.batch_size"])
        assert value(pilot, "train.epochs") == "7"


async def test_changes_are_marked_and_undone(until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await go_to(pilot, "train.optimizer")
        await pilot.press("right")
        await until(pilot, lambda: "*optimizer" in text_of(pilot))
        assert "1 changed" in text_of(pilot)
        await pilot.press("u")
        await until(pilot, lambda: "*optimizer" not in text_of(pilot))


async def test_the_field_stays_on_the_screen_when_others_unfold_above_it(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        screen = NewRunScreen(ask=unanswered)
        await opened(pilot, screen, until)
        await pilot.press("4")
        before = len(screen.query(FieldRow))
        await pilot.press("a")
        await until(pilot, lambda: len(screen.query(FieldRow)) > before)
        form = screen.query_one(DraftForm)
        await until(pilot, lambda: form.current.region.intersection(form.region).height)


async def test_advanced_fields_unfold(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        assert "train.max_grad_norm" not in rows(pilot)
        await pilot.press("a")
        await until(pilot, lambda: "train.max_grad_norm" in rows(pilot))
        await pilot.press("a")
        await until(pilot, lambda: "train.max_grad_norm" not in rows(pilot))


async def test_the_copied_command_is_the_same_run(until) -> None:
    preset = find_preset("digits-cnn")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        values = load_preset(preset).values()
        screen = NewRunScreen(values, preset.name, ask=unanswered)
        await opened(pilot, screen, until)
        await typed(pilot, "train.learning_rate", "3e-4")
        await pilot.press("enter")
        await until(pilot, lambda: "0.0003" in str(screen.query_one("#command").render()))
        await pilot.press("dollar_sign")
        await until(pilot, lambda: pilot.app.clipboard)
        command = shlex.split(pilot.app.clipboard)
    assert command[:3] == ["dltui", "run", "digits-cnn"]
    config = load_preset(preset, command[3:])
    assert config == load_preset(preset, ["train.learning_rate=3e-4"])


HARMFUL = "x\x1b[201~\nrm 'a' \"b\" $HOME `id` \\n [red]é\u202e\x9b"


async def test_the_copied_command_gives_a_shell_the_same_run_and_nothing_to_act_on(until) -> None:
    preset = find_preset("digits-cnn")
    values = load_preset(preset).values() | {"title": HARMFUL}
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(values, "digits-cnn", ask=unanswered), until)
        command = pilot.app.screen.query_one("#command")
        await until(pilot, lambda: "title" in str(command.render()))
        await pilot.press("dollar_sign")
        await until(pilot, lambda: pilot.app.clipboard)
        pasted = pilot.app.clipboard
    assert pasted.isprintable()
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {pasted}"], capture_output=True, text=True
    ).stdout.split("\0")[:-1]
    assert words[:3] == ["dltui", "run", "digits-cnn"]
    assert load_preset(preset, words[3:]) == RunConfig.parse(values)


async def test_the_command_is_shown_whole(until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        values = load_preset(find_preset("digits-cnn")).values() | {"title": "word " * 30}
        await opened(pilot, NewRunScreen(values, "digits-cnn", ask=unanswered), until)
        command = pilot.app.screen.query_one("#command")
        await until(pilot, lambda: "title" in str(command.render()))
        await pilot.press("dollar_sign")
        await until(pilot, lambda: "The command for this run" in text_of(pilot))
        assert text_of(pilot).count("word") >= 30
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))


async def test_the_preset_s_value_of_a_changed_field_is_shown_and_restored(until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        values = load_preset(find_preset("digits-cnn")).values()
        await opened(pilot, NewRunScreen(values, "digits-cnn", ask=unanswered), until)
        before = value(pilot, "train.epochs")
        await typed(pilot, "train.epochs", "77")
        await pilot.press("enter")
        await until(pilot, lambda: f"was {before}, u undoes" in text_of(pilot))
        await pilot.press("u")
        await until(pilot, lambda: value(pilot, "train.epochs") == before)
        assert "u undoes" not in text_of(pilot)


async def test_a_key_says_at_length_what_a_field_means(until, text_of) -> None:
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await go_to(pilot, "train.optimizer")
        field = pilot.app.focused.view.spec
        await pilot.press("i")
        await until(pilot, lambda: "usually" in text_of(pilot))
        text = text_of(pilot)
        assert all(choice in text for choice in field.choices)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.focused, FieldRow))


async def test_dialogs_are_left_by_a_click_beside_them_and_answered_by_one_on_a_key(until) -> None:
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        home = app.screen
        screen = NewRunScreen(ask=unanswered)
        await opened(pilot, screen, until)
        await go_to(pilot, "train.optimizer")
        await pilot.press("right", "escape")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.click(offset=(0, 0))
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.click("Hint")
        await until(pilot, lambda: app.screen is home)


async def test_leaving_asks_only_when_something_would_be_lost(until) -> None:
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        home = app.screen
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is home)
        screen = NewRunScreen(ask=unanswered)
        await opened(pilot, screen, until)
        await go_to(pilot, "train.optimizer")
        await pilot.press("right", "escape")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("escape", "enter")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("escape", "y")
        await until(pilot, lambda: app.screen is home)


async def test_quitting_asks_when_something_would_be_lost(until) -> None:
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = NewRunScreen(ask=unanswered)
        await opened(pilot, screen, until)
        await go_to(pilot, "train.optimizer")
        await pilot.press("right", "ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen)


async def test_the_data_says_what_is_awaited_and_when_it_is_not_current(until, text_of) -> None:
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await pilot.press("p")
        await until(pilot, lambda: "reading the data" in text_of(pilot))
        await pilot.press("p")
        await go_to(pilot, "train.epochs")
        await pilot.press("enter", *"x", "enter", "p")
        await until(pilot, lambda: "▏ train.epochs: " in text_of(pilot))
        assert "the data of the last values that were right" in text_of(pilot)
        await pilot.press("p", "u", "p")
        await until(pilot, lambda: "reading the data" in text_of(pilot))
        assert "last values that were right" not in text_of(pilot)


@pytest.mark.parametrize("name", ["[red]x[/red].csv", "[@click=app.quit].csv", "[/x].csv"])
async def test_file_names_are_found_and_shown_as_they_are(
    name, tmp_path, until, text_of, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "data" / name
    file.parent.mkdir(parents=True)
    file.write_text("a,label\n1,x\n")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await pilot.press("1", "enter", *"tabular", "enter", "j", "enter", *"local", "enter")
        await until(pilot, lambda: "data.path" in rows(pilot))
        await go_to(pilot, "data.path")
        await pilot.press("enter", *"csv")
        await until(pilot, lambda: name in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: value(pilot, "data.path") == f"data/{name}")
        assert f"data/{name}" in text_of(pilot)


async def test_a_file_name_that_would_harm_the_terminal_is_not_completed(tmp_path) -> None:
    (tmp_path / "a\x1b]2;x").touch()
    assert complete(f"{tmp_path}/a") is None
    (tmp_path / "ab").touch()
    assert complete(f"{tmp_path}/a") == f"{tmp_path}/ab"


async def test_what_is_pasted_is_made_harmless(until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=unanswered), until)
        await typed(pilot, "title", "")
        pilot.app.focused.post_message(Paste("x\x1b]2;harm\x07"))
        await until(pilot, lambda: value(pilot, "title"))
        assert value(pilot, "title") == "x␛]2;harm␇"
        assert "\x1b" not in text_of(pilot)


async def test_data_and_costs_are_shown_and_columns_offered(until, text_of, tmp_path) -> None:
    file = tmp_path / "own.csv"
    lines = [f"{i},{'ab'[i % 2]},{'[b]yes[/b]' if i % 3 else 'no'}" for i in range(90)]
    file.write_text("\n".join(["size,letter,outcome", *lines]))
    values = {
        "task": {"kind": "tabular_classification", "target": "outcome"},
        "data": {"kind": "file", "path": str(file)},
        "model": {"kind": "mlp"},
    }
    async with DltuiApp().run_test(size=(140, 50)) as pilot:
        await opened(pilot, NewRunScreen(values), until)
        await until(pilot, lambda: "class balance" in text_of(pilot))
        text = text_of(pilot)
        assert "[b]yes[/b]" in text
        assert role(text, "outcome") == "target"
        await until(pilot, lambda: "parameters" in text_of(pilot))
        await go_to(pilot, "task.target")
        await pilot.press("enter", *"letter", "enter")
        await until(pilot, lambda: role(text_of(pilot), "letter") == "target")
        assert value(pilot, "task.target") == "letter"


async def test_unusable_data_is_reported_before_the_start(until, text_of, tmp_path) -> None:
    values = {
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "file", "path": str(tmp_path / "missing.csv")},
        "model": {"kind": "mlp"},
    }
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = NewRunScreen(values)
        await opened(pilot, screen, until)
        await until(pilot, lambda: "missing.csv" in screen.query_one(DataPreview).problem)
        await pilot.press("4", "ctrl+r")
        await until(pilot, lambda: rows(pilot)["data.path"].has_focus)
        assert "! There is no file" in text_of(pilot)
        assert app.screen is screen
        assert not all_runs(runs_folder())
        await pilot.pause()  # the file is read again
        await until(pilot, lambda: screen.query_one(DataPreview).refused)
        (tmp_path / "missing.csv").write_text("a,y\n" + "1,no\n2,yes\n" * 40)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: not screen.query_one(DataPreview).problem)
        await until(pilot, lambda: not rows(pilot)["data.path"].view.problem)


async def test_a_file_that_does_not_exist_is_refused_before_the_data_was_read(
    until, text_of, tmp_path
) -> None:
    values = {
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "file", "path": "*.csv", "test_path": str(tmp_path / "missing.csv")},
        "model": {"kind": "mlp"},
    }
    app = DltuiApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, NewRunScreen(values, ask=unanswered), until)
        for key in ("ctrl+r", "ctrl+l"):
            await pilot.press("4", key)
            await until(pilot, lambda: rows(pilot)["data.test_path"].has_focus)
            await until(pilot, lambda: "data.test_path: there is no file" in text_of(pilot))
    assert not all_runs(runs_folder())
    assert not entries.entries()


async def test_a_helper_process_that_fails_is_no_reason_against_a_start(until, text_of) -> None:
    def broken(question: str, **arguments: Any) -> dict[str, Any]:
        raise AdvisorError("The helper process ended.")

    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=broken), until)
        await until(pilot, lambda: app.screen.query_one(DataPreview).problem)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "Start all the same?" in text_of(pilot)
        await pilot.press("n")
    assert not all_runs(runs_folder())


@pytest.mark.parametrize("size", SMALL_FIRST)
async def test_types_of_columns_are_set_beside_the_data(tmp_path, size, until, text_of) -> None:
    file = tmp_path / "zips.csv"
    lines = [f"{10 + i % 7},{i % 5},{'ab'[i % 2]}" for i in range(60)]
    file.write_text("\n".join(["zip,n,y", *lines]) + "\n")
    values = {
        "task": {"kind": "tabular_classification", "target": "y"},
        "data": {"kind": "file", "path": str(file)},
        "model": {"kind": "mlp"},
    }
    async with DltuiApp().run_test(size=size) as pilot:
        screen = NewRunScreen(values)
        await opened(pilot, screen, until)
        preview = screen.query_one(DataPreview)
        await until(pilot, lambda: "zip" in str(preview.query_one(Static).content))
        await pilot.press("p", "f")
        await until(pilot, lambda: isinstance(pilot.app.screen, ColumnTypesScreen))
        await pilot.press("space", "j", "left", "enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        await until(pilot, lambda: rows(pilot)["data.columns"].view.text == "zip=text,n=ignored")
        found = r"zip +categorical input"
        await until(pilot, lambda: re.search(found, str(preview.query_one(Static).content)))
        await pilot.press("f", "f", *"date %d", "enter")
        await until(pilot, lambda: re.search(r"zip +date %d ", text_of(pilot)))


@pytest.mark.parametrize("size", SMALL_FIRST)
async def test_the_model_is_checked_for_the_task(
    size, small_encoder, advisor, until, text_of
) -> None:
    values = {
        "task": {"kind": "token_classification"}, "data": {"kind": "file", "path": "not there"},
        "model": {"kind": "transformer", "path": str(small_encoder)},
        "adapter": {"method": "lora", "r": 4},
    }  # fmt: skip
    async with DltuiApp().run_test(size=size) as pilot:
        await opened(pilot, NewRunScreen(values, ask=advisor.ask), until)
        await pilot.press("3", "D")
        await until(pilot, lambda: "special tokens" in text_of(pilot))
        text = text_of(pilot)
        # Rank times inputs and outputs of 2 · 6 linear layers: 4 · 2 · (4 · 64 + 2 · 96).
        assert "BertForTokenClassification (bert)" in text
        assert "adapter on 12 layers: 3.6 k parameters at rank 4" in text
        await pilot.press("escape")
        await go_to(pilot, "model.path")
        await pilot.press("enter", "ctrl+u", *"some/where", "enter", "D")
        await until(pilot, lambda: "some/where is not on this machine" in text_of(pilot))


def estimating(question: str, **arguments: Any) -> dict[str, Any]:
    """An advisor that knows the estimate alone."""
    if question != "estimate":
        raise Superseded("")
    return Estimate(
        parameters=1, trainable=1, steps=40, steps_per_epoch=10, samples=100, device="cpu",
        precision="float32", memory=Memory(1, 1, 1, 1, 1), available=100, largest_batch=1,
        adapter=0, disk=0, disk_free=1, evaluations=4,
    ).record()  # fmt: skip


async def test_what_is_known_and_missing_is_told_before_the_estimate(
    until, text_of, monkeypatch
) -> None:
    monkeypatch.setattr("engine.config.requirements.find_spec", lambda name: None)

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        if question == "preview":
            summary = {"source": "digits", "rows": {"train": 1257}, "facts": {}, "notes": [],
                       "columns": [], "classes": {}}  # fmt: skip
            return {"columns": [], "rows": [], "problem": "", "summary": summary}
        raise Superseded("")

    values = {"train": {"epochs": 10, "report_to": ["wandb"], "batch_size": 7}}
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(values, ask=ask), until)
        await until(pilot, lambda: "10 epochs, batches of 7" in text_of(pilot))
        await until(pilot, lambda: "estimating parameters, memory and time …" in text_of(pilot))
        await until(pilot, lambda: "Install it with: pip install" in text_of(pilot))
        await until(pilot, lambda: "1,257 training rows · 10 epochs" in text_of(pilot))


async def test_the_reason_why_there_is_no_estimate_stays(until, text_of) -> None:
    go = threading.Event()

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        raise UserError("The network cannot be built.")

    def measure(config: RunConfig, told: Any, cancelled: threading.Event) -> None:
        go.wait(60)

    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, NewRunScreen(ask=ask, measure=measure), until)
        await until(pilot, lambda: "The network cannot be built." in text_of(pilot))
        bar = pilot.app.screen.query_one(EstimateBar)
        bar.measure()
        await until(pilot, lambda: "measuring the time" in str(bar.content))
        go.set()
        await until(pilot, lambda: "The network cannot be built." in str(bar.content))


async def test_values_of_automatic_fields_are_shown_as_long_as_an_estimate_tells_them(
    until, text_of
) -> None:
    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        known = estimating(question)
        if arguments["values"]["train"].get("seed"):
            raise UserError("The network cannot be built.")
        return known | {"settled": ["model.width=77"]}

    values = {"task": {"kind": "tabular_classification"}, "model": {"kind": "tabm"}}
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        await opened(pilot, NewRunScreen(values, ask=ask), until)
        await until(pilot, lambda: "automatic → 77" in text_of(pilot))
        form = pilot.app.screen.query_one(DraftForm)
        await form.edit("train.seed", "5")
        await until(pilot, lambda: "The network cannot be built." in text_of(pilot))
        await until(pilot, lambda: "automatic → 77" not in text_of(pilot))
        assert "automatic → by the data" in text_of(pilot)


async def test_a_long_estimate_has_a_third_line_and_then_an_ellipsis(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        bar = FewLines(Content("…"))
        await pilot.app.screen.mount(bar)
        for words, height in ((3, 2), (20, 3), (100, 3), (3, 2)):
            bar.say(Content("ten letter " * words))
            await until(pilot, lambda height=height: bar.size.height == height)
        bar.say(Content("ten letter " * 100))
        lines = str(bar.content).splitlines()
        assert [len(lines), lines[-1][-1], max(map(len, lines)) <= 80] == [3, "…", True]


async def test_the_time_is_measured_by_a_key_and_holds_for_its_settings(until, text_of) -> None:
    go, asked = threading.Event(), []

    def measure(config: RunConfig, told: Any, cancelled: threading.Event) -> Speed:
        asked.append(config)
        told(7)
        go.wait(60)
        return Speed(update=2.0)

    async with DltuiApp().run_test(size=(120, 30)) as pilot:
        await opened(pilot, NewRunScreen(ask=estimating, measure=measure), until)
        await until(pilot, lambda: "time unknown, = measures it" in text_of(pilot))
        await pilot.press("equals_sign")
        await until(pilot, lambda: "measuring the time: 7 updates … = ends it" in text_of(pilot))
        go.set()
        await until(pilot, lambda: "about 1:20 of training, 20 s an epoch" in text_of(pilot))
        await typed(pilot, "train.learning_rate", "0.5")
        await pilot.press("enter")
        await until(pilot, lambda: "0.5" in value(pilot, "train.learning_rate"))
        await until(pilot, lambda: "about 1:20 of training, 20 s an epoch" in text_of(pilot))
        await typed(pilot, "train.batch_size", "7")
        await pilot.press("enter")
        await until(pilot, lambda: "time unknown" in text_of(pilot))
    assert len(asked) == 1


async def test_a_full_disk_ends_a_measurement_with_its_reason(until, text_of) -> None:
    def measure(config: RunConfig, on_update: Any, cancelled: threading.Event) -> None:
        raise OSError(28, "No space left on device")

    async with DltuiApp().run_test(size=(120, 30), notifications=True) as pilot:
        await opened(pilot, NewRunScreen(ask=estimating, measure=measure), until)
        await until(pilot, lambda: "time unknown" in text_of(pilot))
        await pilot.press("equals_sign")
        await until(pilot, lambda: "No space left on device" in text_of(pilot))
        await until(pilot, lambda: "time unknown, = measures it" in text_of(pilot))


async def test_a_measurement_ends_by_its_key_and_with_the_screen(until, text_of) -> None:
    ended: list[bool] = []

    def measure(config: RunConfig, told: Any, cancelled: threading.Event) -> None:
        ended.append(cancelled.wait(60))

    async with DltuiApp().run_test(size=(120, 30)) as pilot:
        await opened(pilot, NewRunScreen(ask=estimating, measure=measure), until)
        await until(pilot, lambda: "time unknown" in text_of(pilot))
        await pilot.press("equals_sign", "equals_sign")
        await until(pilot, lambda: ended and "time unknown" in text_of(pilot))
        await pilot.press("equals_sign", "escape")
        await until(pilot, lambda: len(ended) == 2)
    assert ended == [True, True]
