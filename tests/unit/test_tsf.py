"""Files of the Monash archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


@pytest.mark.parametrize(
    ("frequency", "offset"),
    [
        ("yearly", pd.DateOffset(years=1)),
        ("quarterly", pd.DateOffset(months=3)),
        ("daily", pd.Timedelta(days=1)),
        ("hourly", pd.Timedelta(hours=1)),
        ("half_hourly", pd.Timedelta(minutes=30)),
        ("10_minutes", pd.Timedelta(minutes=10)),
        ("minutely", pd.Timedelta(minutes=1)),
        ("4_seconds", pd.Timedelta(seconds=4)),
    ],
)
def test_each_frequency_of_the_archive_has_its_step(
    tmp_path: Path, frequency: str, offset: Any
) -> None:
    start = pd.Timestamp("2023-02-28 22:15:00")
    text = (
        f"@attribute start_timestamp date\n@frequency {frequency}\n@data\n"
        "2023-02-28 22-15-00:1,2,3\n"
    )
    table = read_file(_written(tmp_path, text), ReadOptions()).table
    assert table["time"].to_pylist() == [start + i * offset for i in range(3)]


@pytest.mark.parametrize("name", ["time", "value", "series_name"])
def test_attributes_that_would_replace_another_column_are_refused(
    tmp_path: Path, name: str
) -> None:
    text = f"@attribute series_name string\n@attribute {name} string\n@data\nA:B:1,2\n"
    with pytest.raises(DataError, match=f"Line 2 of shops.tsf names an attribute {name}, as an"):
        read_file(_written(tmp_path, text), ReadOptions())


def test_dates_beyond_the_last_one_are_a_sentence(tmp_path: Path) -> None:
    text = "@attribute t date\n@frequency yearly\n@data\n9998-01-01 00-00-00:1,2,3\n"
    with pytest.raises(DataError, match=r"Line 4 of shops\.tsf goes on beyond the last date"):
        read_file(_written(tmp_path, text), ReadOptions())


@pytest.mark.parametrize("text", ["", "# nothing\n", "@data\n", "@relation x\n"])
def test_an_archive_without_series_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError):
        read_file(_written(tmp_path, text), ReadOptions())
