"""Tables in JSON documents: each form that programs write, and documents that hold none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.data.readers.base import read_file
from engine.data.readers.json import split_named
from engine.data.readers.reading import Reading, ReadOptions
from engine.errors import DataError

FRAME = pd.DataFrame({"city": ["Ulm", "Rom", "Oslo"], "size": [126.0, 2761.5, 709.0]})


def read(folder: Path, content: Any, name: str = "a.json", **options: Any) -> Reading:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_file(path, ReadOptions(**options))


@pytest.mark.parametrize("orient", ["records", "columns", "index", "split", "table"])
def test_every_form_that_pandas_writes_is_the_same_table(tmp_path: Path, orient: Any) -> None:
    table = read(tmp_path, FRAME.to_json(orient=orient)).table
    assert table.to_pydict() == FRAME.to_dict(orient="list")


def test_lines_that_pandas_writes_are_the_same_table(tmp_path: Path) -> None:
    lines = FRAME.to_json(orient="records", lines=True)
    assert read(tmp_path, lines, "a.jsonl").table.to_pydict() == FRAME.to_dict(orient="list")
    assert read(tmp_path, lines).table.to_pydict() == FRAME.to_dict(orient="list")


def test_conversations_without_a_name_are_a_column_of_messages(tmp_path: Path) -> None:
    talks = [[{"role": "user", "content": str(number)}] for number in range(2)]
    from_sides = [[{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]] * 2
    for rows in (talks, from_sides):
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        for reading in (read(tmp_path, rows), read(tmp_path, lines, "a.jsonl")):
            assert reading.table.to_pydict() == {"messages": rows}


def test_lists_in_place_of_objects_are_told_by_their_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 2: .* is not an object"):
        read(tmp_path, [{"a": 1}, [{"role": "user"}, {"text": "x"}]])


def test_a_table_of_pandas_without_row_numbers_has_all_of_its_columns(tmp_path: Path) -> None:
    content = {"schema": {"primaryKey": ["index"]}, "data": [{"a": 1}, {"a": 2}]}
    assert read(tmp_path, content).table.to_pydict() == {"a": [1, 2]}


def test_a_column_called_index_that_is_no_row_number_stays(tmp_path: Path) -> None:
    content = {"schema": {"primaryKey": ["a"]}, "data": [{"index": 5, "a": 1}]}
    assert read(tmp_path, content).table.to_pydict() == {"index": [5], "a": [1]}


def test_columns_of_one_name_are_all_kept_and_renamed_with_a_note(tmp_path: Path) -> None:
    reading = read(tmp_path, {"columns": ["a", "b", "a"], "data": [[1, 2, 3], [4, 5, 6]]})
    assert reading.table.to_pydict() == {"a": [1, 4], "b": [2, 5], "a_2": [3, 6]}
    assert [note.why for note in reading.notes] == ["column 3 of a.json, 'a', is called a_2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"columns": ["a", "b"], "data": [[1, 2], [3]]}, "a.json, row 2: 1 cell instead of 2"),
        ({"columns": ["a"], "data": [[1], [2, 3]]}, "a.json, row 2: 2 cells instead of 1"),
        ({"columns": 5, "data": [[1]]}, "columns is not a list of names"),
        ({"train": {"a": [1, 2], "b": [1]}}, "train is not a table: its columns should have"),
        ({"a": [1, 2], "b": [1]}, "holds no table"),
        ([1, 2, 3], "row 1: '1' is not an object"),
        ([{"a": 1}, [2]], r"row 2: '\[2\]' is not an object"),
        ([], "has no rows"),
        ({}, "holds no table"),
        ("null", "holds no table"),
        ('{"a": ', "is not JSON"),
        ({"test": [{"a": 1}]}, "has no training rows"),
    ],
)
def test_a_document_without_a_table_is_refused_in_a_sentence(
    tmp_path: Path, content: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize("levels", [20, 300, 20_000])
def test_deep_nesting_is_a_table_or_a_sentence(tmp_path: Path, levels: int) -> None:
    content = f'[{{"a": {"[" * levels}1{"]" * levels}}}]'
    for name in ("a.json", "a.jsonl"):
        text = content if name == "a.json" else content[1:-1]
        if levels < 100:
            assert read(tmp_path, text, name).table.num_rows == 1
        else:
            with pytest.raises(DataError):
                read(tmp_path, text, name)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=8),
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), SCALARS), min_size=1, max_size=6))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_row_and_no_value_is_lost(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    if not any(records):
        return
    names = {name for record in records for name in record}
    table = read(tmp_path, records).table
    assert table.num_rows == len(records)
    assert set(table.column_names) == names
    for name in names:
        wanted = [record.get(name) for record in records]
        found = table[name].to_pylist()
        assert [cell is None for cell in found] == [cell is None for cell in wanted]
        kinds = {type(cell) for cell in wanted if cell is not None}
        if len(kinds) == 1:
            assert found == wanted
        elif kinds <= {int, float}:
            assert found == pytest.approx(wanted) or list(map(str, found)) == list(map(str, wanted))
        else:  # values of several types are texts
            assert found == [None if cell is None else str(cell) for cell in wanted]


@pytest.mark.parametrize("cells", [["0.5", "true"], ["true", "0.5"]])
def test_truth_values_beside_numbers_are_texts_in_either_order(
    tmp_path: Path, cells: list[str]
) -> None:
    table = read(tmp_path, f'[{{"x": {cells[0]}}}, {{"x": {cells[1]}}}]').table
    assert table["x"].to_pylist() == [cell.replace("true", "True") for cell in cells]


@pytest.mark.parametrize(
    ("value", "text"), [("1.50", "1.50"), ("true", "true"), ("1e3", "1e3"), ("0.10", "0.10")]
)
@pytest.mark.parametrize("options", [{"as_written": True}, {"texts": frozenset({"code"})}])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_numbers_are_spelled_as_in_the_document_where_texts_are_wanted(
    tmp_path: Path, value: str, text: str, options: dict[str, Any], name: str
) -> None:
    line = f'{{"code": {value}}}'
    content = line if name == "a.jsonl" else f"[{line}]"
    assert read(tmp_path, content, name, **options).table["code"].to_pylist() == [text]


def test_columns_that_are_not_named_keep_their_types_beside_those_that_are_texts(
    tmp_path: Path,
) -> None:
    content = {"code": [1.50, 2.0], "size": [1.50, 2.0]}
    table = read(tmp_path, content, texts=frozenset({"code"})).table
    assert table.to_pydict() == {"code": ["1.5", "2.0"], "size": [1.5, 2.0]}


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"), ("Training", "train"), ("val", "validation"), ("DEV", "validation"),
        ("valid", "validation"), ("testing", "test"), ("data", ""), ("tests", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_part_is_the_split_that_it_is_called_after(name: str, split: str) -> None:
    assert split_named(name) == split


def test_of_parts_without_a_split_the_largest_is_read_unless_one_has_a_usual_name(
    tmp_path: Path,
) -> None:
    small, large = [{"a": 1}], [{"a": 2}, {"a": 3}]
    reading = read(tmp_path, {"x": small, "y": large})
    assert reading.table.to_pydict() == {"a": [2, 3]}
    assert [(note.kind, note.why) for note in reading.notes] == [
        ("dropped", "a.json: read y for train; not used: x")
    ]
    assert read(tmp_path, {"rows": small, "y": large}).table.to_pydict() == {"a": [1]}


def test_split_parts_are_splits_and_other_lists_are_counted_out(tmp_path: Path) -> None:
    content = {"train": [{"a": 1}], "dev": {"a": [2, 3]}, "extra": [{"a": 9}], "version": "1"}
    reading = read(tmp_path, content)
    assert reading.table.to_pydict() == {"a": [1]}
    assert {split: table.to_pydict() for split, table in reading.splits.items()} == {
        "validation": {"a": [2, 3]}
    }
    [note] = reading.notes
    assert note.why == "a.json: read train for train, dev for validation; not used: extra"


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
@pytest.mark.parametrize("as_written", [True, False])
def test_cells_of_several_types_in_a_column_are_counted(
    tmp_path: Path, name: str, as_written: bool
) -> None:
    rows = [{"a": 1, "b": "x"}, {"a": "two", "b": "y"}, {"a": True, "b": None}, {"a": 2.5}]
    text = json.dumps(rows) if name == "rows.json" else "\n".join(map(json.dumps, rows))
    reading = read(tmp_path, text, name, as_written=as_written)
    assert [str(cell).lower() for cell in reading.table["a"].to_pylist()] == [
        "1", "two", "true", "2.5",
    ]  # fmt: skip
    [note] = reading.notes
    assert note.why == "cells of several types: 2 numbers, 1 text, 1 truth value"
    assert (note.column, note.rows, note.kind) == ("a", 4, "converted")


@pytest.mark.parametrize("lists", [
    [[None, 1.5, 2.5], [3.5, None, 4.5]], [[None, None, 1.5], [2.5]], [[], [None, 2.5]],
    [[None, "a"], ["b", None]], [[[None, 1.5]], [[2.5]]],
])  # fmt: skip
def test_missing_values_at_the_beginning_of_lists_stay_in_their_place(
    tmp_path: Path, lists: list[Any]
) -> None:
    """Arrow 26 leaves them out, and gives the lists what follows."""
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"x": row}) + "\n" for row in lists))
    table = read_file(tmp_path / "a.jsonl", ReadOptions()).table
    table.validate(full=True)
    assert table["x"].to_pylist() == lists


def test_words_for_missing_numbers_in_lists_are_missing(tmp_path: Path) -> None:
    rows = [{"target": [1, "NaN", 2.5]}, {"target": ["nan"]}, {"target": None}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = read_file(tmp_path / "a.jsonl", ReadOptions()).table
    assert table["target"].to_pylist() == [[1.0, None, 2.5], [None], None]
    (tmp_path / "a.jsonl").write_text('{"x": [1, "b"]}\n{"x": ["NaN", 2]}\n')
    with pytest.raises(DataError, match="have different shapes"):
        read_file(tmp_path / "a.jsonl", ReadOptions())
