"""Adapters on this machine: tried, compared, merged, and used to initialize new runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from textual.pilot import Pilot
from textual.widgets import Input

from engine.config.run_config import RunConfig
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from
from tui.app import DltuiApp
from tui.screens.adapters.combine import CombineScreen
from tui.screens.adapters.screen import AdaptersScreen
from tui.screens.new_run.screen import NewRunScreen
from tui.screens.try_it import TryItScreen
from tui.widgets.exchanges import Reply
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.form.path_picker import PathPickerScreen
from tui.widgets.input_rows import RowInput
from tui.widgets.listing import Listing
from tui.widgets.question import Ask


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder shared by the module: its runs are trained once."""
    folder = tmp_path_factory.getbasetemp() / "adapting"
    monkeypatch.setenv("DLTUI_HOME", str(folder))
    return folder


_made: list[RunDirectory] = []


@pytest.fixture
def adapters(home: Path) -> list[RunDirectory]:
    """Three runs with adapters on the same small encoder."""
    if not _made:
        _made.extend(_train(home))
    return _made


def _train(home: Path) -> list[RunDirectory]:
    base, path = home / "base", home / "films.csv"
    base.mkdir(parents=True)
    tokenizer = wordpiece_from(train_wordpiece(["good film bad play fine dull"] * 9, 120, True))
    tokenizer.save_pretrained(base)
    torch.manual_seed(1)
    config = transformers.BertConfig(
        hidden_size=32, intermediate_size=64, num_attention_heads=2, num_hidden_layers=1,
        vocab_size=120,
    )  # fmt: skip
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(base)
    path.write_text("text,label\n" + "good film,[b]yes\nbad film,no\n" * 12)
    values = {
        "task": {"kind": "text_classification"},
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "path": str(base)},
        "train": {"epochs": 1, "batch_size": 8, "learning_rate": 0.01},
        "compute": {"device": "cpu"},
    }
    several = [
        {"name": "small", "adapter": {"method": "lora", "r": 2, "target_modules": ["query"]}},
        {"name": "other", "adapter": {"method": "lora", "r": 3}},
        {"name": "large", "adapter": {"method": "dora", "r": 4}},
    ]
    return [train(RunConfig.parse(values | changes)) for changes in several]


async def opened(pilot: Pilot[Any], until: Any, ask: Ask | None = None) -> AdaptersScreen:
    """Open the adapters screen from the list of runs, or one that asks by ``ask``."""
    await until(pilot, lambda: pilot.app.screen.query(Listing))
    if ask is None:
        await pilot.press("A")
    else:
        await pilot.app.push_screen(AdaptersScreen(ask))
    await until(pilot, lambda: isinstance(pilot.app.screen, AdaptersScreen))
    screen = pilot.app.screen
    await until(
        pilot, lambda: screen.query_one(Listing).items or screen.query_one("#empty").display
    )
    return screen


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_adapters_are_listed_by_base(adapters, until, text_of, size) -> None:
    async with DltuiApp().run_test(size=size) as pilot:
        await opened(pilot, until)
        await until(pilot, lambda: "3 adapters on 1 base model" in text_of(pilot))
        rows = [line.split() for line in text_of(pilot).splitlines() if "accuracy" in line]
    assert rows[0][:4] == ["base", "large", "dora", "4"]
    assert rows[2][:4] == ["small", "lora", "2", "query"]


@pytest.mark.slow
async def test_two_that_are_marked_answer_side_by_side(adapters, advisor, until, text_of) -> None:
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        await opened(pilot, until, advisor.ask)
        await pilot.press("space", "j", "space")
        await until(pilot, lambda: text_of(pilot).count("●") == 2)
        await pilot.press("t")
        await until(pilot, lambda: pilot.app.screen.query(RowInput))
        await pilot.press(*"good film", "enter")
        await until(pilot, lambda: text_of(pilot).count("[b]yes  ") >= 2)
        replies = list(pilot.app.screen.query(Reply))
        shown = text_of(pilot)
    assert len(replies) == 2
    assert replies[0].region.y == replies[1].region.y
    assert all(run.id in shown for run in adapters[1:])


