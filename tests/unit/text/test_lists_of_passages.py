"""Lists of passages in a row, which become columns."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.tasks.embedding import EmbeddingConfig
from engine.data.raw import RawData
from engine.text.pairs.listed_passages import columns_of_lists, without_lists

TEXTS = pa.list_(pa.string())


def read(lists: list[Any], name: str = "neg", test: list[Any] | None = None) -> RawData:
    splits = {"train": lists} | ({} if test is None else {"test": test})
    tables = {
        split: pa.table({"query": [str(i) for i in range(len(own))], name: pa.array(own, TEXTS)})
        for split, own in splits.items()
    }
    return without_lists(RawData(tables), EmbeddingConfig())


@given(st.lists(st.lists(st.text(max_size=4), max_size=5), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_every_row_has_as_many_negatives_as_the_shortest_list_that_has_any(
    lists: list[list[str]],
) -> None:
    raw = read(lists)
    width = min((len(own) for own in lists if own), default=1)
    names = [f"neg_{place + 1}" for place in range(width)]
    assert raw.train.column_names == ["query", *names]
    rows = [[row[name] for name in names] for row in raw.train.to_pylist()]
    assert rows == [[*own[:width], *[None] * (width - len(own))] for own in lists]
    [note] = raw.notes
    cut = sum(len(own) > width for own in lists)
    assert (note.rows, note.kind) == ((cut, "dropped") if cut else (None, "converted"))


def test_each_positive_of_a_list_is_a_row() -> None:
    raw = read([["a", "b"], ["c"], [], ["d", "e", "f"]], "pos")
    assert raw.train["pos"].to_pylist() == ["a", "b", "c", None, "d", "e", "f"]
    assert raw.train["query"].to_pylist() == ["0", "0", "1", "2", "3", "3", "3"]
    [note] = raw.notes
    assert (note.why, note.rows, note.kind) == (
        "lists of up to 3 texts: each is a row, 3 more than lists", 3, "converted"
    )  # fmt: skip


def test_negatives_stand_beside_each_positive() -> None:
    table = pa.table({
        "query": ["0", "1"],
        "pos": pa.array([["a", "b"], ["c"]], TEXTS),
        "neg": pa.array([["x"], ["y", "z"]], TEXTS),
    })  # fmt: skip
    raw = without_lists(RawData({"train": table}), EmbeddingConfig())
    rows = [tuple(row.values()) for row in raw.train.to_pylist()]
    assert rows == [("0", "a", "x"), ("0", "b", "x"), ("1", "c", "y")]
    assert [note.rows for note in raw.notes if note.read_as == "negative"] == [1]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("neg", ["query", "neg_1", "neg_2"]),
        ("Negatives", ["query", "Negatives_1", "Negatives_2"]),
        ("hard_negs_passage", ["query", "hard_negs_passage_1", "hard_negs_passage_2"]),
        ("positives", ["query", "positives"]),
        ("POS", ["query", "POS"]),
        ("posts", ["query", "posts"]),
        ("negation", ["query", "negation"]),
        ("passages", ["query", "passages"]),
    ],
)
def test_lists_are_told_by_the_whole_of_their_names(name: str, columns: list[str]) -> None:
    raw = read([["a", "b"], ["c", "d"]], name)
    assert raw.train.column_names == columns
    untouched = name in ("posts", "negation", "passages")
    assert pa.types.is_list(raw.train[name].type) if untouched else len(raw.notes) == 1


def test_other_splits_have_the_columns_of_training() -> None:
    raw = read([["a", "b"], ["c", "d"]], test=[["e"], ["f", "g", "h"], None])
    test = raw.splits["test"]
    assert test["neg_1"].to_pylist() == ["e", "f", None]
    assert test["neg_2"].to_pylist() == [None, "g", None]
    [note] = raw.notes
    assert note.why == "lists of up to 3 texts: the first 2 of each are read"


@pytest.mark.parametrize("written", [json.dumps, str])
def test_lists_that_are_written_as_text_are_lists(written: Any) -> None:
    table = pa.table({"query": ["1", "2"], "neg": [written(["a", "it's"]), written(["c", "d"])]})
    raw = without_lists(RawData({"train": table}), EmbeddingConfig())
    assert raw.train["neg_2"].to_pylist() == ["it's", "d"]


@pytest.mark.parametrize(
    "column",
    [pa.array(["one text", "another"]), pa.array([[1, 2], [3]]), pa.array([[["a"]], [["b"]]])],
)
def test_columns_of_anything_else_stay(column: Any) -> None:
    raw = RawData({"train": pa.table({"query": ["1", "2"], "neg": column})})
    assert without_lists(raw, EmbeddingConfig()) is raw


def test_a_column_that_has_the_name_of_one_from_a_list_stays() -> None:
    table = pa.table(
        {"neg": pa.array([["a"], ["b"]], TEXTS), "neg_1": ["x", "y"], "query": [*"pq"]}
    )
    raw = without_lists(RawData({"train": table}), EmbeddingConfig())
    assert raw.train.to_pydict() == {"neg_2": ["a", "b"], "neg_1": ["x", "y"], "query": ["p", "q"]}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("neg",), ("neg_1", "neg_2")),
        (("hard", "neg"), ("hard", "neg_1", "neg_2")),
        (("missing",), ("missing",)),  # for a message that names it
        (("n.g",), ("n.g",)),  # a name is no pattern
        ((), ()),
    ],
)
def test_names_of_lists_stand_for_their_columns(
    names: tuple[str, ...], found: tuple[str, ...]
) -> None:
    table = pa.table({"neg_1": ["a"], "neg_2": ["b"], "neg_x": ["c"], "hard": ["d"]})
    assert columns_of_lists(table, names) == found
