"""Texts, ids and lists as numbers: what they say of the target, and no row's own target in it."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from engine.config.data.columns import parse_setting
from engine.data.tables.columns import detect_columns
from engine.data.tables.features import encode_rows, fit_features, with_scores
from engine.data.tables.lists import find_separator, list_parts
from engine.data.tables.schema import Column, Features
from engine.data.tables.scores import folds_of
from engine.data.tables.unfit import unfit_values
from engine.data.tables.written_lists import written_items

RANDOM = np.random.default_rng(0)


def learned(table: pa.Table, target: np.ndarray, **settings: str) -> Features:
    given = {name: parse_setting(text) for name, text in settings.items()}
    features = fit_features(table, detect_columns(table, given), "auto")
    return with_scores(features, table, {"y": target - target.mean()})


def part(features: Features, table: pa.Table, column: str, name: str) -> np.ndarray:
    """One part of a column, encoded in pieces of other sizes, in units of its mean and spread."""
    at = [(f.column, f.part) for f in features.numeric].index((column, name))
    numbers = np.concatenate(
        [encode_rows(features, table.slice(i, 70))[0] for i in range(0, table.num_rows, 70)]
    )
    return np.asarray(numbers[:, at] * features.numeric[at].std + features.numeric[at].mean)


def ids(rows: int, effect: float) -> tuple[pa.Table, np.ndarray]:
    who = RANDOM.integers(0, 300, rows)
    x = RANDOM.normal(size=rows)
    size = np.sin(np.arange(300) * 7.3)
    target = effect * size[who] + RANDOM.normal(size=rows)
    return pa.table({"x": x, "who": [f"u{number}" for number in who]}), target


def test_ids_that_mean_nothing_have_scores_that_do_not_know_the_target() -> None:
    table, target = ids(2000, effect=0.0)
    scores = part(learned(table, target, who="id"), table, "who", "score y")
    # With its own target in it, a mean of seven rows has a correlation of about 0.4.
    assert abs(np.corrcoef(scores, target)[0, 1]) < 0.08


def test_ids_that_mean_something_have_scores_that_hold_on_later_rows() -> None:
    table, target = ids(4000, effect=2.0)
    features = learned(table, target, who="id")
    later, truth = ids(2000, effect=2.0)
    for rows, wanted in ((table, target), (later, truth)):
        scores = part(features, rows, "who", "score y")
        assert np.corrcoef(scores, wanted)[0, 1] > 0.6
    unknown = pa.table({"x": [0.5], "who": ["somebody else"]})
    assert part(features, unknown, "who", "score y") == pytest.approx(0, abs=1e-3)


def test_the_score_of_an_id_is_its_mean_in_the_other_folds_shrunk_by_ten_rows() -> None:
    table, target = ids(1000, effect=2.0)
    features = learned(table, target, who="id")
    numbers, codes = encode_rows(features, table)
    folds = folds_of(numbers[:, :1], codes, table.select(["who"]))
    who, centred = np.array(table["who"].to_pylist()), target - target.mean()
    expected = [
        centred[(who == name) & (folds != fold)].sum()
        / (((who == name) & (folds != fold)).sum() + 10)
        for name, fold in zip(who, folds, strict=True)
    ]
    # Ids that share a bucket share their score; few of 300 in 32,768 do.
    close = np.isclose(part(features, table, "who", "score y"), expected, atol=5e-3)
    assert close.mean() > 0.97


def test_a_fold_does_not_depend_on_the_rows_beside() -> None:
    numbers = RANDOM.normal(size=(50, 2)).astype(np.float32)
    codes = RANDOM.integers(0, 4, (50, 1))
    cells = pa.table({"text": [f"some text {i}" for i in range(50)]})
    whole = folds_of(numbers, codes, cells)
    assert set(whole) == {0, 1, 2, 3, 4}
    alone = [
        folds_of(numbers[i : i + 1], codes[i : i + 1], cells.slice(i, 1))[0] for i in range(50)
    ]
    assert whole.tolist() == alone


def test_free_text_is_scored_by_its_words_and_their_parts() -> None:
    nouns, moods = ["film", "plot", "music", "cast"], ["wonderful", "dreadful"]
    good = RANDOM.integers(0, 2, 400)
    texts = [
        f"number {i} has a {nouns[i % 4]} that is {moods[1 - g]} as I said"
        for i, g in enumerate(good)
    ]
    table = pa.table({"text": texts})
    features = learned(table, good.astype(float))
    [column] = features.columns
    assert (column.type, column.usable) == ("text", True)
    later = pa.table({"text": ["it was wonderfull", "dreadfuly long", None, "words never seen"]})
    scores = part(features, later, "text", "score y")
    assert scores[0] > 0.1
    assert scores[1] < -0.1
    assert np.abs(scores[2:]).max() < 0.1
    assert [f.part for f in features.numeric[1:3]] == ["dimension 1", "dimension 2"]


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        ([f"{a}|{b}" for a in "abcde" for b in "fghij"], "|"),
        ([f"{a}, {b}" for a in "abcde" for b in "fghij"], ","),
        ([f"name{i}, first{i % 9}" for i in range(60)], ""),  # most items are in one cell alone
        ([f"we went there, it was {i} years ago, and so on" for i in range(60)], ""),
        (["a|b", "a|c", "b|c"], ""),  # few different cells are categories
        ([f"{i / 7:.3f}".replace(".", ",") for i in range(60)], ""),
    ],
)
def test_cells_are_lists_where_their_items_come_again(values: list[str], separator: str) -> None:
    assert find_separator(values) == separator


def test_each_frequent_item_of_a_list_is_a_number() -> None:
    cells = ["red; blue", " blue ;", None, "", "green;red;red", "violet"]
    column = pa.chunked_array([cells[:2], cells[2:]], pa.string())
    parts = list_parts(column, ";", ["blue", "red"])
    assert {name: values.tolist() for name, values in parts.items()} == {
        "has blue": [1, 1, 0, 0, 0, 0],
        "has red": [1, 0, 0, 0, 1, 0],
        "items": [2, 1, 0, 0, 3, 1],
    }
    nested = pa.chunked_array([pa.array([["red", "blue"], None, ["blue", None]])])
    assert list_parts(nested, "", ["blue"])["has blue"].tolist() == [1, 0, 1]
    assert list_parts(nested, ";", ["blue"])["has blue"].tolist() == [1, 0, 1]
    nothing = pa.chunked_array([pa.nulls(2)])
    assert list_parts(nothing, ";", ["blue"])["items"].tolist() == [0, 0]
    assert list_parts(column, "", ["violet"])["has violet"].tolist() == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ('["red, dark", "blue"]', ["red, dark", "blue"]),
        ("['red', 'blue']", ["red", "blue"]),
        ("[1, 2.0, true, null]", ["1", "2", "true", None]),
        ("[red, blue]", ["red", "blue"]),
        ("['red', None, True]", ["red", None, "true"]),
        ("['red' 'blue']", ["red", "blue"]),
        ("[]", []),
        ("[draft] and [final]", None),
        ('{"red": 1}', None),
        ("[" * 9999 + "]", None),
    ],
)
def test_a_cell_written_as_a_list_has_the_items_of_that_list(
    cell: str, items: list[str | None] | None
) -> None:
    assert written_items(cell) == items


def test_lists_mean_the_same_in_a_format_that_has_none() -> None:
    rows = [["red", "dark blue"], None, ["blue", None], []]
    typed = pa.chunked_array([pa.array(rows)])
    written = pa.chunked_array([[None if row is None else json.dumps(row) for row in rows]])
    for separator in ("", ";"):
        parts = [list_parts(column, separator, ["blue", "red"]) for column in (typed, written)]
        assert [{name: part[name].tolist() for name in part} for part in parts] == [
            {"has blue": [0, 0, 1, 0], "has red": [1, 0, 0, 0], "items": [2, 0, 1, 0]}
        ] * 2


def test_later_lists_without_a_known_item_are_counted() -> None:
    columns = [Column(name="colours", type="list", separator=";", items=["red", "blue"])]
    features = Features(columns=columns, numeric=[], categorical=[])
    later = pa.table({"colours": ["red;green", "pink", None, "", "pink", "grey; black"]})
    [note] = unfit_values(features, later)
    assert (note.rows, note.column, note.read_as) == (3, "colours", "unknown items")
    assert note.why == "3 values are without any of the items that are known, the first 'pink'"
    nested = pa.table({"colours": [["red"], ["pink", "grey"], [], None]})
    assert [note.rows for note in unfit_values(features, nested, "test")] == [1]
    assert list(unfit_values(features, nested, "train")) == []


def test_lists_of_files_are_found_and_those_that_are_set_are_taken() -> None:
    colours = ["red", "blue", "green", "black", "white", "grey", "pink"]
    cells = [f"{a}|{b}|{c}" for a in colours for b in colours for c in colours]
    table = pa.table({"found": cells, "set": ["x/y"] * 171 + ["y"] * 172,
                      "nested": [[i % 3, i % 5] for i in range(343)]})  # fmt: skip
    columns = detect_columns(table, {"set": parse_setting("list /")})
    assert [(c.type, c.separator, c.usable) for c in columns] == [
        ("list", "|", True), ("list", "/", True), ("list", "", True),
    ]  # fmt: skip
    assert [c.items for c in columns] == [
        sorted(colours, key=lambda item: (-1, item)), ["y", "x"], ["0", "1", "2", "3", "4"],
    ]  # fmt: skip
