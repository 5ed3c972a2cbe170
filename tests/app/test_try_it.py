"""A finished model predicts for typed inputs, and its answers are shown."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.events import Paste
from textual.pilot import Pilot

from engine.errors import UserError
from engine.runs.directory import RunDirectory
from engine.service.predict import answer
from tui.app import DltuiApp
from tui.charts.chart import Chart
from tui.format.numbers import number
from tui.screens.try_it import TryItScreen
from tui.widgets.exchanges import KEPT, Exchange, Exchanges, Reply
from tui.widgets.form.path_picker import PathPickerScreen
from tui.widgets.input_rows import RowInput
from tui.widgets.pictures.sheet import PictureSheet

SIZES = [(80, 24), (120, 40)]
SMALL_FIRST = [SIZES[0], pytest.param(SIZES[1], marks=pytest.mark.slow)]


@pytest.fixture(autouse=True)
def home(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder shared by the module: its runs are trained once."""
    monkeypatch.setenv("DLTUI_HOME", str(trained_home))
    return trained_home


@pytest.fixture
def films(trained: Any, tmp_path: Path) -> RunDirectory:
    words = {"good": "[b]yes[/b]", "fine": "[b]yes[/b]", "bad": "no", "dull": "no"}
    path = tmp_path / "films.csv"
    lines = [f"{word} film,{label}" for word, label in words.items()]
    path.write_text("text,label\n" + "\n".join(lines * 12) + "\n")
    return trained(
        "films",
        {
            "task": {"kind": "text_classification"},
            "data": {"kind": "file", "path": str(path)},
            "model": {
                "kind": "transformer", "vocab_size": 100, "hidden_size": 16,
                "num_hidden_layers": 1, "num_attention_heads": 2, "dropout": 0.0,
            },
        },
    )  # fmt: skip


@pytest.fixture
def dates(trained: Any) -> RunDirectory:
    return trained(
        "dates",
        {
            "task": {"kind": "seq2seq", "max_new_tokens": 8, "eval_rows": 0, "final_rows": 0},
            "data": {"kind": "builtin", "name": "dates", "max_samples": 64},
            "model": {
                "kind": "transformer", "vocab_size": 300, "hidden_size": 16,
                "num_hidden_layers": 1, "num_attention_heads": 2,
            },
            "train": {"max_steps": 2},
        },
    )  # fmt: skip


@pytest.fixture
def chats(trained: Any, tmp_path: Path) -> RunDirectory:
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    path = tmp_path / "chats.jsonl"
    path.write_text((json.dumps({"messages": turns}) + "\n") * 40)
    return trained(
        "chats",
        {
            "task": {"kind": "causal_lm", "max_new_tokens": 8, "temperature": 0.0},
            "data": {"kind": "file", "path": str(path)},
            "model": {
                "kind": "transformer", "vocab_size": 300, "hidden_size": 16,
                "num_hidden_layers": 1, "num_attention_heads": 2, "dropout": 0.0,
            },
            "train": {"max_steps": 40, "epochs": 40, "learning_rate": 0.01},
        },
    )  # fmt: skip


@pytest.fixture
def load(trained: Any) -> RunDirectory:
    return trained(
        "load",
        {
            "task": {"kind": "forecasting", "window": 24, "horizon": 6},
            "data": {"kind": "builtin", "name": "seasons"},
            "model": {"kind": "dlinear"},
            "train": {"max_steps": 2},
        },
    )


def lines(pilot: Pilot[Any]) -> list[RowInput]:
    return list(pilot.app.screen.query(RowInput))


async def ready(pilot: Pilot[Any], until: Any) -> None:
    await until(pilot, lambda: lines(pilot) and lines(pilot)[0].has_focus)


async def opened(pilot: Pilot[Any], screen: TryItScreen, until: Any) -> None:
    pilot.app.push_screen(screen)
    await ready(pilot, until)


def app_answer(pilot: Pilot[Any]) -> str:
    """The text of the last answer."""
    return str(list(pilot.app.screen.query(Reply))[-1]._answer.render())


class Answers:
    """An advisor with fixed answers, for cases that no small model can produce."""

    def __init__(
        self, answer: dict[str, Any] | UserError, inputs: Sequence[str] = ("text",)
    ) -> None:
        self._answer = answer
        self._inputs = inputs
        self.rows: list[Any] = []

    def __call__(self, question: str, **arguments: Any) -> dict[str, Any]:
        if "rows" not in arguments:
            return {"inputs": self._inputs, "records": [], "notes": []}
        self.rows += arguments["rows"]
        if isinstance(self._answer, UserError):
            raise self._answer
        return {"inputs": ["text"], "notes": []} | self._answer


