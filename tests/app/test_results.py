"""Each view of the report is drawn by its kind."""

from __future__ import annotations

import json
import re
import threading

import pytest
from textual.widgets import TabPane

from engine.reports.views import Lines, Matrix, Table, Texts, read_view
from engine.runs.directory import RunDirectory
from tui.app import DltuiApp
from tui.format.topics import tab_title
from tui.screens.results.head import head
from tui.screens.results.reading import Results, read_results
from tui.screens.results.screen import ResultsScreen
from tui.widgets.signed_bars import signed_bars
from tui.widgets.table_view import TableView

VIEWS = [
    Matrix("Confusion matrix", ["cat", "dog"], [[7, 1], [2, 31]]),
    Table("Classes", ["class", "f1", "samples"], [["cat", 0.875, 8], ["[b]dog[/b]", None, 33]]),
    Lines("Forecast", [0, 1, 2], {"truth": [1.0, 2.0, 3.0], "forecast": [None, 2.5, 3.0]}),
    Texts("Answers", [{"question": "Who [red]is[/red]?", "answer": "She\x1b[2J"}]),
]


@pytest.fixture
def done(make_run, training, finished):
    """A finished run with a report that has a view of every kind."""
    run = make_run("done", [*training(), finished()])
    report = {
        "run": run.id,
        "metric": "accuracy",
        "ending": "completed",
        "best_epoch": 3.0,
        "epochs": 4,
        "seconds": 75.0,
        "metrics": {
            "validation": {"accuracy": 0.91, "loss": 0.3},
            "test": {"accuracy": 0.9625, "loss": None},
        },
        "baseline": {"name": "boosting", "metrics": {"accuracy": 0.8125}},
        "views": [view.record() for view in VIEWS] + [{"form": "unheard of", "title": "x"}],
    }
    run.report.path.write_text(json.dumps(report))
    return run


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_read_back_as_it_was_written(view) -> None:
    record = json.loads(json.dumps(view.record()))
    assert read_view(record).record() == json.loads(json.dumps(view.record()))


@pytest.mark.parametrize("damaged", [None, {}, {"form": "matrix"}, {"form": "no"}, [1], "x"])
def test_a_damaged_view_is_left_out(damaged) -> None:
    assert read_view(damaged) is None


async def test_metrics_stand_beside_the_baseline(done, until, text_of) -> None:
    app = DltuiApp(done.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "epoch 3 of 4 by accuracy" in text_of(pilot))
        lines = text_of(pilot).splitlines()
    heading = next(line for line in lines if "baseline: boosting" in line)
    row = next(line for line in lines if line.strip().startswith("accuracy"))
    assert heading.split()[:2] == ["test", "validation"]
    assert row.split()[:4] == ["accuracy", "0.9625", "0.9100", "0.8125"]


@pytest.mark.parametrize(
    ("room", "end"),
    [(49, "test accuracy 0.9529, loss 0.2610"), (48, "test accuracy 0.9529"), (20, "✓ finished")],
)
def test_the_head_has_no_number_that_is_cut(
    room: int, end: str, make_run, training, finished
) -> None:
    run = make_run("run", [*training(), finished()])
    metrics = {"accuracy": 0.9529, "loss": 0.2610}
    run.report.path.write_text(json.dumps({"metric": "loss", "metrics": {"test": metrics}}))
    line = head(read_results(run), len(run.id) + room)
    assert line.plain.endswith(end)
    assert line.plain.startswith(run.id)


async def test_files_are_named(done, until, text_of) -> None:
    app = DltuiApp(done.id)
    async with app.run_test(size=(200, 60)) as pilot:
        await until(pilot, lambda: str(done.report.path) in text_of(pilot))


async def test_each_view_is_shown_by_its_number(done, until, text_of) -> None:
    expected = {"2": " 31 ", "3": "[b]dog[/b]", "4": "━●━ forecast", "5": "Who [red]is[/red]?"}
    app = DltuiApp(done.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "epoch 3 of 4" in text_of(pilot))
        for key, text in expected.items():
            await pilot.press(key)
            await until(pilot, lambda text=text: text in text_of(pilot))
        assert "She␛[2J" in text_of(pilot)
        await pilot.press("6")
        await until(pilot, lambda: "loss   ━━━ train" in text_of(pilot))
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "epoch 3 of 4" in text_of(pilot))


async def test_the_screen_says_that_it_reads(done, monkeypatch, until, text_of) -> None:
    read = threading.Event()

    def slowly(run: RunDirectory) -> Results:
        read.wait(60)
        return read_results(run)

    monkeypatch.setattr("tui.screens.results.screen.read_results", slowly)
    async with DltuiApp(done.id).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: f"{done.id}   reading the results …" in text_of(pilot))
        read.set()
        await until(pilot, lambda: "reading" not in text_of(pilot))
        assert "✓ finished" in text_of(pilot)


