"""Files of the Monash archive."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from engine.data.readers.base import read_file
from engine.data.readers.reading import ReadOptions
from engine.errors import DataError

_FILE = """# A comment
@relation shops
@attribute series_name string
@attribute start_timestamp date
@frequency {frequency}
@horizon 2
@missing true
@equallength false
@data
A:2024-01-31 00-00-00:1.5,?,3
B:2023-12-31 00-00-00:4,5
"""


def _written(folder: Path, text: str) -> Path:
    path = folder / "shops.tsf"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("frequency", "times"),
    [
        ("monthly", ["2024-01-31", "2024-02-29", "2024-03-31", "2023-12-31", "2024-01-31"]),
        ("weekly", ["2024-01-31", "2024-02-07", "2024-02-14", "2023-12-31", "2024-01-07"]),
    ],
)
def test_each_series_of_an_archive_counts_from_its_start(
    tmp_path: Path, frequency: str, times: list[str]
) -> None:
    table = read_file(_written(tmp_path, _FILE.format(frequency=frequency)), ReadOptions()).table
    assert table["series_name"].to_pylist() == ["A", "A", "A", "B", "B"]
    assert table["time"].to_pylist() == list(map(pd.Timestamp, times))
    assert table["value"].to_pylist() == [1.5, None, 3, 4, 5]


def test_series_without_a_start_are_counted_from_one(tmp_path: Path) -> None:
    text = "@attribute series_name string\n@data\nA:7,8\nB:9\n"
    table = read_file(_written(tmp_path, text), ReadOptions()).table
    assert table["time"].to_pylist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.5,?", "1.5,x", "Line 10 of shops.tsf has a value that is neither a number nor"),
        ("B:2023", "B:C:2023", "Line 11 of shops.tsf has 3 attributes, where 2 are named"),
        ("@data", "@date", "Line 10 of shops.tsf is not a line of a header"),
    ],
)
def test_a_wrong_line_of_an_archive_is_named(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = _FILE.format(frequency="daily").replace(old, new)
    with pytest.raises(DataError, match=message):
        read_file(_written(tmp_path, text), ReadOptions())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "as it has no @frequency: rows are counted"),
        ("@frequency fortnightly\n", "as its @frequency 'fortnightly' is not known: rows are"),
    ],
)
def test_starts_that_cannot_be_used_are_told(tmp_path: Path, line: str, why: str) -> None:
    text = _FILE.replace("@frequency {frequency}\n", line)
    reading = read_file(_written(tmp_path, text), ReadOptions())
    assert reading.table["time"].to_pylist() == [1, 2, 3, 1, 2]
    (note,) = reading.notes
    assert why in note.why
    assert note.kind == "dropped"


def test_a_start_may_be_a_date_alone(tmp_path: Path) -> None:
    text = _FILE.format(frequency="daily").replace(" 00-00-00", "")
    table = read_file(_written(tmp_path, text), ReadOptions()).table
    assert table["time"].to_pylist()[:2] == [pd.Timestamp("2024-01-31"), pd.Timestamp("2024-02-01")]


def test_series_without_any_value_are_left_out_and_counted(tmp_path: Path) -> None:
    text = _FILE.format(frequency="daily")
    text += "C:2024-01-31 00-00-00:\nD:2024-01-31 00-00-00:?,?\n"
    reading = read_file(_written(tmp_path, text), ReadOptions())
    assert reading.table["series_name"].unique().to_pylist() == ["A", "B"]
    [note] = reading.notes
    assert note.why == "2 series without any value left out, the first in line 12 of shops.tsf"
    only = text.replace("1.5,?,3", "?").replace("4,5", "?")
    with pytest.raises(DataError, match="no series with a value"):
        read_file(_written(tmp_path, only), ReadOptions())
