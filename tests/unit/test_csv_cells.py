"""Cells of CSV files: whatever is written comes back, digit by digit."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.data.readers.base import read_file
from engine.data.readers.dialect import find_delimiter, find_dialect, rows_of, sample_of
from engine.data.readers.reading import Reading, ReadOptions, unique_names
from engine.data.readers.single_quotes import with_double_quotes

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read(folder: Path, text: str, **options: Any) -> Reading:
    path = folder / "a.csv"
    path.write_bytes(text.encode())
    return read_file(path, ReadOptions(**options))


def written(rows: list[list[str]], delimiter: str, line_end: str) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows(rows)
    return file.getvalue()


CELL = st.text(st.sampled_from("ab zü,;|\t\n.'1"), min_size=1, max_size=8).filter(str.strip)


@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=2, max_size=8),
    st.sampled_from(",;|\t"),
    st.sampled_from(["\n", "\r\n"]),
)
@QUICK
def test_quoted_cells_come_back_as_they_were_written(
    tmp_path: Path, rows: list[tuple[str, str, str]], delimiter: str, line_end: str
) -> None:
    text = written([["first", "second", "third"], *map(list, rows)], delimiter, line_end)
    table = read(tmp_path, text, header="yes", delimiter=delimiter, as_written=True).table
    assert table.column_names == ["first", "second", "third"]
    assert [tuple(row.values()) for row in table.to_pylist()] == rows


@given(st.lists(st.integers(-(10**18), 10**18), min_size=1, max_size=12))
@QUICK
def test_whole_numbers_keep_every_digit(tmp_path: Path, numbers: list[int]) -> None:
    text = "number,name\n" + "".join(f"{number},x\n" for number in numbers)
    found = read(tmp_path, text, header="yes").table["number"].to_pylist()
    assert [int(value) for value in found] == numbers


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1))
@QUICK
def test_fractions_are_the_nearest_float64(tmp_path: Path, numbers: list[float]) -> None:
    text = "number,name\n" + "".join(f"{number!r},x\n" for number in numbers)
    found = read(tmp_path, text, header="yes").table["number"].to_pylist()
    assert [float(value) for value in found] == numbers


@pytest.mark.parametrize(
    "text",
    [
        "007,1\n12,2\n13,3\n",  # the very first cell
        '"007",1\n12,2\n13,3\n',
        "12,1\n007,2\n13,3\n",
        "1,12\n2,007\n3,13\n",
        "12,1\n-07,2\n13,3\n",
        "-07,1\n12,2\n13,3\n",
        "12,1\r007,2\r13,3\r",  # line ends of old Macs
        "12,1\r\n007,2\r\n13,3\r\n",
        "12,1\n 007,2\n13,3\n",
    ],
)
def test_codes_that_begin_with_zeros_are_texts_wherever_they_stand(
    tmp_path: Path, text: str
) -> None:
    cells = [value for column in read(tmp_path, text, header="no").table for value in column]
    written_cells = {str(cell.as_py()).strip() for cell in cells}
    assert {"007", "-07"} & written_cells
    assert "12" in written_cells


def test_codes_with_a_fraction_of_zero_are_texts_and_padded_fractions_are_numbers(
    tmp_path: Path,
) -> None:
    text = "code,size\n007.0,05.5\n012.0,10.0\n300.0,\n"
    table = read(tmp_path, text, header="yes").table
    assert table.to_pydict() == {"code": ["007.0", "012.0", "300.0"], "size": [5.5, 10.0, None]}


@pytest.mark.parametrize("text", ["0,1\n10,2\n", "0.5,1\n100,2\n", "-0.25,1\n-3,2\n"])
def test_zeros_of_numbers_make_no_codes(tmp_path: Path, text: str) -> None:
    table = read(tmp_path, text, header="no").table
    assert not any(isinstance(cell, str) for row in table.to_pylist() for cell in row.values())


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize("inner", [",", ";", "|"])
def test_the_delimiter_is_the_one_that_cuts_all_rows_alike(delimiter: str, inner: str) -> None:
    if delimiter == inner:
        return
    lines = [f"name{delimiter}text{delimiter}n"]
    lines += [f"x{i}{delimiter}one{inner * (i % 3)} two{delimiter}{i}" for i in range(9)]
    assert find_delimiter("\n".join(lines)) == delimiter


@pytest.mark.parametrize(
    ("given_name", "delimiter"),
    [("tab", "\t"), ("\\t", "\t"), ("space", " "), ("comma", ","), ("semicolon", ";"), ("~", "~")],
)
def test_a_delimiter_may_be_named(given_name: str, delimiter: str) -> None:
    assert find_delimiter("a,b\n1,2\n", given_name) == delimiter


@pytest.mark.parametrize(
    ("cells", "point"),
    [
        (["1,5", "2,25"], ","),
        (["1.234,5", "7,25"], ","),
        (["1.5", "2.25"], "."),
        (["1,234", "5,678"], "."),  # thousands
        (["1,234.5", "6.25"], "."),
        (["0,125", "3,500"], ","),  # no thousands begin with 0
        (["1,5", "2.5"], "."),  # both: nothing is guessed
        (["12", "7"], "."),
    ],
)
def test_the_decimal_mark_is_told_by_the_numbers(cells: list[str], point: str) -> None:
    sample = "a;b\n" + "".join(f"{cell};x\n" for cell in cells)
    assert find_dialect(sample, ";").decimal_point == point


def test_a_comma_between_cells_is_no_decimal_mark() -> None:
    assert find_dialect("a,b\n1,5\n2,5\n", ",").decimal_point == "."


@pytest.mark.parametrize(
    ("first", "below", "header"),
    [
        ("name,size", ["x,1", "y,2"], True),
        ("x,1", ["y,2", "z,3"], False),
        ("2019,2020", ["1,2", "3,4"], False),
        ("1,2,3", ["7,8,9", "5,5,5"], True),  # numbers that count the columns
        ("0,1", ["7.5,8", "9,9"], True),
        ("id,", ["1,x", "2,y"], True),  # nothing above texts
        ("red,big", ["red,small", "blue,big", "red,big"], False),  # values occur again
        ("time,0", ["2024-01-01,5.5", "2024-01-02,7.5"], True),  # a name above dates, as of Darts
        ("null,3", ["2024-01-01,5", "2024-01-02,7"], False),
        ("2024-01-01,x", ["2024-01-02,y", "2024-01-03,z", "2024-01-04,z"], False),
    ],
)
def test_a_first_row_of_names_is_a_header_and_one_of_values_is_not(
    first: str, below: list[str], header: bool
) -> None:
    assert find_dialect("\n".join([first, *below]) + "\n", ",").header is header


def test_a_sample_ends_with_a_whole_row() -> None:
    row = "x" * 100 + "\n"
    sample = sample_of(row * 1000)
    assert sample.endswith("\n")
    assert len(sample) <= 64 * 1024
    assert len(sample) % len(row) == 0
    assert sample_of(row) == row


def test_quotes_that_are_characters_cut_no_row() -> None:
    assert rows_of('a\t"b\nc\td\n', "\t", quoted=False) == [["a", '"b'], ["c", "d"]]
    assert rows_of('a,"b,c"\n\nd,e\n', ",") == [["a", "b,c"], ["d", "e"]]


@given(st.lists(st.sampled_from(["a", " a", "a ", "", "a_2", "column_1", "b", "b_2", "A"])))
@settings(max_examples=80, deadline=None)
def test_names_become_different_and_those_that_were_stay(names: list[str]) -> None:
    found = unique_names(names)
    assert len(found) == len(set(found)) == len(names)
    assert all(name == name.strip() and name for name in found)
    stripped = [name.strip() for name in names]
    for old, new in zip(stripped, found, strict=True):
        if old and stripped.count(old) == 1:
            assert new == old
        assert old in new
    assert unique_names(found) == found


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("'a','b'\n'1','it''s'\n", '"a","b"\n"1","it\'s"\n'),
        ("'a';'b'\r\n'1';'2'\r\n", '"a";"b"\r\n"1";"2"\r\n'),
        ("a,b\n1,it's\n2,don't\n", None),  # apostrophes
        ("a,b\n'1',x\n2,y\n3,z\n", None),  # only some rows
        ("a,b\n'1',x\n'2,y\n", None),  # one without an end
        ("\"a\",b\n'1',2\n", None),  # double quotes are there already
    ],
)
def test_single_quotes_are_quotes_only_where_all_rows_have_them(
    text: str, changed: str | None
) -> None:
    assert with_double_quotes(text) == (text if changed is None else changed)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_of_thousands_of_cells_have_the_columns_of_their_header(
    end: str, tmp_path: Path
) -> None:
    names = [f"measurement {place}" for place in range(4000)]
    rows = [[f"{place / 7 + row:.6f}" for place in range(4000)] for row in range(3)]
    text = end.join(",".join(row) for row in [names, *rows]) + end
    assert len(",".join(names)) > 64 * 1024, "the header alone is longer than a sample"
    table = read(tmp_path, text).table
    assert table.column_names == names
    assert table.column("measurement 3999").to_pylist() == [float(row[-1]) for row in rows]
