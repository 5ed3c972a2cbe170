"""Files of sktime: series a line, with and without times; those with classes are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.data.readers.base import read_file
from engine.data.readers.reading import Reading, ReadOptions
from engine.errors import DataError

HEADER = "#comment\n@problemName Some\n@timeStamps false\n@classLabel false\n@data\n"


def read(folder: Path, text: str) -> Reading:
    path = folder / "some.ts"
    path.write_text(text)
    return read_file(path, ReadOptions())


def test_each_line_is_a_series_whose_steps_are_counted(tmp_path: Path) -> None:
    reading = read(tmp_path, HEADER + "1.5,?,3\n4,5\n")
    assert reading.table.to_pydict() == {
        "series": ["1", "1", "1", "2", "2"], "time": [1, 2, 3, 1, 2],
        "value": [1.5, None, 3.0, 4.0, 5.0],
    }  # fmt: skip
    assert "2 series of 1 dimension" in reading.notes[0].why


def test_dimensions_are_columns(tmp_path: Path) -> None:
    table = read(tmp_path, HEADER + "1,2 : 3,4\n5,6:7,8\n").table
    assert table["dimension_1"].to_pylist() == [1, 2, 5, 6]
    assert table["dimension_2"].to_pylist() == [3, 4, 7, 8]


def test_times_stand_beside_their_values(tmp_path: Path) -> None:
    line = "(2013-05-01 00:00:00,1.0),(2013-05-01 01:00:00,2.0)"
    table = read(tmp_path, HEADER + f"{line}:{line}\n").table
    assert table["time"].to_pylist() == ["2013-05-01 00:00:00", "2013-05-01 01:00:00"]
    assert table["dimension_2"].to_pylist() == [1.0, 2.0]
    assert read(tmp_path, HEADER + "(0,1.0),(5,2.0)\n").table["time"].to_pylist() == [0, 5]


@pytest.mark.parametrize(("text", "why"), [
    ("@classLabel true a b c\n@data\n1:a\n3:b\n", r"2 series, each with a class \(3: a, b, c\)"),
    ("@targetlabel true\n@data\n1,2:0.5\n", "1 series, each with a number to predict"),
    (HEADER + "1,2\n1,x\n", "Line 7 of some.ts has a value that is neither a number"),
    (HEADER + "1,2\n1,2:3,4\n", "Line 7 .* has 2 dimensions, where the first series has 1"),
    (HEADER + "1,2:3\n", "Line 6 .* has dimensions of other times or lengths"),
    (HEADER + "(1,2),3\n", "Line 6 .* has a time without a value"),
    (HEADER, "has no series behind @data"),
    ("export const a = 1;\n", "has no header that ends with @data"),
    ("@problemName x\n", "has no header that ends with @data"),
])  # fmt: skip
def test_what_is_no_series_to_forecast_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        read(tmp_path, text)
