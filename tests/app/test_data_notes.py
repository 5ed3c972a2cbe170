"""The table of conversions, omissions and doubts on the screens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.runs.events import Data
from engine.service.client import Superseded
from tui.app import DltuiApp
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.new_run.screen import NewRunScreen
from tui.screens.results.screen import ResultsScreen
from tui.widgets.preview import DataPreview
from tui.widgets.run_panels import data_facts

WHY = "12 values of test not a number such as 1,234.5, the first 'cheap'"
SIZES_FOUND = (
    "epochs 24, batch size 32, width 128, layers 2, dropout 0.3, embedding size 12, bins 48"
)
SUMMARY = {
    "source": "a", "rows": {"train": 1257}, "facts": {"by the data": SIZES_FOUND},
    "columns": [], "classes": None,
    "notes": [
        {"why": "dates are written day month year", "column": "day", "read_as": "dates",
         "rows": 7, "change": "data.columns.day=text", "kind": "converted"},
        {"why": WHY, "column": "price", "read_as": "missing", "rows": 12, "change": "",
         "kind": "doubt"},
    ],
    "skips": [{"reason": "label is empty", "count": 1234, "example": "train row 2"}],
}  # fmt: skip
SIZES = [(80, 24), (120, 40)]


def words(text: str) -> str:
    """The words on the screen without frames and line breaks."""
    return " ".join(text.replace("▏", " ").split())


def answered(question: str, **arguments: Any) -> dict[str, Any]:
    """An advisor that knows the data alone."""
    if question != "preview":
        raise Superseded("")
    return {"columns": ["price"], "rows": [], "problem": "", "summary": SUMMARY}


def with_notes(events: Any) -> list[Any]:
    return [Data(summary=SUMMARY) if isinstance(event, Data) else event for event in events]


@pytest.mark.parametrize("size", SIZES)
async def test_the_data_screen_shows_the_table(size, until, text_of) -> None:
    app = DltuiApp()

    def shown() -> str:
        lines = words("\n".join(line.rpartition("▏")[2] for line in text_of(pilot).splitlines()))
        return lines.replace("= ", "=")  # a line may end behind the name of a setting

    async with app.run_test(size=size) as pilot:
        app.push_screen(NewRunScreen(ask=answered))
        await until(pilot, lambda: app.screen.query(DataPreview))
        if size[0] < 100:
            await pilot.press("p")
        await until(pilot, lambda: "1,234 " in shown() and SIZES_FOUND in shown())
        await until(pilot, lambda: "[data.columns.day=text]" in shown())
        text = shown()
    assert "column read as why rows" in text
    assert text.index("label is empty") < text.index("1,234.5,") < text.index("dates are")


@pytest.mark.parametrize("size", SIZES)
async def test_the_results_show_the_table_and_tell_of_it(
    make_run, training, finished, until, text_of, size
) -> None:
    run = make_run("done", [*with_notes(training()), finished()])
    report = {"run": run.id, "metric": "accuracy", "metrics": {"test": {"accuracy": 0.9}}}
    run.report.path.write_text(json.dumps(report))
    app = DltuiApp(run.id)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        await until(pilot, lambda: "1 omission, 1 doubt: listed below" in text_of(pilot))
        await pilot.press("end")
        await until(pilot, lambda: "label is empty" in text_of(pilot))
        assert "1,234" in text_of(pilot)


async def test_the_monitor_shows_the_table_among_the_facts(
    make_run, training, until, text_of
) -> None:
    run = make_run("running", with_notes(training(trained=1)))
    app = DltuiApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await app.push_screen(MonitorScreen(run))
        await pilot.press("5")
        await until(pilot, lambda: "such as 1,234.5" in text_of(pilot))
        assert words(text_of(pilot)).index("label is empty") < words(text_of(pilot)).index("dates")


def test_an_old_run_shows_its_sentences_and_rows_left_out() -> None:
    class Old:
        data = SUMMARY | {"notes": ["a.csv has no header"]}

    lines = [line.plain for line in data_facts(Old(), 80)]  # type: ignore[arg-type]
    text = words("\n".join(lines))
    assert "label is empty (the first: train row 2) 1,234" in text
    assert "a.csv has no header" in text


async def test_a_table_beside_a_scroll_bar_keeps_its_last_column(until, text_of) -> None:
    notes = [dict(SUMMARY["notes"][0], column=f"day{number}") for number in range(20)]
    summary = SUMMARY | {"notes": notes}

    def long_answer(question: str, **arguments: Any) -> dict[str, Any]:
        return answered(question, **arguments) | {"summary": summary}

    app = DltuiApp()
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(NewRunScreen(ask=long_answer))
        await until(pilot, lambda: app.screen.query(DataPreview))
        await until(pilot, lambda: app.screen.query_one(DataPreview).show_vertical_scrollbar)
        await until(pilot, lambda: "1,234" in text_of(pilot))
        preview = app.screen.query_one(DataPreview)
        await until(pilot, lambda: preview.max_scroll_x == 0)  # after the bar's own layout
