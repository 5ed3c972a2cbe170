"""Snapshot tests of the screens; the snapshots in ``snapshots`` were reviewed by eye.

``DLTUI_NEW_SNAPSHOTS=1 pytest tests/app/test_snapshots.py`` writes new ones, to be reviewed.
They show empty, typical and extreme content at 80×24, 120×40 and 200×50, and do not depend on the
time, the folder or the machine.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from textual.app import App
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input

from engine.config.fields import FieldSpec
from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.queue import entries
from engine.reports.explanation import Explanation
from engine.reports.findings import DataCheck, Finding, FoundRow, Mend
from engine.reports.gallery import Gallery
from engine.reports.layer_groups import TargetGroup
from engine.reports.model_check import ModelCheck, TextInput
from engine.reports.picture import Picture, PictureGroup
from engine.reports.views import Lines, Matrix, Shaded, Table, Texts
from engine.runs.annotations import Annotations, write_annotations
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Event, EventLog, Failed, Log, Resources, Samples
from engine.runs.trash import discard
from engine.service.client import Superseded
from tui.app import DltuiApp
from tui.screens.adapters.combine import CombineScreen
from tui.screens.adapters.screen import AdaptersScreen
from tui.screens.chat.screen import ChatScreen
from tui.screens.compare.screen import CompareScreen
from tui.screens.dialogs.ask_value import AskValueScreen
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.dialogs.explanation import ExplanationScreen
from tui.screens.dialogs.messages import MessagesScreen
from tui.screens.dialogs.pick import PickScreen
from tui.screens.dialogs.picture import PictureScreen
from tui.screens.monitor.requests import learning_rate
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.new_run.contact_sheet import ContactSheetScreen
from tui.screens.new_run.data_check import DataCheckScreen
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.model_check import ModelCheckScreen
from tui.screens.new_run.screen import NewRunScreen
from tui.screens.new_run.targets import TargetsScreen
from tui.screens.presets.save_preset import SavePresetScreen
from tui.screens.presets.screen import PresetsScreen
from tui.screens.queue import QueueScreen
from tui.screens.results.screen import ResultsScreen
from tui.screens.runs.annotate import AnnotateScreen
from tui.screens.runs.trash import TrashScreen
from tui.screens.try_it import TryItScreen
from tui.settings import Settings
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.form.column_types import ColumnTypesScreen
from tui.widgets.form.path_picker import PathPickerScreen
from tui.widgets.form.several import SeveralScreen
from tui.widgets.notify import Messages, Shown

SNAPSHOTS = Path(__file__).parent / "snapshots"
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}
NEW_YEAR_2020 = 1_577_880_000.0
LONG = "a name that is much longer than any place for it, [b]and more[/b] \x1b[2J " * 3


def answered(question: str, **arguments: Any) -> dict[str, Any]:
    """An advisor with a fixed preview of the data and no estimate."""
    if question != "preview":
        raise Superseded("")
    columns = [
        {"name": "image", "type": "image", "role": "input", "missing": 0, "distinct": 1797,
         "example": "8×8 grey"},
        {"name": "label", "type": "text", "role": "target", "missing": 0, "distinct": 10,
         "example": "[3]"},
    ]  # fmt: skip
    return {
        "columns": ["image", "label"],
        "rows": [["8×8 grey", str(digit)] for digit in range(5)],
        "problem": "",
        "summary": {
            "source": "digits", "rows": {"train": 1257, "validation": 270, "test": 270},
            "facts": {"size": "8×8"}, "skips": [], "notes": [], "columns": columns,
            "classes": {str(digit): 120 + digit for digit in range(10)},
        },
    }  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the time zone to UTC and stop the cursor's blinking."""
    monkeypatch.setattr(Input, "cursor_blink", False)
    with monkeypatch.context() as changes:
        changes.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def old_run(make_run: Any) -> Callable[..., RunDirectory]:
    """A function that writes a run of New Year 2020, whose name is always the same."""

    def make(
        name: str, events: Iterator[Event] | list[Event], *, working: bool = False
    ) -> RunDirectory:
        run = make_run(name, working=working)
        folder = run.path.rename(runs_folder() / f"20200101-120000-{name}"[:64])
        run = RunDirectory(folder)
        with EventLog(run.events.path) as log:
            for number, event in enumerate(events):
                log.write(replace(event, time=NEW_YEAR_2020 + number))
        return run

    return make


