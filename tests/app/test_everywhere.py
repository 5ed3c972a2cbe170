"""Tests of every screen: sizes, resizing, ASCII characters, text from outside."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from itertools import combinations
from typing import Any

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.events import Resize
from textual.geometry import Size
from textual.pilot import Pilot
from textual.scrollbar import ScrollBar
from textual.widget import Widget
from textual.widgets import Input

from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.files.paths import presets_folder, sweeps_folder
from engine.reports.views import Lines, Matrix, Table, Texts
from engine.runs.directory import RunDirectory
from engine.service.client import Superseded
from engine.sweep.directory import SweepConfig, SweepDirectory
from engine.sweep.table import SweepTable, TrialRow
from tui.app import DltuiApp
from tui.charts.chart import SERIES, marker_of
from tui.screens.adapters.screen import AdaptersScreen
from tui.screens.dialogs.actions import actions_of
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.dialogs.keys import KeysScreen
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.screen import NewRunScreen
from tui.screens.new_run.targets import TargetsScreen
from tui.screens.presets.save_preset import SavePresetScreen
from tui.screens.presets.screen import PresetsScreen
from tui.screens.results.screen import ResultsScreen
from tui.screens.sweeps.new_sweep import NewSweepScreen
from tui.screens.sweeps.screen import SweepsScreen
from tui.screens.sweeps.sweep import SweepScreen
from tui.settings import Settings
from tui.terminal.ascii import PlainCharacters, plain_text
from tui.terminal.vocabulary import MOVES
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.form.path_picker import PathPickerScreen
from tui.widgets.form.several import SeveralScreen
from tui.widgets.steady_footer import SteadyFooter

SIZES = [(80, 24), (120, 40), (300, 80), (80, 24), (20, 5), (100, 30)]
HARMFUL = {
    "markup": "[red]not red[/red]",
    "closing tag": "[/nothing]",
    "action": "[@click=app.quit]quit[/]",
    "style": "[on $primary]x",
    "bracket": "loss[train]/x",
    "clear": "\x1b[2J",
    "title": "\x1b]2;HARM\x07",
    "clipboard": "\x1b]52;c;SEFSTQ==\x07",
    "clipboard, other end": "\x1b]52;c;SEFSTQ==\x1b\\",
    "device": "\x1bP+q544e\x1b\\",
    "cursor": "\x1b[1;1HHARM",
    "one byte": "\x9b2J\x9d2;HARM\x9c",
    "alternate screen": "\x1b[?1049l",
    "mouse off": "\x1b[?1000l",
    "paste": "\x1b[201~",
    "report": "\x1b[6n\x1b[c",
    "link": "\x1b]8;;http://harm\x1b\\x\x1b]8;;\x1b\\",
    "bell": "\x07\x07",
    "backspace": "abc\x08\x08\x08HARM",
    "carriage return": "abc\rHARM",
    "newline": "abc\nHARM",
    "form feed": "\x0b\x0c",
    "delete": "\x7f",
    "direction": "\u202eMRAH\u2066x",
    "zero width": "a\ufeffb",
}
ALL_HARM = " ".join(HARMFUL.values())

Open = Callable[[Pilot[Any]], Awaitable[None]]


def silent(question: str, **arguments: Any) -> dict[str, Any]:
    """An advisor that never answers."""
    raise Superseded("")


def report(run: RunDirectory, text: str) -> dict[str, Any]:
    """A report with a view of every kind, with ``text`` in every place for text."""
    views = [
        Matrix("Confusion " + text, [text, "dog"], [[7, 1], [2, 31]]),
        Table("Classes", ["class", text], [[text, 0.875], ["dog", None]]),
        Lines("Forecast", [0, 1, 2], {text: [1.0, 2.0, 3.0], "y": [None, 2.5, 3.0]}),
        Texts("Answers", [{"question": text, "answer": text}]),
    ]
    return {
        "run": run.id, "metric": "accuracy", "ending": text, "best_epoch": 3.0, "epochs": 4,
        "seconds": 75.0, "metrics": {"test": {"accuracy": 0.9625, "loss": None}},
        "baseline": {"name": text, "metrics": {"accuracy": 0.8125}},
        "views": [view.record() for view in views],
    }  # fmt: skip


def sweep(config: RunConfig, text: str) -> SweepDirectory:
    """A sweep that failed, with ``text`` in every place for text."""
    space = {"train.learning_rate": "1e-4..1e-1:log"}
    made = SweepDirectory.create(
        sweeps_folder(), SweepConfig(name="s", base=config.values(), space=space)
    )
    rows = [
        TrialRow(0, "complete", {"train.learning_rate": "1e-3"}, 0.5, text, preset=True),
        TrialRow(1, "complete", {"train.learning_rate": text}, 0.4, text),
    ]
    made.write_table(SweepTable(text, True, tuple(rows), {text: 1.0}, text))
    return made


@pytest.fixture
def screens(make_run: Any, training: Any, finished: Any) -> Callable[[str], dict[str, Any]]:
    """A function that creates every screen, with a text from outside in every place for text."""

    def make(text: str) -> dict[str, Any]:
        values = load_preset(find_preset("digits-cnn")).values() | {"title": text[:200]}
        config = RunConfig.parse(values)
        going = make_run("going", training())
        going.log.write_text(f"{text}\n{text}\n")
        done = make_run("done", [*training(), finished()])
        done.report.path.write_text(json.dumps(report(done, text)))
        options = {text: text, "other": text}
        return {
            "runs": lambda: None,
            "monitor": lambda: MonitorScreen(going),
            "results": lambda: ResultsScreen(done),
            "new run": lambda: NewRunScreen(values, text, ask=silent),
            "presets": PresetsScreen,
            "save preset": lambda: SavePresetScreen(config),
            "choice": lambda: ChoiceScreen(text, options, text, True),
            "several": lambda: SeveralScreen(text, options, [text]),
            "targets": lambda: TargetsScreen(Draft(values), silent),
            "adapters": AdaptersScreen,
            "confirm": lambda: ConfirmScreen(f"Delete {text}?"),
            "path": lambda: PathPickerScreen(text, text, purpose="write"),
            "path picker": lambda: PathPickerScreen(text, text, options),
            "sweeps": lambda: (sweep(config, text), SweepsScreen())[1],
            "sweep": lambda: SweepScreen(sweep(config, text)),
            "new sweep": NewSweepScreen,
        }

    return make


NAMES = (
    "runs", "monitor", "results", "new run", "presets", "save preset", "choice", "several",
    "targets", "adapters", "confirm", "path", "path picker", "sweeps", "sweep", "new sweep",
)  # fmt: skip


async def show(pilot: Pilot[Any], screen: Any, until: Any) -> None:
    """Push a screen on the home screen and wait until it is drawn."""
    await until(pilot, lambda: pilot.app.screen.is_mounted)
    if screen is not None:
        pilot.app.push_screen(screen)
        await until(pilot, lambda: pilot.app.screen is screen and screen.is_mounted)
    await pilot.pause(0.2)


def leaves(pilot: Pilot[Any]) -> dict[Widget, Any]:
    """The visible region of each widget without children."""
    compositor = pilot.app.screen._compositor
    return {
        widget: region.intersection(clip)
        for widget, (region, clip) in compositor.visible_widgets.items()
        if not widget.displayed_children and widget.visible and not isinstance(widget, ScrollBar)
    }


def overlaps(pilot: Pilot[Any]) -> list[tuple[Widget, Widget]]:
    """Pairs of widgets that overlap."""
    seen = [(widget, region) for widget, region in leaves(pilot).items() if region.area]
    return [(a, b) for (a, x), (b, y) in combinations(seen, 2) if x.overlaps(y)]


def dimensions(text: str) -> tuple[int, int]:
    """Columns and rows of a screen's text."""
    lines = text.splitlines()
    return len(lines[0]), len(lines)


