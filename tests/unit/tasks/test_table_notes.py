"""Notes on tables: columns and values that are read otherwise, left out, or do not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from engine.data.lost_splits import refuse_lost
from engine.data.raw import TEST, with_decimal_mark
from engine.data.tables.column_notes import column_notes
from engine.data.tables.columns import detect_columns
from engine.errors import DataError
from engine.reports.note import Note

Make = Callable[..., Any]
CLASSES, NUMBERS = "tabular_classification", "tabular_regression"
COUNT = 40
ROWS: dict[str, list[Any]] = {
    "price": [f"{1000 + 37 * i:,}" for i in range(COUNT)],
    "day": [f"{day:02}.{month:02}.2024" for day in range(13, 23) for month in range(1, 5)],
    "open": [f"{day:02}/{day % 7 + 1:02}/2024" for day in range(1, 11)] * 4,
    "colour": ["red", "blue"] * 20,
    "same": [7] * COUNT,
    "bought": ["True", "False"] * 20,
}


def noted(prepared: Any, **wanted: Any) -> list[Note]:
    notes = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted).notes
    return [note for note in notes if all(getattr(note, k) == value for k, value in wanted.items())]


def test_numbers_in_a_format_are_told_with_an_example(prepare: Make) -> None:
    [note] = noted(prepare(CLASSES, ROWS), column="price", kind="converted", read_as="numbers")
    assert (note.kind, note.read_as, note.rows) == ("converted", "numbers", COUNT)
    assert note.why == "numbers are written like 1,234.5, such as 1,000"
    assert note.change == "data.columns.price=categorical"


def test_the_order_of_day_and_month_is_told_and_doubted_where_both_fit(prepare: Make) -> None:
    prepared = prepare(CLASSES, ROWS)
    [settled] = noted(prepared, column="day")
    assert (settled.kind, settled.why) == (
        "converted", "dates are read in the format %d.%m.%Y, such as 13.01.2024",
    )  # fmt: skip
    [doubt] = noted(prepared, column="open")
    assert doubt.kind == "doubt"
    assert "the other order fits as well" in doubt.why


def test_columns_left_out_are_told_with_their_reason(prepare: Make) -> None:
    [note] = noted(prepare(CLASSES, ROWS), column="same")
    assert (note.kind, note.why, note.rows) == ("dropped", "always the same", COUNT)
    assert note.change == ""


def test_many_columns_left_out_for_one_reason_share_a_note(prepare: Make) -> None:
    rows = ROWS | {f"same{i}": [1] * COUNT for i in range(8)}
    [note] = noted(prepare(CLASSES, rows, target="bought"), kind="dropped")
    assert note.column == "9 columns"
    assert note.why.endswith("and 5 more")


def test_a_column_left_out_by_choice_is_no_news(prepare: Make) -> None:
    assert noted(prepare(CLASSES, ROWS, ignore=["same"]), column="same") == []


def test_values_that_do_not_fit_are_counted_by_split_and_column(prepare: Make) -> None:
    rows = ROWS | {"price": [*ROWS["price"][:-1], "n. v."]}
    test = {name: values[:4] for name, values in rows.items()} | {
        "price": ["1,000", "cheap", "dear", None],
        "day": ["14.02.2024", "soon", "15.03.2024", "16.03.2024"],
        "colour": ["red", "pink", "blue", None],
    }
    doubts = noted(prepare(CLASSES, rows, test=test), kind="doubt")
    found = {(note.column, note.rows, note.read_as): note.why for note in doubts}
    assert ("price", 1, "missing") in found
    assert found["price", 2, "missing"] == (
        "2 values of test are not a number such as 1,234.5, the first 'cheap'"
    )
    assert found["day", 1, "missing"].startswith("1 value of test is not a date")
    assert found["colour", 1, "unknown category"].endswith("the first 'pink'")


@pytest.mark.parametrize(
    ("train", "test", "read"),
    [
        (["True", "False"], ["1", "0", "0"], ["True", "False", "False"]),
        (["yes", "no"], ["F", "T", "t"], ["no", "yes", "yes"]),
        (["0", "1"], ["True", "false", "Y"], ["1", "0", "1"]),
    ],
)
def test_labels_that_are_truth_values_in_another_spelling_are_matched(
    prepare: Make, train: list[str], test: list[str], read: list[str]
) -> None:
    later = {name: values[:3] for name, values in ROWS.items()} | {"bought": test}
    prepared = prepare(CLASSES, ROWS | {"bought": train * 20}, test=later)
    assert prepared.raw.splits[TEST]["bought"].to_pylist() == read
    [note] = noted(prepared, column="bought")
    assert (note.kind, note.rows) == ("doubt", 3)
    assert f"{test[0]} is {read[0]}" in note.why


def test_labels_beside_a_third_class_are_not_taken_for_truth_values(pipeline: Make) -> None:
    classes = ["True", "False", "unknown", "True"] * 10
    later = {name: values[:2] for name, values in ROWS.items()} | {"bought": ["1", "0"]}
    raw = pipeline(CLASSES, ROWS | {"bought": classes}, test=later).load()
    assert TEST not in raw.splits
    assert [note.column for note in raw.notes if note.kind == "lost"] == [TEST]


@pytest.mark.parametrize(
    ("later", "why"),
    [
        ({"bought": ["maybe"] * 3}, "no row of test has a bought that training rows have"),
        ({"answer": [1] * 3}, "test has no column bought and is left out"),
        ({"bought": [None] * 3}, "test has no value of bought and is left out"),
    ],
)
def test_a_split_that_loses_every_row_is_noted_and_refused_where_it_was_given(
    pipeline: Make, later: dict[str, list[Any]], why: str
) -> None:
    rows = {name: values[:3] for name, values in ROWS.items() if name != "bought"} | later
    made = pipeline(CLASSES, ROWS, test=rows)
    raw = made.load()
    [note] = [note for note in raw.notes if note.kind == "lost"]
    assert note.why.startswith(why)
    found = made.config.data.model_copy(update={"test_path": ""})
    assert refuse_lost(raw, found) is raw
    given = made.config.data.model_copy(update={"test_path": "later.csv"})
    with pytest.raises(DataError, match=f"data.test_path: {why}"):
        refuse_lost(raw, given)


def test_a_target_of_numbers_in_a_format_is_told(prepare: Make) -> None:
    rows = ROWS | {"bought": [f"{i},5" for i in range(COUNT)]}
    [note] = noted(prepare(NUMBERS, rows), column="bought")
    assert (note.kind, note.why) == ("converted", "numbers are written like 1234,5")


def test_letters_for_the_size_of_numbers_are_told(prepare: Make) -> None:
    sizes = {"price": ["1.5M", "30K"] * 20, "bought": [f"{i}.5K" for i in range(COUNT)]}
    notes = noted(prepare(NUMBERS, ROWS | sizes), kind="converted", read_as="numbers")
    assert {(note.column, note.why) for note in notes} >= {
        ("price", "1.5M is read as 1,500,000"),
        ("bought", "0.5K is read as 500"),
    }


def test_a_target_that_may_be_thousands_is_settled_by_the_named_setting(prepare: Make) -> None:
    rows = ROWS | {"bought": [f"{i + 1},250" for i in range(COUNT)]}
    [note] = noted(prepare(NUMBERS, rows), column="bought", kind="doubt")
    assert note.change == 'data.columns.bought="numeric 1.234,5"'


def test_whole_numbers_in_a_file_of_decimal_commas_are_no_news() -> None:
    table = with_decimal_mark(pa.table({"rooms": [3, 4] * 20, "size": [0.5, 1.5] * 20}), ",")
    columns = detect_columns(table)
    notes = list(column_notes(columns, {"rooms", "size"}, table, lambda *_: ""))
    assert [note.column for note in notes] == ["size"]


def test_infinite_numbers_are_told_as_missing() -> None:
    table = pa.table({"ratio": [float("inf"), 0.5, 1.5, None] * 10})
    columns = detect_columns(table)
    [note] = column_notes(columns, {"ratio"}, table, lambda name, type: f"{name}={type}")
    assert (note.column, note.read_as, note.rows) == ("ratio", "missing", 10)
    assert note.why == "infinite numbers count as missing"
