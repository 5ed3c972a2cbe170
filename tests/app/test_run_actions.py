"""What is done with a finished run is done by the same keys on each of its screens."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.queue import entries
from engine.runs.directory import RunDirectory
from engine.service.predict import answer
from engine.service.saved_predictions import answer as save
from tui.app import DltuiApp
from tui.screens.dialogs.actions import actions_of
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.errands import Errands, errands_of
from tui.screens.queue import QueueScreen
from tui.screens.registry import make_screen
from tui.screens.results.screen import ResultsScreen
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.form.path_picker import PathPickerScreen
from tui.widgets.input_rows import InputRows
from tui.widgets.listing import Listing

KEYS = {
    "Save predictions": "F", "Export the model": "X", "Write a report": "R",
    "Push to the hub (upload)": "U", "Benchmarks (eval)": "B", "Queue": "Q",
    "Sweeps": "W",
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder shared by the module: its runs are trained once."""
    monkeypatch.setenv("DLTUI_HOME", str(trained_home))
    return trained_home


@pytest.fixture
def customers(trained: Any, trained_home: Path) -> RunDirectory:
    path = trained_home / "customers.csv"
    rows = [f"C{i:03},{20 + i % 50},{'yes' if i % 3 else 'no'}" for i in range(90)]
    path.write_text("id,age,churned\n" + "\n".join(rows) + "\n")
    return trained(
        "customers",
        {
            "task": {"kind": "tabular_classification", "target": "churned", "ignore": ["id"]},
            "data": {"kind": "file", "path": str(path)},
            "model": {"kind": "mlp"},
            "train": {"max_steps": 4},
        },
    )


@pytest.fixture
def sales(trained: Any, trained_home: Path) -> RunDirectory:
    path = trained_home / "sales.csv"
    rows = [f"{shop},2024-{1 + i // 28:02}-{1 + i % 28:02},{i % 7}" for shop in "ab"
            for i in range(112)]  # fmt: skip
    path.write_text("shop,day,sales\n" + "\n".join(rows) + "\n")
    return trained(
        "sales",
        {
            "task": {"kind": "forecasting", "window": 14, "horizon": 3},
            "data": {"kind": "file", "path": str(path)},
            "model": {"kind": "dlinear"},
            "train": {"max_steps": 2},
        },
    )


async def typed(pilot: Pilot[Any], until: Any, path: Path) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, PathPickerScreen))
    pilot.app.screen.query_one(Input).value = str(path)
    await pilot.press("enter")


@pytest.mark.parametrize("screen", ["runs", "monitor", "results"])
async def test_each_screen_of_a_run_has_the_actions_as_keys_and_in_the_palette(
    screen, customers, until
) -> None:
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        if screen != "runs":
            app.push_screen(make_screen(screen, customers))
            await pilot.pause()
        found = {name: active[0].binding.key for name, active in actions_of(app.screen).items()}
        assert KEYS.items() <= found.items()
        palette = {command.title for command in app.get_system_commands(app.screen)}
        assert KEYS.keys() <= palette


async def test_predictions_of_a_file_are_saved_with_ids_and_names(
    customers, trained_home, tmp_path, until, text_of
) -> None:
    target = tmp_path / "out.csv"
    app = DltuiApp(customers.id)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        await pilot.press("F")
        await typed(pilot, until, trained_home / "customers.csv")
        await until(pilot, lambda: "Save predictions" in text_of(pilot))
        assert app.screen.query_one(Input).value == "./customers-predictions.csv"
        await typed(pilot, until, target)
        await until(pilot, lambda: "Predicting" in text_of(pilot))
        await pilot.press("escape")  # it continues without the screen
        await until(pilot, lambda: "90 rows of predictions" in text_of(pilot))
        assert "Predicting" not in text_of(pilot)
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    records = answer(customers.id, file=str(trained_home / "customers.csv"))["records"]
    assert [row["id"] for row in rows] == [f"C{i:03}" for i in range(90)]
    assert list(rows[0])[:4] == ["id", "age", "churned", "label"]
    assert [row["label"] for row in rows] == [record["label"] for record in records]
    for row, record in zip(rows, records, strict=True):
        assert float(row["score yes"]) == pytest.approx(record["scores"]["yes"])