async def resize(pilot: Pilot[Any], size: tuple[int, int]) -> None:
    """Report a new size of the terminal, like the driver."""
    new = Size(*size)
    pilot.app._driver._size = size
    pilot.app.post_message(Resize(new, new))
    await pilot.pause(0.1)


@pytest.mark.parametrize("name", NAMES)
async def test_a_screen_takes_any_size_at_any_time_and_nothing_overlaps(
    name, screens, until, text_of
) -> None:
    async with DltuiApp().run_test(size=SIZES[0]) as pilot:
        await show(pilot, screens("usual")[name](), until)
        for size in SIZES:
            await resize(pilot, size)
            await until(pilot, lambda size=size: dimensions(text_of(pilot)) == size)
            if size >= (80, 24):
                assert not overlaps(pilot), size


@pytest.mark.parametrize("name", NAMES)
async def test_a_screen_is_shown_in_plain_characters_alone(name, screens, until, text_of) -> None:
    app = DltuiApp(settings=Settings(characters="plain"))
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, screens("é … 日本 🎉")[name](), until)
        text = text_of(pilot)
        assert {character for character in text if not character.isascii()} == set()
        assert len(set(map(len, text.splitlines()))) == 1


@pytest.mark.parametrize("name", NAMES)
async def test_text_from_outside_does_nothing_on_a_screen(name, screens, until, text_of) -> None:
    presets_folder().mkdir(parents=True)
    (presets_folder() / "harmful.toml").write_text(
        f"title = {json.dumps(ALL_HARM)}\n[task]\nkind = {json.dumps(ALL_HARM)}\n"
    )
    app = DltuiApp()
    async with app.run_test(size=(300, 80), notifications=True) as pilot:
        written: list[str] = []
        app._driver.write = written.append
        screen = screens(ALL_HARM)[name]()
        await show(pilot, screen, until)
        for key in ("j", "right_square_bracket") * 5:
            await pilot.press(key)
        shown = text_of(pilot)
        assert all(c.isprintable() or c == "\n" for c in shown)
        assert app.screen is screen or screen is None
        assert app.title == "dltui"
        assert not app.clipboard
        assert not any("HARM" in text or "]52" in text for text in written)


