"""Workbooks as offices have them: titles, merged cells, totals, formats, hidden rows."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from engine.config.data.file import FileConfig
from engine.data.readers.base import read_file
from engine.data.readers.excel.formats import format_of
from engine.data.readers.files import load_files
from engine.data.readers.reading import Reading, ReadOptions
from engine.errors import DataError
from tests.unit.data.workbooks import Value, save, sheet

Rows = list[list[Value]]
PLAIN: Rows = [["a", "b"], *[[i, i / 4] for i in range(1, 6)]]


def read(path: Path, **options: Any) -> Reading:
    return read_file(path, ReadOptions(**options))


def said(reading: Reading) -> dict[str, int | None]:
    return {note.why: note.rows for note in reading.notes}


def test_the_table_is_below_its_titles_and_above_its_total_and_source(tmp_path: Path) -> None:
    rows: Rows = [
        ["Umsatzbericht 2024", None, None],
        ["Stand: 31.12.", None, None],
        [None, None, None],
        ["Region", "Umsatz", "Menge"],
        *[[f"R{i % 2}", 10.0 * i, i] for i in range(1, 6)],
        [None, None, None],
        ["Summe", 150, 15],
        [None, None, None],
        ["Quelle: SAP", None, None],
    ]
    path = save(tmp_path / "a.xlsx", {"Blatt 1": sheet(rows, merged=["A1:C1"])})
    reading = read(path)
    assert reading.table.to_pydict() == {
        "Region": ["R1", "R0", "R1", "R0", "R1"],
        "Umsatz": [10, 20, 30, 40, 50],
        "Menge": [1, 2, 3, 4, 5],
    }
    assert said(reading) == {
        "a.xlsx: left out above the table: 'Umsatzbericht 2024, Stand: 31.12.'": 2,
        "a.xlsx: left out below the table: 'Quelle: SAP'": 1,
        "a.xlsx: empty rows are left out": 1,
        "a.xlsx: the last row, 'Summe', has sums of the others and is left out": 1,
    }


def test_merged_names_are_joined_and_merged_values_are_those_of_all_rows(tmp_path: Path) -> None:
    rows: Rows = [
        ["Region", "Umsatz", None, "Menge"],
        [None, "Plan", "Ist", None],
        ["Nord", 1, 2.5, 3],
        [None, 4, 5.5, 6],
        ["Süd", 7, 8.5, 9],
        [None, 1, 2.5, 3],
    ]
    merged = ["A1:A2", "B1:C1", "D1:D2", "A3:A4", "A5:A6"]
    reading = read(save(tmp_path / "a.xlsx", {"x": sheet(rows, merged=merged)}))
    assert reading.table.to_pydict() == {
        "Region": ["Nord", "Nord", "Süd", "Süd"],
        "Umsatz Plan": [1, 4, 7, 1],
        "Umsatz Ist": [2.5, 5.5, 8.5, 2.5],
        "Menge": [3, 6, 9, 3],
    }
    assert said(reading) == {
        "a.xlsx has 2 header rows with merged cells: names are joined": 2,
        "a.xlsx: each cell of merged ones has their value": 2,
    }


def test_numbers_are_what_their_formats_show(tmp_path: Path) -> None:
    formats: list[int | str] = [
        14,
        22,
        "[h]:mm",
        20,
        "0.0%",
        "00000",
        '#,##0.00 "days"',
        "[$-407]mmmm yy",
    ]
    row: list[Value] = [45292, 45292.75, 1.5, 0.25, 0.155, 4806, 12.5, 45292]
    names: list[Value] = ["day", "moment", "long", "clock", "share", "zip", "price", "month"]
    styles = {i: i + 1 for i in range(8)}
    path = save(tmp_path / "a.xlsx", {"x": sheet([names, row, row], styles)}, formats)
    table = read(path).table
    assert table.slice(0, 1).to_pylist() == [
        {
            "day": date(2024, 1, 1),
            "moment": datetime(2024, 1, 1, 18),
            "long": 129_600,
            "clock": time(6),
            "share": 0.155,
            "zip": "04806",
            "price": 12.5,
            "month": date(2024, 1, 1),
        }
    ]
    later = read(path, as_written=True).table.slice(0, 1).to_pylist()[0]
    assert (later["day"], later["moment"]) == ("2024-01-01", "2024-01-01 18:00:00")


def test_days_are_counted_from_1904_where_the_workbook_says_so(tmp_path: Path) -> None:
    rows: Rows = [["d", "n"], [0, 1], [43830, 2]]
    path = save(tmp_path / "a.xlsx", {"x": sheet(rows, {0: 1})}, [14], since_1904=True)
    assert read(path).table["d"].to_pylist() == [date(1904, 1, 1), date(2024, 1, 1)]


def test_days_before_march_1900_are_those_that_excel_shows(tmp_path: Path) -> None:
    rows: Rows = [["d", "n"], [1, 1], [59, 2], [61, 3]]
    path = save(tmp_path / "a.xlsx", {"x": sheet(rows, {0: 1})}, [14])
    assert read(path).table["d"].to_pylist() == [
        date(1900, 1, 1),
        date(1900, 2, 28),
        date(1900, 3, 1),
    ]


def test_formulas_have_their_stored_values_and_errors_are_counted(tmp_path: Path) -> None:
    rows: Rows = [
        ["a", "b", "c", "d"],
        [1, "<><f>A2*2</f><v>2</v>", "<t='s'><v>0</v>", "<t='b'><v>1</v>"],
        [2, "<><f>A3*2</f>", "<t='s'><v>1</v>", "<t='b'><v>0</v>"],
        [3, "<t='e'><v>#DIV/0!</v>", "<t='str'><f>x</f><v>z</v>", "<t='b'><v>1</v>"],
        [4, "<><f>A5*2</f><v>8.5</v>", "w", "<t='b'><v>1</v>"],
    ]
    texts = [
        "<r><t>bo</t></r><r><t>ld</t></r><rPh sb='0' eb='1'><t>said</t></rPh>",
        "<t>a_x0041_</t>",
    ]
    reading = read(save(tmp_path / "a.xlsx", {"x": sheet(rows)}, texts=texts))
    assert reading.table.to_pydict() == {
        "a": [1, 2, 3, 4],
        "b": [2.0, None, None, 8.5],
        "c": ["bold", "aA", "z", "w"],
        "d": ["true", "false", "true", "true"],
    }
    assert [(note.column, note.read_as, note.rows) for note in reading.notes] == [
        ("b", "missing", 1),
        ("b", "missing", 1),
    ]


def test_numbers_as_text_percentages_and_hidden_cells_are_counted(tmp_path: Path) -> None:
    rows: Rows = [["n", "p"], [1, 0.5], ["2", 0.25], [3, 0.75], ["4", 1]]
    hidden = '<cols><col min="2" max="2" hidden="1"/></cols>'
    xml = sheet(rows, {1: 1}, hidden_rows=[0, 2], columns=hidden)
    reading = read(save(tmp_path / "a.xlsx", {"x": xml}, [9]))
    assert reading.table.to_pydict() == {"n": [1, 2, 3, 4], "p": [0.5, 0.25, 0.75, 1.0]}
    assert said(reading) == {
        "numbers stored as text": 2,
        "percentages are read as shares: 15 % as 0.15": 4,
        "hidden rows are read like the others: leave them out by deleting them": 1,
        "1 hidden column read like the others: p": None,
    }


def test_one_of_several_sheets_is_chosen_by_its_name(tmp_path: Path) -> None:
    other: Rows = [["c"], [1], [2]]
    sheets = {"Daten": sheet(PLAIN), "Leer": sheet([[None]]), "Mehr": sheet(other)}
    path = save(tmp_path / "a.xlsx", sheets)
    with pytest.raises(DataError, match=r"2 sheets: Daten, Mehr.* data\.table=Daten"):
        read(path)
    spaced = save(tmp_path / "b.xlsx", {"Blatt 1": sheet(PLAIN), "Blatt 2": sheet(PLAIN)})
    with pytest.raises(DataError, match=r'data\.table="Blatt 1"'):
        read(spaced)
    with pytest.raises(DataError, match=r"no sheet 'X'.* data\.table can be Daten, Mehr"):
        read(path, table="X")
    assert load_files(FileConfig(path=str(path), table="Mehr")).train.column_names == ["c"]


def test_hidden_sheets_are_named_and_rows_to_predict_may_be_in_another_sheet(
    tmp_path: Path,
) -> None:
    sheets = {"Daten": sheet(PLAIN), "geheim": sheet(PLAIN)}
    reading = read(save(tmp_path / "a.xlsx", sheets, hidden=["geheim"]))
    assert reading.table.num_rows == 5
    assert "a.xlsx: 1 hidden sheet not read: geheim" in said(reading)
    only = save(tmp_path / "b.xlsx", {"Neu": sheet(PLAIN)})
    assert read(only, table="Daten", later=True).table.num_rows == 5
    with pytest.raises(DataError, match="no sheet 'Daten'"):
        read(only, table="Daten")


def test_a_row_number_without_a_name_is_no_title(tmp_path: Path) -> None:
    rows: Rows = [[None, "value"], *[[i, i * 1.5] for i in range(5)]]
    table = read(save(tmp_path / "a.xlsx", {"x": sheet(rows)})).table
    assert table.column_names == ["column_1", "value"]
    assert table["value"].to_pylist() == [0.0, 1.5, 3.0, 4.5, 6.0]


def test_a_workbook_with_a_password_is_named_as_one(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100))
    with pytest.raises(DataError, match="has a password"):
        read(path)


def _rewritten(path: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, change(content) if name == part else content)
    return path


def test_a_part_with_a_doctype_is_refused(tmp_path: Path) -> None:
    """Entities may grow without limit; no program writes any into a workbook."""

    def declared(content: bytes) -> bytes:
        return b"<!DOCTYPE worksheet>" + content

    path = save(tmp_path / "a.xlsx", {"x": sheet(PLAIN)})
    path = _rewritten(path, "xl/sheets/1.xml", declared)
    with pytest.raises(DataError, match="not a readable workbook: it has a DOCTYPE"):
        read(path)


def test_a_part_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"x": sheet(PLAIN)})
    path = _rewritten(path, "xl/sheets/1.xml", lambda content: content[:-30])
    with pytest.raises(DataError, match="not a readable workbook"):
        read(path)


def test_a_part_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.xlsx", {"x": sheet(PLAIN)})
    monkeypatch.setattr("engine.data.readers.excel.read._LARGEST_PART", 100)
    with pytest.raises(DataError, match="a part of it unpacks to"):
        read(path)


def test_locks_of_office_and_thumbnails_of_windows_are_no_data(tmp_path: Path) -> None:
    save(tmp_path / "a.xlsx", {"x": sheet(PLAIN)})
    for name in ("~$a.xlsx", "Thumbs.db"):
        (tmp_path / name).write_bytes(bytes(100_000))
    assert load_files(FileConfig(path=str(tmp_path))).train.num_rows == 5


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("General", "number"),
        ("#,##0.00 [$€-407];[Red]-#,##0.00 [$€-407]", "number"),
        ('0.00" dd"', "number"),
        ("0.00E+00", "number"),
        ("dd/mm/yyyy;@", "date"),
        ("mmm", "date"),
        ("[$-F400]h:mm:ss AM/PM", "time"),
        ("[mm]:ss", "duration"),
        ("0.00%", "percent"),
        (r"yyyy\-mm\-dd", "date"),
    ],
)
def test_formats_tell_dates_from_numbers(code: str, kind: str) -> None:
    assert format_of(164, code).kind == kind