@pytest.mark.slow
async def test_the_future_of_each_series_is_saved(sales, tmp_path, until, text_of) -> None:
    target = tmp_path / "out.csv"
    app = DltuiApp(sales.id)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, ChoiceScreen))
        await pilot.press("enter")
        await typed(pilot, until, target)
        await until(pilot, lambda: "6 rows of predictions" in text_of(pilot))
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["shop"], row["day"]) for row in rows] == [
        (shop, day) for shop in "ab" for day in ("2024-04-29", "2024-04-30", "2024-05-01")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("apart", [True, False], ids=["a file of the future", "the same file"])
async def test_a_forecast_is_saved_with_what_is_known_ahead(
    trained, trained_home, tmp_path, until, text_of, apart
) -> None:
    days = [f"2024-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(112)]
    past, future = trained_home / "prices.csv", trained_home / "ahead.csv"
    rows = [f"{day},{i % 7},{i % 5}" for i, day in enumerate(days)]
    past.write_text("day,sales,price\n" + "\n".join(rows) + "\n")
    coming = [f"2024-04-{29 + i},{i}" for i in range(2)]
    future.write_text("day,price\n" + "\n".join(coming) + "\n")
    task = {"kind": "forecasting", "window": 14, "horizon": 2, "targets": ["sales"]}
    values = {
        "task": task | {"known_future": ["price"]},
        "data": {"kind": "file", "path": str(past)},
        "model": {"kind": "dlinear"},
        "train": {"max_steps": 2},
    }
    run = trained("prices", values)
    both = tmp_path / "both.csv"
    both.write_text(past.read_text() + "".join(line.replace(",", ",,") + "\n" for line in coming))
    target = tmp_path / "out.csv"
    app = DltuiApp(run.id)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        await pilot.press("F")
        await until(pilot, lambda: "Forecast by" in text_of(pilot))
        await pilot.press("enter" if apart else "down", *[] if apart else ["enter"])
        if not apart:
            await typed(pilot, until, both)
        await until(pilot, lambda: "price of the horizon" in text_of(pilot))
        await pilot.press("enter" if apart else "down", *[] if apart else ["enter"])
        if apart:
            await typed(pilot, until, future)
        await until(pilot, lambda: "Save predictions to" in text_of(pilot))
        await typed(pilot, until, target)
        await until(pilot, lambda: "2 rows of predictions" in text_of(pilot))
    with target.open(newline="") as file:
        assert [row["day"] for row in csv.DictReader(file)] == ["2024-04-29", "2024-04-30"]


@pytest.mark.parametrize(("name", "problem"), [("a.txt", "no format"), ("b.csv", "already")])
def test_predictions_are_not_written_over_a_file_nor_in_other_formats(
    name, problem, customers, trained_home, tmp_path
) -> None:
    (tmp_path / "b.csv").write_text("mine")
    with pytest.raises(UserError, match=problem):
        save(customers.id, str(tmp_path / name), str(trained_home / "customers.csv"))
    assert (tmp_path / "b.csv").read_text() == "mine"


def test_only_forecasts_continue_their_data(customers, tmp_path) -> None:
    with pytest.raises(UserError, match="Name a file of rows"):
        save(customers.id, str(tmp_path / "out.csv"))


async def test_a_report_is_written(customers, tmp_path, until) -> None:
    target = tmp_path / "page.md"
    app = DltuiApp(customers.id)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        await pilot.press("R")
        await typed(pilot, until, target)
        await until(pilot, lambda: f"{target} is written." in [m.text for m in app.messages])
    assert target.read_text().startswith("# customers")


async def test_benchmarks_are_offered_for_language_models_alone(customers, until) -> None:
    app = DltuiApp(customers.id)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        await pilot.press("B")
        await until(pilot, lambda: app.messages)
        assert "is not a language model" in app.messages[0].text
        assert isinstance(app.screen, ResultsScreen)


async def test_a_run_without_a_model_says_so(make_run, training, until, text_of) -> None:
    run = make_run("bare", training())
    app = DltuiApp()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.push_screen(make_screen("results", run))
        await pilot.press("X")
        await until(pilot, lambda: "has no finished model" in text_of(pilot))


async def test_leaving_the_program_asks_while_something_is_running(until, text_of) -> None:
    app = DltuiApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        errands_of(app).do("Exporting a model", lambda _: ["done"], wait_for_the_end)
        await until(pilot, lambda: "Exporting a model" in text_of(pilot))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "Quit and cancel it?" in text_of(pilot)
        assert isinstance(app.errands, Errands)
        await pilot.press("y")


def wait_for_the_end(advisor: Any) -> dict[str, Any]:
    """Wait for a helper process, which the end of the program ends."""
    return advisor.ask("predict", run="there is none")


async def test_the_queue_is_ordered_started_from_its_head_and_emptied(until, text_of) -> None:
    config = RunConfig.parse({
        "name": "later", "task": {"kind": "image_classification"},
        "data": {"kind": "builtin"}, "model": {"kind": "cnn"},
    })  # fmt: skip
    runs = [entries.add(config).id for _ in range(3)]
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("Q")
        await until(pilot, lambda: isinstance(app.screen, QueueScreen))
        await until(pilot, lambda: "not started   3 waiting" in text_of(pilot))
        await pilot.press("J")
        order = [runs[1], runs[0], runs[2]]
        listing = app.screen.query_one(Listing)
        await until(pilot, lambda: [row.run for row in listing.items] == order)
        assert listing.current.run == runs[0], "the cursor stays on its run"
        await pilot.press("d")
        await until(pilot, lambda: "2 waiting" in text_of(pilot))
    assert [entry.run.id for entry in entries.entries()] == [runs[1], runs[2]]
    for entry in entries.entries():
        entries.remove(entry.run.id)


async def test_a_tried_model_stays_loaded_while_the_program_is_open(customers, until) -> None:
    app = DltuiApp(customers.id)
    async with app.run_test(size=(80, 24)) as pilot:
        helpers = []
        for _ in range(2):
            await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
            await pilot.press("t")
            await until(pilot, lambda: app.screen.query(InputRows))
            helpers.append(errands_of(app).models._process)
            await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        assert helpers[0] is helpers[1]
        assert helpers[0] is not None
        assert helpers[0].poll() is None
        app._leave()
    assert helpers[0].poll() is not None, "it ends with the program"