async def test_what_is_done_with_a_model_stands_in_the_footer(done, until, text_of) -> None:
    async with DltuiApp(done.id).run_test(size=(120, 24)) as pilot:
        await until(pilot, lambda: "epoch 3 of 4" in text_of(pilot))
        keys = text_of(pilot).splitlines()[-1]
        for text in ("F Save predictions", "X Export the model", "esc Back", "? Keys"):
            assert text in keys


async def test_an_empty_report_is_shown(make_run, training, finished, until, text_of) -> None:
    run = make_run("bare", [*training(), finished()])
    run.report.path.write_text("{}")
    app = DltuiApp(run.id)
    async with app.run_test(size=(80, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        await until(pilot, lambda: "900 of 900 parameters" in text_of(pilot))


async def test_a_damaged_report_is_reported(make_run, training, finished, until, text_of) -> None:
    run = make_run("damaged", [*training(), finished()])
    run.report.path.write_text('{"metrics": ')
    app = DltuiApp(run.id)
    async with app.run_test(size=(120, 24), notifications=True) as pilot:
        await until(pilot, lambda: "Cannot read" in text_of(pilot))


async def test_charts_are_drawn_where_the_tabs_are_wider_than_the_screen(
    done, until, text_of
) -> None:
    views = [
        Lines(f"Forecast of load number {i}", [0, 1], {f"load {i}": [i, 2.0]}) for i in range(6)
    ]
    done.report.path.write_text(json.dumps({"views": [view.record() for view in views]}))
    app = DltuiApp(done.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(app.screen.query(TabPane)) == 8)
        for i in range(6):
            await pilot.press("right_square_bracket")
            await until(pilot, lambda i=i: f"━━━ load {i}" in text_of(pilot))


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Errors by step", "Errors by step"),
        ("Forecast of load after 2023-06-02 23:00", "Forecast … 2023-06-02 23:00"),
        ("Worst forecast of load after 2023-06-02 23:00", "Worst … 2023-06-02 23:00"),
        ("x" * 40, "x" * 28),
        ("Forecast of " + "x" * 40, "Forecast …"),
    ],
)
def test_titles_of_tabs_keep_the_words_that_distinguish_them(title, expected) -> None:
    assert tab_title(title) == expected


async def test_a_view_of_nothing_is_left_out(done, until, text_of) -> None:
    views = [Texts("Passages ranked last", []), Table("Classes", ["class"], [["cat"]])]
    done.report.path.write_text(json.dumps({"views": [view.record() for view in views]}))
    async with DltuiApp(done.id).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Summary  Classes  Loss" in text_of(pilot))


async def test_the_headline_says_the_accuracy_where_the_loss_decides(done, until, text_of) -> None:
    report = json.loads(done.report.path.read_text()) | {"metric": "loss"}
    report["metrics"]["test"]["loss"] = 0.25
    done.report.path.write_text(json.dumps(report))
    async with DltuiApp(done.id).run_test(size=(120, 24)) as pilot:
        await until(pilot, lambda: "test accuracy 0.9625, loss 0.2500" in text_of(pilot))


MEANING = "share of samples whose class was found"


async def test_metrics_are_explained_beside_their_values_or_below(done, until, text_of) -> None:
    async with DltuiApp(done.id).run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "epoch 3 of 4" in text_of(pilot))
        row = next(line for line in text_of(pilot).splitlines() if line.startswith(" accuracy"))
        assert MEANING in row
        await pilot.resize_terminal(80, 40)
        await until(pilot, lambda: f"accuracy         {MEANING}" in text_of(pilot))


async def test_views_are_one_line_in_the_list_of_keys(done, until, text_of) -> None:
    async with DltuiApp(done.id).run_test(size=(120, 60)) as pilot:
        await until(pilot, lambda: "epoch 3 of 4" in text_of(pilot))
        await pilot.press("question_mark")
        await until(pilot, lambda: "Panel by its number" in text_of(pilot))
        assert text_of(pilot).count("Panel by its number") == 1
        assert "A page" in text_of(pilot) or "Page left" in text_of(pilot)
        assert not re.search("(Scroll|Page) (Up|Down|Left|Right)", text_of(pilot))


async def test_the_verdict_stands_first_and_the_settings_below(done, until, text_of) -> None:
    report = json.loads(done.report.path.read_text())
    report["verdict"] = {"outcome": "better", "text": "Better than boosting by 9 points."}
    done.report.path.write_text(json.dumps(report))
    async with DltuiApp(done.id).run_test(size=(80, 60)) as pilot:
        await until(pilot, lambda: "Settings" in text_of(pilot))
        shown = text_of(pilot)
        places = [shown.index(text) for text in ("Better than", "accuracy  ", "Settings", "Data")]
        assert places == sorted(places)