async def test_one_is_tried(adapters, advisor, until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, until, advisor.ask)
        await pilot.press("j", "t")
        await until(pilot, lambda: isinstance(pilot.app.screen, TryItScreen))
        assert pilot.app.screen._ids == [adapters[1].id]


@pytest.mark.slow
async def test_one_is_merged_where_it_is_asked_for(
    adapters, advisor, until, text_of, tmp_path
) -> None:
    target = tmp_path / "merged"
    async with DltuiApp().run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, until, advisor.ask)
        await pilot.press("I")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathPickerScreen))
        assert pilot.app.screen.query_one(Input).value == "./large-merged"
        pilot.app.screen.query_one(Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, lambda: "loaded back" in text_of(pilot))
    assert (target / "model.safetensors").is_file()
    assert not (target / "adapter_config.json").exists()


async def test_a_merge_over_something_is_refused(
    adapters, advisor, until, text_of, tmp_path
) -> None:
    async with DltuiApp().run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, until, advisor.ask)
        await pilot.press("I")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathPickerScreen))
        pilot.app.screen.query_one(Input).value = str(tmp_path)
        await pilot.press("enter")
        await until(pilot, lambda: "exists already" in text_of(pilot))


async def test_two_are_combined_with_weights_that_are_typed(
    adapters, advisor, until, text_of
) -> None:
    async with DltuiApp().run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, until, advisor.ask)
        await pilot.press("j", "space", "j", "space", "ampersand")
        await until(pilot, lambda: isinstance(pilot.app.screen, CombineScreen))
        lines = list(pilot.app.screen.query(Input))
        assert [line.value for line in lines[:2]] == ["0.5", "0.5"]
        await pilot.press("home", "delete", "delete", "delete", *"0.9", "down", "down", "space")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceScreen))
        await pilot.press(*"brought", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, CombineScreen))
        await until(pilot, lambda: "rank" in text_of(pilot))
        await pilot.press("down", *"x", "enter")
        await until(pilot, lambda: "The rank is a whole number" in text_of(pilot))
        await pilot.press("backspace", *"3", "down")
        lines[-1].value = "blend"
        await pilot.press("enter")
        screen = pilot.app.screen
        await until(pilot, lambda: isinstance(pilot.app.screen, AdaptersScreen))
        screen = pilot.app.screen
        await until(pilot, lambda: len(screen.query_one(Listing).items) == 4)
        made = screen.query_one(Listing).items[0].adapter
    made.run.run.delete()  # the other tests expect three adapters
    assert (made.run.name, made.r) == ("blend", 3)
    assert "× 0.9" in made.run.notes.note


async def test_one_alone_is_not_combined(adapters, until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, until)
        await pilot.press("ampersand")
        await until(pilot, lambda: "Mark two or more" in text_of(pilot))


@pytest.mark.slow
async def test_an_adapter_is_exported_alone(adapters, until, text_of, tmp_path) -> None:
    target = tmp_path / "alone"
    async with DltuiApp().run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, until)
        await pilot.press("X")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceScreen))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathPickerScreen))
        pilot.app.screen.query_one(Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, lambda: "loaded back" in text_of(pilot))
    names = {path.name for path in target.iterdir()}
    assert names == {"README.md", "adapter_config.json", "adapter_model.safetensors"}


async def test_a_new_run_begins_from_one(adapters, until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, until)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        config = pilot.app.screen._form.config
    assert config.model.path == adapters[2].id
    assert config.adapter == adapters[2].config.read().adapter


async def test_where_there_are_none_it_is_shown_how_one_is_made(
    until, text_of, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("DLTUI_HOME", str(tmp_path / "empty"))
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, until)
        assert "There are no adapters yet." in text_of(pilot)
        await pilot.press("t", "I", "n", "space", "escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, AdaptersScreen))
