"""Workbooks of .xls and .ods, written by LibreOffice 7.4 from one with dates since 1904."""

from __future__ import annotations

import shutil
from datetime import datetime, time
from pathlib import Path

import pytest

from engine.data.readers.base import read_file
from engine.data.readers.excel.other_books import other_sheets
from engine.data.readers.reading import Reading, ReadOptions
from engine.errors import DataError

HERE = Path(__file__).parent
SHOPS = [HERE / "shops.xls", HERE / "shops.ods"]


def read(path: Path, table: str = "") -> Reading:
    return read_file(path, ReadOptions(table=table))


def notes(path: Path) -> str:
    return "\n".join(note.why for note in read(path).notes)


@pytest.mark.parametrize("path", SHOPS, ids=lambda path: path.suffix)
def test_cells_are_those_of_the_workbook(path: Path) -> None:
    assert read(path).table.to_pydict() == {
        "day": [
            datetime(2024, 2, 27),
            datetime(2024, 2, 28),
            datetime(2024, 2, 29),
            datetime(2024, 3, 1, 12, 30),
            datetime(2024, 3, 2),
        ],
        "shop": ["Köln", "Ulm", "Köln", "Ulm", "Bonn"],
        "share": [0.0, 0.25, 0.5, 0.75, None],
        "opens": [time(6, 30), time(7, 30), time(8, 30), time(9, 30), None],
        "worked": [43_200, 86_400, 129_600, 172_800, None],
        "code": [4806, 4807, 4808, 4809, None],
        "note": ["x", "1", "x", "3", ""],
    }


@pytest.mark.parametrize("path", SHOPS, ids=lambda path: path.suffix)
def test_titles_hidden_sheets_and_what_the_format_does_not_tell_are_noted(path: Path) -> None:
    said = notes(path)
    assert "left out above the table: 'Sales 2024'" in said
    assert "1 hidden sheet not read: Old" in said
    assert "codes padded with zeros, percentages, errors" in said
    assert "durations are read in seconds" in said
    assert read(path, table="Old").table.to_pydict() == {"a": [1]}


@pytest.mark.parametrize("path", SHOPS, ids=lambda path: path.suffix)
def test_a_format_is_told_by_the_content(path: Path, tmp_path: Path) -> None:
    renamed = Path(shutil.copy(path, tmp_path / "a.xlsx"))
    assert read(renamed).table == read(path).table


def test_sheets_are_listed_with_what_is_hidden_and_empty() -> None:
    found = [(sheet.name, sheet.hidden, sheet.has_cells()) for sheet in other_sheets(SHOPS[0])]
    assert found == [("Shops", False, True), ("Old", True, True), ("Empty", False, False)]


def test_merged_cells_of_older_workbooks_are_known() -> None:
    [merged] = other_sheets(SHOPS[0])[0].read().merged
    assert (merged.top, merged.left, merged.bottom, merged.right) == (0, 0, 0, 3)


def test_a_damaged_workbook_is_refused_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    path.write_bytes(SHOPS[0].read_bytes()[:2000])
    with pytest.raises(DataError, match=r"not a readable workbook, or has a password: .*[^ ]\. "):
        read(path)


def test_a_text_that_is_called_a_workbook_is_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "export.xls"
    for encoding in ("utf-8", "utf-16"):
        path.write_bytes("shop\tsales\nKöln\t1\nUlm\t2\n".encode(encoding))
        assert read(path).table.to_pydict() == {"shop": ["Köln", "Ulm"], "sales": [1, 2]}
        assert "export.xls is a text, not a workbook: it is read as CSV" in notes(path)


def test_a_page_of_html_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.xls"
    path.write_text("\n<html><table><tr><td>1</td></tr></table></html>")
    with pytest.raises(DataError, match=r"holds HTML or XML, not a workbook\. Open it in Excel"):
        read(path)