@pytest.mark.parametrize("size", SMALL_FIRST)
async def test_values_typed_from_the_results_are_predicted(flowers, until, text_of, size) -> None:
    app = DltuiApp(flowers.id)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "trained for" in text_of(pilot))
        await pilot.press("t")
        await ready(pilot, until)
        assert len(lines(pilot)) == 5
        await pilot.press(*"5.0", "down", *"3.4", "down", *"1.4", "tab", *"0.2", "enter")
        await until(pilot, lambda: "%" in text_of(pilot))
        assert app.screen.query_one(Reply)._answer.render().plain.startswith("setosa\n")
        assert "petal width (cm)=0.2" in " ".join(text_of(pilot).split())
        await pilot.press("escape")
        await until(pilot, lambda: "trained for" in text_of(pilot))


async def test_a_text_is_tried_from_the_list_and_labels_are_literal(films, until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "films" in text_of(pilot))
        await pilot.press("slash", *"films", "enter", "t")
        await ready(pilot, until)
        await pilot.press(*"good film", "enter")
        await until(pilot, lambda: "%  █" in text_of(pilot))
        assert "[b]yes[/b]  " in text_of(pilot)
        await pilot.press(*"bad", "enter")
        await until(pilot, lambda: "› bad" in text_of(pilot))
        assert "› good film" in text_of(pilot)


async def test_what_is_typed_while_the_model_loads_is_kept(films, until, text_of) -> None:
    let = threading.Event()

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        let.wait(30)
        return {"inputs": ["text"], "records": [], "notes": []}

    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(TryItScreen(films, ask))
        await until(pilot, lambda: "loading" in text_of(pilot))
        await pilot.press(*"good wq", "backspace")
        await until(pilot, lambda: "› good w" in text_of(pilot))
        let.set()
        await ready(pilot, until)
        await pilot.press("e")
        assert lines(pilot)[0].value == "good we"


@pytest.mark.parametrize(
    ("columns", "rows", "line"),
    [(["text"], [{"text": "good"}], "bad"), (["a", "b"], [], "goodbad")],
)
async def test_what_is_sent_while_the_model_loads_is_asked_then(
    make_run, until, text_of, columns, rows, line
) -> None:
    let, answers = threading.Event(), Answers({"records": []}, columns)

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        let.wait(30)
        return answers(question, **arguments)

    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(TryItScreen(make_run("one"), ask))
        await until(pilot, lambda: "loading" in text_of(pilot))
        await pilot.press(*"good", "enter", *"bad")
        await until(pilot, lambda: "it is asked then: good   › bad" in text_of(pilot))
        let.set()
        await until(pilot, lambda: lines(pilot) and lines(pilot)[0].value == line)
        await until(pilot, lambda: answers.rows == rows)


async def test_enter_without_an_input_says_what_is_wanted(films, until, text_of) -> None:
    answers = Answers({"records": [{"label": "yes", "score": 1.0}]})
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(films, answers), until)
        await pilot.press("enter")
        await until(pilot, lambda: "nothing is typed yet: type, and press enter" in text_of(pilot))
        await pilot.press("x", "enter")
        await until(pilot, lambda: "nothing is typed" not in text_of(pilot))
    assert answers.rows == [{"text": "x"}]


async def test_predictions_are_saved_from_here(films, advisor, until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(films, advisor.ask), until)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathPickerScreen))


async def test_a_file_of_rows_is_completed_and_predicted(
    films, advisor, until, text_of, tmp_path
) -> None:
    file = tmp_path / "new.csv"
    file.write_text("text\n" + "good film\ndull film\n" * 3)
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        await opened(pilot, TryItScreen(films, advisor.ask), until)
        await pilot.press("down")
        pilot.app.focused.post_message(Paste(str(file)[:-4]))
        await until(pilot, lambda: lines(pilot)[-1].value)
        await pilot.press("tab")
        await until(pilot, lambda: lines(pilot)[-1].value == str(file))
        await pilot.press("enter")
        await until(pilot, lambda: " 6  " in text_of(pilot))
        shown = [line.split() for line in text_of(pilot).splitlines()]
    for place, record in enumerate(answer(films.id, file=str(file))["records"], 1):
        text = ["good", "dull"][(place - 1) % 2]
        assert [str(place), text, "film", record["label"], number(record["score"])] in shown


@pytest.mark.parametrize("size", SIZES)
async def test_an_image_is_classified(digits, digit_files, advisor, until, text_of, size) -> None:
    (path, digit), *_ = digit_files
    async with DltuiApp().run_test(size=size) as pilot:
        await opened(pilot, TryItScreen(digits, advisor.ask), until)
        pilot.app.focused.post_message(Paste(str(path)[:-4]))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: "%  █" in text_of(pilot))
        said = app_answer(pilot)
        assert said.startswith(f"{digit}   {path}\n  {digit}  ")
        await pilot.press(*"none.png", "enter")
        await until(pilot, lambda: "none.png: the image file does not exist." in text_of(pilot))