def write_report(run: RunDirectory, name: str, views: list[Any]) -> None:
    """Write the report of a run, with ``name`` in every place for a name."""
    run.report.path.write_text(
        json.dumps(
            {
                "run": run.id, "metric": "accuracy", "ending": "completed", "best_epoch": 3.0,
                "epochs": 4, "seconds": 75.0,
                "metrics": {
                    "validation": {"accuracy": 0.91, "loss": 0.3},
                    "test": {"accuracy": 0.9625, "loss": 0.2881},
                },
                "baseline": {"name": name, "metrics": {"accuracy": 0.8125}},
                "views": [view.record() for view in views],
            }
        )
    )  # fmt: skip


@pytest.fixture(params=SIZES)
def looks(request: pytest.FixtureRequest, until: Any, same_machine: Any, tmp_path: Path) -> Any:
    """A function that compares a screen with its snapshot, after keys and once a text is shown.

    ``wide`` is a text that only wide screens have room for, ``first`` one before the keys.
    """

    async def compare(
        screen: Any, *keys: str, shown: str = "", wide: str = "", first: str = ""
    ) -> None:
        name = request.node.originalname.removeprefix("test_")
        kept = SNAPSHOTS / f"{name}-{request.param}.svg"
        renew = bool(os.environ.get("DLTUI_NEW_SNAPSHOTS"))
        expected = seen(kept.read_text()) if kept.exists() else ""
        app = DltuiApp(settings=Settings(theme="dark", characters="all"))
        async with app.run_test(size=SIZES[request.param]) as pilot:
            await until(pilot, lambda: app.screen.is_mounted and same_machine(pilot))
            await still(pilot)  # or the keys in the footer depend on timing
            if screen is not None:
                app.push_screen(screen() if callable(screen) else screen)
            await until(pilot, lambda: first in text_of(app))
            if screen is None and wide and app.size.width >= 100:
                await until(pilot, lambda: "over epoch" in text_of(app))  # the pane's chart
            await still(pilot)
            for key in keys:
                await pilot.press(key)
                await pilot.pause(0.05)
            await until(pilot, lambda: shown in text_of(app))
            if app.size.width >= 100:
                await until(pilot, lambda: wide in text_of(app))
            picture = await still(pilot)
            end = time.monotonic() + 30
            while seen(picture) != expected and not renew and time.monotonic() < end:
                picture = await still(pilot)  # a busy machine is still before all is read
        if renew and seen(picture) != expected:
            kept.write_text(picture)
        new = tmp_path / kept.name
        new.write_text(picture)
        assert seen(kept.read_text()) == seen(picture), f"{new} does not look like {kept}"

    return compare


def seen(picture: str) -> str:
    """Return a picture without its identifier, a hash that invisible properties change too."""
    return re.sub(r"terminal-\d+", "terminal", picture)


async def still(pilot: Pilot[Any]) -> str:
    """The rendered screen, once it has stopped changing."""
    lines, same = strips_of(pilot.app), 0
    while same < 2:
        await pilot.pause(0.05)
        before, lines = lines, strips_of(pilot.app)
        same = same + 1 if lines == before else 0
    return pilot.app.export_screenshot()


def strips_of(app: App[Any]) -> list[list[Strip]]:
    """The lines of each open screen, with their styles."""
    return [screen._compositor.render_strips() for screen in app.screen_stack]


