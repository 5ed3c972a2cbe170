"""Types of the columns of a CSV file, and what its reader leaves out or reports."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.fitted import FileFormat
from engine.data.readers.csv import read_csv, stray_quotes
from engine.data.readers.reading import Reading, ReadOptions
from engine.errors import DataError


def read(text: str, **options: Any) -> Reading:
    return read_csv(Path("rows.csv"), text, ReadOptions(**options))


def column(cells: list[str], **options: Any) -> list[Any]:
    """The values of a column of such cells, beside a column of texts."""
    text = "value,name\n" + "".join(f"{cell},x{i}\n" for i, cell in enumerate(cells))
    found: list[Any] = read(text, header="yes", **options).table["value"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2", "30"], [1, -2, 30]),
        (["1", "2.5", "-.5"], [1.0, 2.5, -0.5]),
        (["1e3", "2E-1", "5"], [1000.0, 0.2, 5.0]),
        ([" 1", "2 ", " 3 "], [1, 2, 3]),
        (["1", "", "3"], [1, None, 3]),
        (["1", "NA", "n/a", "NULL", "nan"], [1, None, None, None, None]),
        (["0", "-0", "10"], [0, 0, 10]),
        (["2024-02-29", "1999-12-31"], [date(2024, 2, 29), date(1999, 12, 31)]),
        (["12:30", "23:59"], [time(12, 30), time(23, 59)]),
        (
            ["2024-05-06 07:08:09", "2024-05-06 00:00:00"],
            [datetime(2024, 5, 6, 7, 8, 9), datetime(2024, 5, 6)],
        ),
    ],
)
def test_a_column_has_the_type_that_all_its_cells_have(cells: list[str], values: list[Any]) -> None:
    found = column(cells)
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    "cells",
    [
        ["007", "12"],
        ["-07", "12"],
        ["0x10", "0x1F"],  # codes of machines, which are no decimal numbers
        ["0XFF", "12"],
        ["12345678901234567890", "1"],  # beyond int64
        ["9007199254740993", "1.5"],  # whole, but not as float64
        ["1_000", "2_000"],
        ["12%", "5%"],
        ["2024-02-30", "2024-01-01"],  # there is no such day
        ["24:30", "12:30"],
        ["true", "false"],
        ["True", "False"],
        ["٣", "٤"],
        ["1", "2", "three"],
        ["2024-01-01T00:00:00+02:00", "2024-07-01T00:00:00+02:00"],  # the clocks of a place
        ["2024-01-01T00:00:00-0530", "2024-01-01T00:00:00Z"],
    ],
)
def test_cells_that_a_type_would_change_stay_as_they_are_written(cells: list[str]) -> None:
    assert column(cells) == cells


@pytest.mark.parametrize("end", ["Z", "+00:00", "+0000"])
def test_times_in_utc_are_times(end: str) -> None:
    moment = datetime(2024, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert column([f"2024-03-04T05:06:07{end}", "2024-03-04T05:06:07Z"]) == [moment, moment]


def test_empty_cells_of_codes_are_missing() -> None:
    assert column(["007", "", "12"]) == ["007", None, "12"]


def test_cells_of_a_column_that_is_set_as_texts_stay_and_others_have_types() -> None:
    table = read("code,count\n7,1\n8,\n", header="yes", texts=frozenset({"code"})).table
    assert table.to_pydict() == {"code": ["7", "8"], "count": [1, None]}


def test_a_type_is_decided_by_the_last_row_as_well_as_the_first() -> None:
    cells = ["1"] * 50_000
    assert column([*cells, "x"])[-2:] == ["1", "x"]
    assert column([*cells, "0x1"])[-2:] == ["1", "0x1"]
    assert column([*cells, "2.5"])[-2:] == [1.0, 2.5]


NUMBER = st.one_of(
    st.integers(-(2**53), 2**53).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.just(""),
)


@given(
    st.lists(st.tuples(NUMBER, st.text(st.sampled_from("abé ,;\"'\n"))), min_size=1),
    st.sampled_from(",;|\t"),
)
@settings(max_examples=60, deadline=None)
def test_numbers_are_those_that_python_reads_beside_texts_of_any_kind(
    rows: list[tuple[str, str]], delimiter: str
) -> None:
    file = io.StringIO(newline="")
    quoted = csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    quoted.writerows([("number", "text"), *((number, f"t{text}t") for number, text in rows)])
    table = read(file.getvalue(), header="yes", delimiter=delimiter).table
    found = [None if value in (None, "") else float(value) for value in table["number"].to_pylist()]
    assert found == [float(number) if number else None for number, _ in rows]
    assert table["text"].to_pylist() == [f"t{text}t" for _, text in rows]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "end"])
def test_rows_may_end_in_any_way_and_the_last_one_need_not(end: str, last: str) -> None:
    text = end.join(["a,b", "1,x", "2,y"]) + (end if last else "")
    assert read(text).table.to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a,b,\n1,2,\n3,4,\n", {"a": [1, 3], "b": [2, 4]}),
        ("a,b\n1,2,\n3,4,\n", {"a": [1, 3], "b": [2, 4]}),
        (",a,b\n0,1,2\n1,3,4\n", {"": [0, 1], "a": [1, 3], "b": [2, 4]}),  # numbered by pandas
    ],
)
def test_columns_without_name_and_value_are_no_columns(
    text: str, values: dict[str, list[int]]
) -> None:
    assert read(text, header="yes").table.to_pydict() == values


def test_rows_that_are_comments_are_counted_and_those_of_all_cells_are_rows() -> None:
    reading = read("tag,n\n# one\n#red,1\n# two\n#blue,2\n")
    assert reading.table.to_pydict() == {"tag": ["#red", "#blue"], "n": [1, 2]}
    [note] = reading.notes
    assert (note.rows, note.kind) == (2, "dropped")


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("a,b\n1,2\n", FileFormat(delimiter=",", header="yes", decimal="")),
        ("a;b\n1,5;x\n2,25;y\n", FileFormat(delimiter=";", header="yes", decimal=",")),
        ("1\tx\n2\ty\n3\tx\n", FileFormat(delimiter="\t", header="no", decimal="")),
    ],
)
def test_the_format_is_returned_for_files_that_are_to_be_read_alike(
    text: str, format: FileFormat
) -> None:
    assert read(text).format == format


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"rows\.csv is empty"),
        (" \n\r\n\t", r"rows\.csv is empty"),
        ("a,b\n1,2\n1,2,3\n", r"rows\.csv, row 3: 3 cells instead of 2"),
        ("a,b\n1,2\n1\n", r"row 3: 1 cell instead of 2"),
        ("a,b\n1,2\n\nc,d,e\n5,6,7\n", "another table seems to begin there"),
    ],
)
def test_a_text_that_is_no_table_is_refused_with_its_row(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('a,b\n1,"x\n2,y\n3,z\n', "1 opening quotes without a closing one, the first in line 2"),
        ('a,b\n1,"x\n2,"y\n', "2 opening quotes without a closing one, the first in line 2"),
        ('a,b\n1,"x"\n2,y\n', ""),
        ('a,b\n1,"x, and\n2,y"\n', ""),  # lines of different lengths: cells with delimiters
        ('a,b\n1,"x\n2,y"\n', ""),  # a line end in a cell, whatever its lines look like
        ('"a","b"\n"","t\n,t"\n"1",""\n', ""),
        ('a\n"x\n', ""),  # a single column tells nothing
    ],
)
def test_quotes_that_are_never_closed_are_told_from_those_that_enclose(
    text: str, said: str
) -> None:
    assert stray_quotes(text, ",") == said


def test_a_header_in_quotes_has_its_names_also_where_other_quotes_are_characters() -> None:
    table = read('"a","b"\n"x","y"\n"1,2\n3,"z\n').table
    assert table.to_pydict() == {"a": ["x", '"1', "3"], "b": ["y", "2", '"z']}