async def test_the_answer_below_an_image_comes_in_sight(
    digits, digit_files, advisor, until, monkeypatch
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    # So wide that the path takes one line: an image, its path and its answer just fit.
    async with DltuiApp().run_test(size=(160, 24)) as pilot:
        await opened(pilot, TryItScreen(digits, advisor.ask), until)
        shown = pilot.app.screen.query_one(Exchanges)
        for asked, (path, _) in enumerate(digit_files[:2], 1):
            lines(pilot)[0].value = str(path)
            await pilot.press("enter")
            await until(
                pilot, lambda asked=asked: len(pilot.app.screen.query(PictureSheet)) == asked
            )
            await until(pilot, lambda: not pilot.app.screen._waiting)
            reply = list(pilot.app.screen.query(Reply))[-1]
            sheet = reply.query_one(PictureSheet)
            await until(pilot, lambda sheet=sheet: sheet.size.height > 1)
            await until(
                pilot, lambda reply=reply: shown.region.contains_region(reply._answer.region)
            )
        await pilot.press("pageup")
        place = shown.scroll_offset.y
        await pilot.pause(0.2)
        assert shown.scroll_offset.y == place < shown.max_scroll_y


async def test_a_text_that_is_written_is_shown_behind_its_source(
    dates, advisor, until, text_of
) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(dates, advisor.ask), until)
        await pilot.press(*"2024-05-17", "enter")
        await until(pilot, lambda: "generated" in text_of(pilot))
        assert app_answer(pilot).splitlines()[0].split() == ["source", "2024-05-17"]


def test_conversations_and_texts_are_asked_together(chats) -> None:
    turns = [{"role": "user", "content": "hello"}]
    parts = [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]
    rows = ["hello", json.dumps(turns), {"messages": turns}, {"messages": parts}]
    records = answer(chats.id, rows=rows)["records"]
    assert [record["continuation"].strip() for record in records] == ["hi"] * 4


def test_a_turn_without_a_role_is_reported(chats) -> None:
    with pytest.raises(UserError, match="a turn has no role or content"):
        answer(chats.id, rows=[{"messages": [{"content": "hello"}]}])


async def test_a_forecast_is_drawn(load, advisor, until, text_of, tmp_path) -> None:
    file = tmp_path / "past.csv"
    rows = [f"2024-01-{1 + i // 24:02d} {i % 24:02d}:00,{100 + i},10,3" for i in range(48)]
    file.write_text("\n".join(["time,load,temperature,wind", *rows]))
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(load, advisor.ask), until)
        await pilot.press("up")
        pilot.app.focused.post_message(Paste(str(file)))
        await until(pilot, lambda: lines(pilot)[-1].value)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.query(Chart))
        await until(pilot, lambda: "load   ━━━ past   ━●━ forecast" in text_of(pilot))
        await until(pilot, lambda: "┤" in text_of(pilot))
        await pilot.press("up", "end")
        await until(pilot, lambda: "6, 2024-01-03 05:00   ━━━ past   ━●━ fore" in text_of(pilot))
        await pilot.press("home", "right")
        await until(pilot, lambda: "-22, 2024-01-02 01:00   ━━━ past 125" in text_of(pilot))
        await until(pilot, lambda: "░░░ 10–90 %  " in text_of(pilot))
        assert "forecast   ░" in " ".join(text_of(pilot).split("\n")), "of the past, no forecast"
        await pilot.press("tab")
        assert lines(pilot)[0].has_focus


async def test_a_forecast_with_columns_known_ahead_asks_for_a_file_of_the_future(
    make_run, until, text_of
) -> None:
    asked: list[dict[str, Any]] = []

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        asked.append(arguments)
        columns = {"inputs": ["day", "sales", "price"], "ahead": ["day", "price"]}
        return columns | {"records": [], "notes": []}

    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(make_run("one"), ask), until)
        await until(pilot, lambda: "and its future" in text_of(pilot))
        assert "name files of the past and its future" in text_of(pilot)
        await until(pilot, lambda: "known ahead: day, price" in text_of(pilot))
        await pilot.press("up", *"b.csv", "up", *"a.csv", "enter")
        await until(pilot, lambda: len(asked) == 2)
        await until(pilot, lambda: "the rows of a.csv, then b.csv" in text_of(pilot))
    assert (asked[1]["file"], asked[1]["future"], asked[1]["rows"]) == ("a.csv", "b.csv", [])