def text_of(app: App[Any]) -> str:
    """The text on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def preset_values(**changes: Any) -> dict[str, Any]:
    """The values of a preset, with changes."""
    return load_preset(find_preset("digits-cnn")).values() | changes


async def test_home_without_runs(looks) -> None:
    await looks(None, shown="There are no runs yet")


async def test_home_with_runs(looks, old_run, training, finished) -> None:
    old_run("digits-cnn", [*training(), finished()])
    old_run("a-name-of-the-greatest-length-that-names-may-have-" + "x" * 13, training())
    await looks(None, shown="accuracy", wide="over epoch")


async def test_a_new_run_from_nothing(looks) -> None:
    await looks(lambda: NewRunScreen(ask=answered), shown="$ dltui run")


async def test_a_new_run_from_a_preset_with_a_change(looks) -> None:
    screen = NewRunScreen(preset_values(), "digits-cnn", ask=answered)
    await looks(screen, "4", "enter", "ctrl+u", "7", "enter", shown="train.epochs=7")


async def test_a_new_run_with_a_wrong_value(looks) -> None:
    screen = NewRunScreen(preset_values(title=LONG[:200]), "digits-cnn", ask=answered)
    await looks(screen, "4", "enter", "ctrl+u", "0", "enter", shown="is not allowed")


async def test_what_a_field_means(looks) -> None:
    screen = NewRunScreen(preset_values(), "digits-cnn", ask=answered)
    await looks(screen, "4", "j", "j", "j", "i", shown="esc closes")


async def test_the_command_for_a_run(looks, monkeypatch) -> None:
    for variable in ("TMUX", "STY", "VTE_VERSION", "TERM_PROGRAM"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = NewRunScreen(preset_values(title=LONG[:200]), "digits-cnn", ask=answered)
    await looks(screen, "dollar_sign", shown="esc closes")


async def test_presets(looks) -> None:
    await looks(PresetsScreen, "slash", *"digits", "enter", shown="digits-cnn")


async def test_saving_a_preset(looks) -> None:
    screen = SavePresetScreen(RunConfig.parse(preset_values(title=LONG[:200])))
    await looks(screen, "tab", "shift+tab", shown="enter saves")


async def test_a_choice_of_one(looks) -> None:
    options = {"one": "the first", "[b]two[/b]": LONG, "\x1b[2J": "", "": "none of them"}
    await looks(ChoiceScreen("train.[b]field", options, "one", True), shown="the first")


async def test_a_choice_of_several(looks) -> None:
    options = {f"layer.{place}.[attention]": LONG[:place] for place in range(40)}
    screen = SeveralScreen("adapter.target_modules", options, ["layer.2.[attention]"])
    await looks(screen, "j", "space", shown="enter takes")


async def test_a_question(looks) -> None:
    await looks(ConfirmScreen(f"Delete {LONG}?"), shown="n  no")


async def test_the_keys_of_a_screen(looks) -> None:
    screen = NewRunScreen(preset_values(), "digits-cnn", ask=answered)
    await looks(screen, "question_mark", shown="esc closes")


async def test_results(looks, old_run, training, finished) -> None:
    run = old_run("digits-cnn", [*training(), finished()])
    matrix = Matrix(
        "Confusion",
        list("0123456789"),
        [[9 * (i == j) + (i + 1 == j) for j in range(10)] for i in range(10)],
    )
    write_report(run, "most frequent class", [matrix])
    await looks(ResultsScreen(run), "2", shown="rows: truth")


async def test_forecasts_of_many_series(looks, old_run, training, finished) -> None:
    run = old_run("sales-dlinear", [*training(), finished()])
    write_report(run, "seasonal-naive", [])
    past, coming = list(range(-13, 1)), list(range(1, 8))
    wave = [10 + 3 * math.sin(2 * math.pi * day / 7) for day in past + coming]
    nothing = [None] * len(past)
    views = [
        Lines(
            name,
            past + coming,
            {
                "truth": [size * value for value in wave],
                "forecast": [*nothing, *(size * (value + 1) for value in wave[-7:])],
                "0.1": [*nothing, *(size * (value - 1) for value in wave[-7:])],
                "0.9": [*nothing, *(size * (value + 3) for value in wave[-7:])],
            },
            labels=[f"2024-05-{day + 14:02}" for day in past + coming],
        )
        for size, name in ((1, LONG[:40]), (10, "shop 2"), (100, "shop 3"))
    ]
    rows = [[view.title, "2024-05-14", 2.5 - place / 2] for place, view in enumerate(views)]
    run.gallery.write(Gallery("Forecasts", [LONG[:40], "after", "mase"], rows, views, 414))
    await looks(ResultsScreen(run), "2", shown="10–90 %")


async def test_the_queue(looks, old_run, training) -> None:
    for name in ("digits-cnn", LONGEST_NAME):
        entries.append(old_run(name, []))
    await looks(QueueScreen, shown="2 waiting")


async def test_results_of_many_long_names(looks, old_run, training, finished) -> None:
    run = old_run("digits-cnn", [*training(), finished()])
    labels = [f"{LONG[:40]} {place}" for place in range(30)]
    views = [
        Matrix(
            "Confusion " + LONG, labels, [[99999 * (i == j) for j in range(30)] for i in range(30)]
        ),
        Table("Classes", ["class", LONG], [[label, 0.875] for label in labels]),
        Lines("Forecast", [0, 1, 2], {LONG: [1.0, 2.0, 3.0], "y": [None, 2.5, 3.0]}),
        Texts("Answers", [{"question": LONG * 4, "answer": LONG}]),
    ]
    write_report(run, LONG, views)
    await looks(ResultsScreen(run), "3", shown="class")


async def test_a_finished_run_in_the_monitor(looks, old_run, training, finished) -> None:
    run = old_run("digits-cnn", [*training(), finished()])
    write_report(run, "boosting", [])
    await looks(MonitorScreen(run), shown="◆", wide="samples_per_second   train")


async def test_no_adapters(looks) -> None:
    await looks(AdaptersScreen)


LONGEST_NAME = "a-name-of-the-greatest-length-that-runs-may-have"


def spread(event: Event, place: int) -> Event:
    """The event with metrics shifted by ``place``, so that curves of several runs stay apart."""
    if not isinstance(event, Evaluated):
        return event
    metrics = {name: value + place * 0.04 for name, value in event.metrics.items()}
    return replace(event, metrics=metrics)


@pytest.fixture
def several(old_run, training, finished) -> Callable[..., list[RunDirectory]]:
    """A function that writes finished runs of these names with different learning rates."""

    def make(*names: str) -> list[RunDirectory]:
        runs = []
        for place, name in enumerate(names):
            events = [spread(event, place) for event in training()]
            run = old_run(name, [*events, finished(0.9 + place / 1000)])
            values = run.config.read().values()
            values["train"] = {"learning_rate": 0.1 / (1 + place), "seed": place}
            (run.path / "config.toml").write_text(tomlkit.dumps(values))
            runs.append(run)
        return runs

    return make


async def test_runs_that_are_compared(looks, several) -> None:
    runs = several("one", "two", "three")
    await looks(CompareScreen(runs), "left", "left", shown="accuracy (validation)")


async def test_what_differs_between_runs(looks, several) -> None:
    await looks(CompareScreen(several("one", "two", "three")), "3", shown="train.learning_rate")


async def test_twelve_runs_that_are_compared(looks, several) -> None:
    names = [f"{LONGEST_NAME[:45]}-{place:02d}" for place in range(12)]
    screen = CompareScreen(several(*names))
    await looks(screen, "m", shown="loss (validation)", first="accuracy (validation)")


async def test_runs_of_which_nothing_is_known_are_compared(looks, old_run) -> None:
    await looks(CompareScreen([old_run("one", []), old_run("two", [])]), shown="no values yet")


@pytest.fixture
def going(old_run, training) -> Callable[..., RunDirectory]:
    """A function that writes a running run after its second epoch, unless events are given."""

    def make(name: str = "digits-cnn", events: list[Event] | None = None) -> RunDirectory:
        return old_run(name, training(trained=2) if events is None else events, working=True)

    return make


def measured(*gpus: dict[str, Any]) -> list[Event]:
    """Hardware readings of half a minute."""
    return [
        Resources(
            cpu_percent=100.0 * place / 15, memory=place << 31, memory_total=1 << 36,
            process_memory=place << 28, gpus=list(gpus),
        )
        for place in range(16)
    ]  # fmt: skip


@pytest.fixture
def full_disk(monkeypatch) -> None:
    """A disk that is 95 % full, with the same figures on every machine."""
    usage = type(shutil.disk_usage("/"))(10**12, 95 * 10**10, 5 * 10**10)
    monkeypatch.setattr("tui.screens.monitor.watcher.shutil.disk_usage", lambda path: usage)


async def test_a_run_that_trains(looks, going) -> None:
    await looks(MonitorScreen(going()), shown="validation", wide="samples_per_second   train")


async def test_one_metric_of_a_run_that_trains(looks, going) -> None:
    await looks(MonitorScreen(going()), "z", "left", shown="epoch 2")


async def test_a_run_that_has_only_begun(looks, going) -> None:
    await looks(MonitorScreen(going(events=[])), shown="starting")


async def test_a_run_that_failed(looks, old_run, training) -> None:
    failed = Failed(message=f"The data cannot be read: {LONG * 3}")
    run = old_run(LONGEST_NAME, [*training(trained=2), failed])
    await looks(MonitorScreen(run), "2", shown="train loss")


async def test_samples_of_a_run(looks, going, training) -> None:
    items = [{"text": LONG, "truth": "positive", "prediction": "[b]negative"}] * 12
    sampled = [Samples(step=step, split="validation", items=items) for step in (10, 20)]
    await looks(MonitorScreen(going(events=[*training(trained=2), *sampled])), "3", shown="truth")


async def test_the_machine_of_a_run(looks, going, training, full_disk) -> None:
    gpu = {
        "name": "NVIDIA H100 80GB HBM3", "load_percent": 97, "memory": 70 << 30,
        "memory_total": 80 << 30, "temperature": 71, "power_watts": 651.0,
    }  # fmt: skip
    events = [*training(trained=2), *measured(gpu, gpu | {"name": LONG, "load_percent": 3})]
    await looks(MonitorScreen(going(events=events)), "4", shown="temperature")


async def test_the_log_of_a_run(looks, going, training) -> None:
    run = going(events=[*training(trained=2), Log(level="error", message=LONG)])
    run.log.write_text("".join(f"WARNING: line {place} of a library\n" for place in range(60)))
    await looks(MonitorScreen(run), "6", shown="line 59")


def tried(answer: dict[str, Any], *inputs: str) -> Callable[..., dict[str, Any]]:
    """An advisor whose model always gives the same answer."""

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        known = {"inputs": list(inputs), "explained": True, "records": [], "notes": []}
        return known | answer if "rows" in arguments else known

    return ask


async def test_nothing_was_tried_yet(looks, several) -> None:
    (run,) = several("films")
    await looks(TryItScreen(run, tried({}, "text")), shown="or a file")


async def test_a_text_was_tried(looks, several) -> None:
    (run,) = several("films")
    scores = {"positive": 0.875, "negative": 0.1, "[b]neutral": 0.025}
    ask = tried({"records": [{"label": "positive", "scores": scores}]}, "text")
    await looks(TryItScreen(run, ask), *"good film", "enter", shown="87.5%")


async def test_two_models_with_much_to_say_were_tried(looks, several) -> None:
    run, other = several(LONGEST_NAME, "other")
    scores = {f"{LONG[:60]}{place}": (20 - place) / 210 for place in range(20)}
    answer = {"records": [{"label": LONG, "scores": scores}], "notes": [LONG]}
    columns = [f"column {place} {LONG[:30]}" for place in range(20)]
    await looks(TryItScreen(run, tried(answer, *columns), [other]), "7", "enter", shown="more[/b]")


class Talkative:
    """A helper process whose models always give the same answer."""

    def stream(self, question: str, heard: Callable[..., object], **arguments: Any) -> Any:
        del heard
        if "turns" not in arguments:
            return {"context": {"input": LONG}, "values": {"system": ""}, "keeps_turns": True,
                    "has_base": True}  # fmt: skip
        return {"text": f"{LONG}\n\n- one\n- two", "tokens": 1234, "seconds": 10.0,
                "ending": "length", "notes": ["The first 2 turns did not fit."]}  # fmt: skip

    def ask(self, question: str, **arguments: Any) -> Any:
        raise NotImplementedError(question, arguments)

    def stop(self) -> None:
        """Nothing is written in pieces."""

    def close(self) -> None:
        """Nothing is to be closed."""


async def test_a_language_model_answered_beside_its_base(looks, several) -> None:
    (run,) = several(LONGEST_NAME)
    values = run.config.read().values()
    values |= {"task": {"kind": "causal_lm"}, "model": {"kind": "transformer"}}
    (run.path / "config.toml").write_text(tomlkit.dumps(values))
    keys = ["ctrl+t", *"hello", "enter"]
    await looks(lambda: ChatScreen(run, Talkative()), *keys, shown="123 tokens/s")


def layers(*groups: TargetGroup) -> Callable[..., dict[str, Any]]:
    """An advisor that knows a model with these layers."""
    cost = {"count": 9, "parameters_per_rank": 4096, "outputs": 2048}
    answer = {
        "groups": [group.record() for group in groups],
        "presets": dict.fromkeys(("attention", "all-linear", "peft-default"), cost),
        "parameters": 22_713_216,
    }
    return lambda question, **arguments: answer


def adapted(**adapter: Any) -> Draft:
    """A draft of a text model with an adapter."""
    values = load_preset(find_preset("sst2-scratch")).values()
    return Draft(values | {"adapter": {"method": "lora"} | adapter})


async def test_layers_of_a_model(looks) -> None:
    both = ("attention", "all-linear")
    groups = [
        TargetGroup(name, 6, ("384→384",), 4608, 2304, both) for name in ("query", "key", "value")
    ]
    dense = TargetGroup("dense", 18, ("384→384", "384→1536"), 32256, 13824, ("all-linear",))
    screen = TargetsScreen(adapted(target_modules=["query", "value"]), layers(*groups, dense))
    await looks(screen, "j", shown="query, value")


async def test_many_layers_with_long_names(looks) -> None:
    groups = [
        TargetGroup(f"{LONG[: place + 9]}{place}", count, ("99999→99999 7×7",) * place, count, 9)
        for place in range(1, 50)
        for count in [10 ** (place % 9)]
    ]
    screen = TargetsScreen(adapted(method="dora", r=256), layers(*groups))
    await looks(screen, "l", "G", shown="all-linear")


async def test_a_model_without_layers_that_can_be_listed(looks) -> None:
    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        raise UserError(f"model.path: there is no model at {LONG}.")

    await looks(TargetsScreen(adapted(), ask), shown="there is no model")


@pytest.fixture
def learned(several) -> Callable[..., list[RunDirectory]]:
    """Runs with an adapter, each of another rank."""

    def make(*names: str) -> list[RunDirectory]:
        runs = several(*names)
        for place, run in enumerate(runs):
            record = {
                "peft_type": "LORA", "r": 2 ** (place + 2), "target_modules": ["query", "value"],
                "base_model_name_or_path": f"models/base-{place // 2}",
            }  # fmt: skip
            run.model.mkdir()
            (run.model / "adapter_config.json").write_text(json.dumps(record))
            (run.model / "adapter_model.safetensors").write_bytes(bytes(9 * 10 ** (place + 2)))
            os.utime(run.model / "adapter_config.json", (NEW_YEAR_2020, NEW_YEAR_2020 - place))
        return runs

    return make


async def test_adapters(looks, learned) -> None:
    learned("films", "books", LONGEST_NAME)
    await looks(AdaptersScreen, "j", "space", "j", "space", shown="●")


async def test_two_adapters_to_combine(looks) -> None:
    runs = [(f"20200101-120000-{name}", name) for name in ("films", "books")]
    await looks(lambda: CombineScreen(runs))


async def test_many_adapters_to_combine(looks) -> None:
    runs = [(f"20200101-120000-{LONGEST_NAME[:45]}-{place}", LONGEST_NAME) for place in range(12)]
    keys = [*["down"] * 12, "space", *"dare_ties_svd", "enter"]
    await looks(lambda: CombineScreen(runs), *keys, shown="density")


async def test_the_trash(looks, several) -> None:
    for run in several("films", LONGEST_NAME):
        discard(run)
    await looks(TrashScreen, shown="films")


async def test_an_empty_trash(looks) -> None:
    await looks(TrashScreen)


async def test_tags_and_a_note(looks) -> None:
    await looks(AnnotateScreen([Annotations(("good", "paper"), LONG[:150])]), shown="Note")


async def test_a_metric_is_picked(looks) -> None:
    names = ["loss", "accuracy", *(f"accuracy of {LONG[:80]} {place}" for place in range(40))]
    await looks(PickScreen("Metric", names, "accuracy"), *"acc", shown="accuracy")


async def test_a_learning_rate_that_is_none(looks) -> None:
    screen = AskValueScreen("Peak learning rate from now on", "0.001", learning_rate)
    await looks(screen, "x", shown="a number above 0")


async def test_a_place_to_write_to(looks, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = f"./{LONG[:150]}"
    await looks(
        lambda: PathPickerScreen("Write as .csv or .md to", path, purpose="write"),
        shown="a new file or folder",
    )


async def test_all_actions_by_name(looks, several) -> None:
    several("films")
    await looks(None, "ctrl+p", *"compare", shown="Compare", wide="rate")


async def test_home_of_many_runs_with_notes(looks, several) -> None:
    runs = several(*(f"run-{place:02d}" for place in range(50)))
    write_annotations(runs[7], Annotations(("paper", "x" * 30), LONG[:180], pinned=True))
    await looks(
        None,
        "space",
        "space",
        "slash",
        *"run accuracy>0.92",
        "enter",
        shown="2 selected",
        wide="over epoch",
    )


async def test_home_where_nothing_is_found(looks, several) -> None:
    several("films")
    await looks(None, "slash", *"books size:9", shown="No field")


async def test_a_file_is_picked(looks, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ("data/customers.csv", f"data/{'long-' * 30}custard.csv", "photos/cat.png", "no\x1b[2J")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"id,age,[b]churned[/b],{LONG}\n")
    (tmp_path / "photos" / "cat.png").write_bytes(b"\x89PNG")
    options = {"owner/a-customer-model": "on the hub"}
    screen = PathPickerScreen("data.path", "", options)
    await looks(screen, *"cu", shown="id,age,[b]churned")


async def test_types_of_columns(looks) -> None:
    found = {"zip": "categorical, input", LONG: "numeric, input", "[b]day": LONG}
    spec = FieldSpec("data.columns", "mapping", {}, "", suggestions=("text", "numeric"))
    await looks(ColumnTypesScreen(spec, "zip=text,gone=numeric", found), shown="not in the data")


async def test_the_form_of_a_run_that_failed(looks) -> None:
    failure = f"No column holds images. Set task.image. {LONG}"
    screen = NewRunScreen(preset_values(), "digits-cnn", answered, failure)
    await looks(screen, shown="! No column holds images")


async def test_the_form_of_a_pre_trained_model(looks) -> None:
    values = {
        "task": {"kind": "text_classification"},
        "data": {"kind": "hub", "name": "stanfordnlp/imdb"},
        "model": {"kind": "transformer", "path": "distilbert/distilbert-base-uncased"},
        "adapter": {"method": "lora"},
    }

    def nothing(question: str, **arguments: Any) -> dict[str, Any]:
        raise UserError(f"The data set cannot be reached: {LONG}")

    # The sentence in place of the estimate has three lines, above which the form scrolls.
    await looks(NewRunScreen(values, ask=nothing), "3", first="reached: a name that is much longer",
                shown="7 hidden (pre-trained)")  # fmt: skip


async def test_the_data_of_a_new_run(looks) -> None:
    await looks(NewRunScreen(preset_values(), "digits-cnn", answered), "p", shown="class balance")


async def test_messages_so_far(looks) -> None:
    messages = Messages(Shown(NEW_YEAR_2020 + place, LONG, bool(place)) for place in range(2))
    await looks(lambda: MessagesScreen(messages), shown="esc closes")


async def test_findings_in_the_data(looks) -> None:
    rows = ("train:3:00c0ffee", "train:9:0badcafe")
    check = DataCheck(
        "people.csv", {"train": 1257, "test": 300},
        (
            Finding("leakage", "rows that are also in the training rows: 2 of test", count=2,
                    mends=(Mend("d", "drop the duplicates", ("id",), duplicates="drop"),)),
            Finding("wrong labels", f"2 labels likely wrong {LONG}", LONG, 2,
                    (FoundRow(rows[0], "train", LONG, "expected yes (99%)"),),
                    (Mend("d", "drop the rows", rows=rows),)),
        ),
        ("labels were checked in 10,000 of 21,114 training rows",),
    )  # fmt: skip

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        return check.record()

    screen = lambda: DataCheckScreen({}, ask)  # noqa: E731
    await looks(screen, "j", "d", first="leakage", shown="expected yes")


async def test_a_model_is_checked(looks) -> None:
    check = ModelCheck(
        "DistilBertForSequenceClassification", "distilbert", 66_955_010, {"F32": 267_832_560},
        100, ("classifier.bias", "classifier.weight"), ("vocab_projector.bias",),
        TextInput(512, 30_522, 0, {"padding": "[PAD]", "end": "[SEP]"}, False),
        groups=(TargetGroup("q_lin", 6, ("768→768",), 9216, 4608, ("attention",)),),
        presets={"attention": {"count": 18, "parameters_per_rank": 27_648, "outputs": 13_824}},
        exports={"folder": "", "gguf": LONG},
    )  # fmt: skip

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        return check.record()

    await looks(lambda: ModelCheckScreen({}, 8, ask), shown="DistilBert")


def grey(value: int, caption: str) -> Picture:
    """An image in one shade."""
    return Picture(8, 8, base64.b64encode(bytes([value] * 192)).decode(), caption, f"{caption}.png")


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 24 bits."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")


async def test_images_of_each_class(looks, colours) -> None:
    groups = [
        PictureGroup(f"{name}: 9 images", tuple(grey(40 + 20 * n, name) for n in range(8)))
        for name in ("cat", LONG)
    ]

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        return {"groups": [asdict(group) for group in groups]}

    await looks(lambda: ContactSheetScreen({}, ask), shown="cat: 9 images")


async def test_two_pictures(looks, colours) -> None:
    await looks(PictureScreen([grey(40, "cat"), grey(200, LONG)]), shown="esc closes")


async def test_what_a_prediction_rests_on(looks) -> None:
    words = ["a", "good", "film", "[b]with[/b]", *LONG.split()]
    shares = [0.0, 0.9, 0.1, -0.4, *[0.05] * len(LONG.split())]
    view = Shaded("Words", [(f"{word} ", share) for word, share in zip(words, shares, strict=True)])
    found = Explanation("positive", ["positive", LONG], "gradient × input", [view])
    await looks(lambda: ExplanationScreen(lambda *_, **__: found.record(), {}), shown="gradient")