async def test_a_row_of_any_table_opens_whole(done, until, text_of) -> None:
    long = "a very long value " * 20
    views = [Table("Worst images", ["image", "found"], [["a.png", 1], [long, 2]])]
    done.report.path.write_text(json.dumps({"views": [view.record() for view in views]}))
    async with DltuiApp(done.id).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Worst images" in text_of(pilot))
        await pilot.press("2", "down", "enter")
        await until(pilot, lambda: "Worst images, row 2" in text_of(pilot))
        boxed = "".join(line.partition("│")[2] for line in text_of(pilot).splitlines())
        assert " ".join(boxed.replace("│", " ").split()).count("very long value") == 20


async def test_charts_say_by_which_metric_a_point_is_the_best(done, until, text_of) -> None:
    async with DltuiApp(done.id).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "epoch 3 of 4" in text_of(pilot))
        await pilot.press("6")
        await until(pilot, lambda: "◆ best by accuracy" in text_of(pilot))


async def test_the_importance_of_columns_is_drawn_as_bars_and_named(done, until, text_of) -> None:
    title = "Importance of columns: change when a column is shuffled"
    rows = [["visits", -0.4, 1.5], ["plan", 0.2, 0.0], ["age", 0.0, None]]
    report = json.loads(done.report.path.read_text())
    view = Table(title, ["column", "accuracy", "loss"], rows).record()
    done.report.path.write_text(json.dumps(report | {"views": [view]}))
    app = DltuiApp(done.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Importance" in text_of(pilot))
        await pilot.press("2")
        await until(pilot, lambda: title in text_of(pilot))
        await until(pilot, lambda: "visits" in text_of(pilot))
        lines = [line for line in text_of(pilot).splitlines() if "│" in line]
    shown = {line.split()[0]: line for line in lines}
    zero = shown["column"].index("│")
    assert "accuracy falls│rises" in shown["column"]
    assert "-0.4000   +1.5" in shown["visits"]
    assert [shown[name].index("│") for name in ("visits", "plan", "age")] == [zero] * 3
    sides = {name: [side.count("█") for side in line.split("│")] for name, line in shown.items()}
    assert sides == {"column": [0, 0], "visits": [15, 0], "plan": [0, 7], "age": [0, 0]}


@pytest.mark.parametrize(
    ("values", "heading", "bars"),
    [
        ([-4.0, -2.0], "   r2 falls│", ["███████████│", "     ▐█████│"]),
        ([4.0, 2.0], "r2 rises", ["████████████", "██████"]),
        ([6.0, -3.0], "falls│rises", ["     │██████", "  ███│"]),
        ([0.0, 0.0], "", []),
    ],
)
def test_bars_of_changes_begin_at_zero_and_end_on_the_side_of_their_sign(
    values, heading, bars
) -> None:
    found = signed_bars("r2", values, 12)
    assert (found.heading if found else "") == heading
    for value, bar in zip(values, bars, strict=False):
        assert found
        assert str(found.bar(value)) == bar


def test_bars_on_the_side_of_the_smaller_changes_have_another_colour() -> None:
    found = signed_bars("r2", [6.0, -3.0], 12)
    assert found
    colours = {value: {span.style for span in found.bar(value).spans} for value in (6.0, -3.0)}
    assert "$primary" in colours[6.0]
    assert "$warning" in colours[-3.0]


async def test_tables_are_sorted_by_each_column_and_the_other_way(done, until, text_of) -> None:
    rows = [["b", 0.5, 3], ["C", None, 2], ["a", 0.75, 1], ["d", 0.25, 4]]
    report = json.loads(done.report.path.read_text())
    view = Table("Classes", ["class", "f1", "samples"], rows).record()
    done.report.path.write_text(json.dumps(report | {"views": [view]}))
    app = DltuiApp(done.id)
    async with app.run_test(size=(80, 24)) as pilot:

        def order() -> str:
            found = app.screen.query_one(TableView)
            return "".join(row[0] for _, row in found.items)

        await until(pilot, lambda: "Classes" in text_of(pilot))
        await pilot.press("2")
        await until(pilot, lambda: order() == "bCad")
        for key, expected in (("o", "abdC"), ("O", "dbaC"), ("o", "dbCa"), ("o", "abCd")):
            await pilot.press(key)
            await until(pilot, lambda expected=expected: order() == expected)
        assert "class▲" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Classes, row 3" in text_of(pilot))
        assert "0.7500" in text_of(pilot)