async def test_a_forecast_asks_for_files_alone_and_begins_there(make_run, until, text_of) -> None:
    asked: list[dict[str, Any]] = []

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        asked.append(arguments)
        return {
            "inputs": ["day", "sales"],
            "ahead": [],
            "by_row": False,
            "records": [],
            "notes": [],
        }

    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(make_run("one"), ask), until)
        await until(pilot, lambda: "name a file of the past, and press enter" in text_of(pilot))
        await until(pilot, lambda: "Parquet … with day, sales" in text_of(pilot))
        assert len(pilot.app.screen.query(RowInput)) == 1
        assert "explain" not in {active.binding.action for active in
                                 pilot.app.screen.active_bindings.values()}  # fmt: skip
        await pilot.press(*"a.csv", "enter")
        await until(pilot, lambda: len(asked) == 2)
    assert (asked[1]["file"], asked[1]["rows"]) == ("a.csv", [])


async def test_a_mistake_is_answered_by_a_sentence(flowers, advisor, until, text_of) -> None:
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        await opened(pilot, TryItScreen(flowers, advisor.ask), until)
        await pilot.press("up", *"/nowhere/x.csv", "enter")
        await until(pilot, lambda: "Cannot read /nowhere/x.csv" in text_of(pilot))


async def test_a_model_that_cannot_be_loaded_is_reported(make_run, advisor, until, text_of) -> None:
    run = make_run("bare")
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        pilot.app.push_screen(TryItScreen(run, advisor.ask))
        await until(pilot, lambda: "has no finished model" in text_of(pilot))
        assert not lines(pilot)


async def test_only_the_newest_answers_are_kept(make_run, until) -> None:
    ask = Answers({"records": [{"value": 1.0}]})
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(make_run("one"), ask), until)
        for number in range(KEPT + 5):
            await pilot.press(*str(number), "enter")
            await until(pilot, lambda number=number: len(ask.rows) == number + 1)
            await until(pilot, lambda: not pilot.app.screen._waiting)
        kept = list(pilot.app.screen.query(Exchange))
    assert ask.rows[-1] == {"text": str(KEPT + 4)}
    assert len(kept) == KEPT


async def test_errors_and_generated_text_are_harmless(make_run, until, text_of) -> None:
    run = make_run("one")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        error = UserError("No [red]such[/red]\x1b[2J thing.")
        await opened(pilot, TryItScreen(run, Answers(error)), until)
        await pilot.press("x", "enter")
        await until(pilot, lambda: "No [red]such[/red]␛[2J thing." in text_of(pilot))
        written = Answers({"records": [{"text": "[@click=app.quit]a\x1b]0;b\x07\nc"}]})
        await opened(pilot, TryItScreen(run, written), until)
        await pilot.press("x", "enter")
        await until(pilot, lambda: "[@click=app.quit]a␛]0;b␇" in text_of(pilot))


async def test_a_file_of_rows_is_picked(make_run, until, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text("text\n")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(make_run("one"), Answers({"records": []})), until)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathPickerScreen))
        await pilot.press(*"peo", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, TryItScreen))
        file = lines(pilot)[-1]
        await until(pilot, lambda: (file.value, file.has_focus) == ("people.csv", True))


async def test_several_columns_are_asked_for_with_how_to_reach_them(
    make_run, until, text_of
) -> None:
    ask = Answers({"records": []}, ["age", "income"])
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(make_run("one"), ask), until)
        await until(pilot, lambda: "type, down goes to the next line" in text_of(pilot))
        await pilot.press(*"41", "enter")
        await until(pilot, lambda: "› age=41" in text_of(pilot))


async def test_pasted_lines_become_one(make_run, until) -> None:
    ask = Answers({"records": []})
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(make_run("one"), ask), until)
        pilot.app.focused.post_message(Paste("first\nsecond"))
        await until(pilot, lambda: lines(pilot)[0].value == "first second")


async def test_nothing_typed_asks_nothing(make_run, until) -> None:
    ask = Answers({"records": []})
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(make_run("one"), ask), until)
        await pilot.press("space", "enter")
        await pilot.pause()
        assert not pilot.app.screen.query(Exchange)


async def test_leaving_ends_the_process_that_holds_the_model(flowers, until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        screen = TryItScreen(flowers)
        await opened(pilot, screen, until)
        process = screen._advisor._process
        assert process is not None
        assert process.poll() is None
        await pilot.press("escape")
        await until(pilot, lambda: process.poll() is not None)


class Columns(Answers):
    """A model with two inputs."""

    def __call__(self, question: str, **arguments: Any) -> dict[str, Any]:
        return super().__call__(question, **arguments) | {"inputs": ["first", "second"]}


async def test_what_is_typed_in_one_go_lands_in_the_right_lines(
    make_run, until, type_ahead
) -> None:
    ask = Columns({"records": []})
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, TryItScreen(make_run("one"), ask), until)
        type_ahead(pilot, *"ab", "tab", *"cd", "up", *"e", "enter", *"f")
        await until(pilot, lambda: ask.rows)
        await until(pilot, lambda: lines(pilot)[0].value == "f")
    assert ask.rows == [{"first": "abe", "second": "cd"}]