@pytest.mark.parametrize("name", NAMES)
async def test_a_narrow_screen_has_the_keys_that_leave_and_that_list_all(
    name, screens, until
) -> None:
    async with DltuiApp().run_test(size=(40, 24)) as pilot:
        await show(pilot, screens("usual")[name](), until)
        for footer in pilot.app.screen.query(SteadyFooter):
            await until(pilot, lambda footer=footer: footer._keys)
            line = str(footer.render())
            leaves = [key.text for key in footer._keys if key.key in ("escape", "q")]
            assert leaves
            assert all(text in line for text in leaves)
            assert line.endswith("? Keys")


@pytest.mark.parametrize("name", NAMES)
async def test_all_keys_of_a_screen_are_reported(name, screens, until, text_of) -> None:
    app = DltuiApp()
    async with app.run_test(size=(120, 80)) as pilot:
        await show(pilot, screens("usual")[name](), until)
        told = set(actions_of(app.screen))
        titles = [command.title for command in app.get_system_commands(app.screen)]
        commands = set(titles)
        assert titles.count("Quit") == 1
        assert not commands & {"Maximize", "Page left", "Page right"}
        typing = {binding.action for binding in Input.BINDINGS} - {"submit"}
        moves = {
            description
            for description, (active, *_) in actions_of(app.screen).items()
            if active.binding.key in MOVES
            or (isinstance(active.node, Input) and active.binding.action in typing)
        }
        assert told - moves - {"Keys", "Quit", "Actions by name"} <= commands
        assert not moves & commands
        app.push_screen(KeysScreen(app))
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        await pilot.pause()
        text = str(app.screen.query_one("#text").render())
        assert all(description in text for description in told)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain", "plain"),
        ("│─┌┐╭╰", "|-++++"),
        ("é ü ñ ø ł", "e u n o l"),
        ("日本", "????"),
        ("▶ ✓ ● █▌", "> + o #|"),
        ("\u2800\u28ff\u2809\u28c0", " |'."),
        ("１２！", "1 2 ! "),
        ("👨\u200d👩\u200d👧 ❤️ e\u0301", "?? ?? e"),
        ("▁▂▃▄▅▆▇█", "_.-=+*%#"),
    ],
)
def test_plain_characters_are_as_wide_as_those_they_stand_for(text: str, plain: str) -> None:
    assert plain_text(text) == plain
    assert cell_len(text) == len(plain)


@pytest.mark.parametrize("text", ["½", "Ⅳ", "㎏", "№", "⅓"])
def test_plain_characters_are_no_part_of_a_number_or_unit(text: str) -> None:
    assert plain_text(text) == "?" * cell_len(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("0.96 ± 0.02  yes", "0.96+/-0.02  yes"),
        ("a = b, a ≠ b  ", "a = b, a !=b  "),
        ("0.003 → 0.001", "0.003-->0.001"),
        ("70 °C     2 W", "70 degC   2 W"),
        ("loading the model …     ", "loading the model ...   "),
        ("│tabular_cl…│next│", "|tabular_...|next|"),
        ("digits-c… 0.93 cnn", "digits... 0.93 cnn"),
        ("name c… cnn", "name .. cnn"),
        ("  …/folder/file.csv", ".../folder/file.csv"),
        ("a … b", "a...b"),
        ("│…│…│", "|.|.|"),
    ],
)
def test_signs_that_are_longer_in_ascii_move_nothing_beside_them(text: str, plain: str) -> None:
    assert plain_text(text) == plain
    assert cell_len(text) == len(plain)


def test_longer_signs_keep_the_colours_of_a_line() -> None:
    red, blue, none = Style(color="red"), Style(color="blue"), None
    line = [Segment("0.9 ±", red), Segment(" 0.1 ", blue), Segment("  é…│", none)]
    assert PlainCharacters().apply(line, Color(0, 0, 0)) == [
        Segment("0.9+/-", red), Segment("0.1 ", blue), Segment("e...|", none),
    ]  # fmt: skip


def test_curves_have_different_markers_in_plain_characters() -> None:
    markers = [plain_text(marker_of(style)) for style in SERIES]
    assert len(set(markers)) == len(SERIES)
    assert plain_text("◆") not in markers  # the best evaluation
