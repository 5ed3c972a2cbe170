"""Files have lines around their table: each is read as it is meant, or asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.config.data.file import FileConfig
from engine.data.raw import RawData
from engine.data.readers.files import load_files
from engine.errors import DataError

ROWS = [(f"x{i % 3}", i * 7 % 13) for i in range(30)]
LINES = [f"{a},{b}\n" for a, b in ROWS]
BODY = "".join(LINES)
FIRST, SECOND = "".join(LINES[:9]), "".join(LINES[9:])
TABLE = {"a": [a for a, _ in ROWS], "b": [b for _, b in ROWS]}


def load(folder: Path, text: str | bytes, **options: Any) -> RawData:
    path = folder / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_files(FileConfig(path=str(path), **options))


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        (f"a,b\n{BODY}", []),
        (f"\n\na,b\n{BODY}", []),
        (f"sep=,\na,b\n{BODY}", []),
        (f'"sep=;"\r\na;b\r\n{BODY.replace(",", ";")}', []),
        (f"a,b,\n{BODY.replace(chr(10), ',' + chr(10))}", []),
        (f"a,b\n{BODY.replace(chr(10), ',' + chr(10))}", []),
        (f"#a,b\n{BODY}", []),
        (f"# a,b\n{BODY}", []),
        (
            f"# made by tool\n# v2, with comma\na,b\n{BODY}",
            ["a.csv: left out above the table: '# made by tool, # v2, with comma'"],
        ),
        (f"Sales of May\n\na,b\n{BODY}", ["a.csv: left out above the table: 'Sales of May'"]),
        (f"a,b\n{BODY}# the end\n", ["a.csv: 1 lines that begin with # are left out"]),
        (
            f"a,b\n{FIRST}\ufeff{SECOND}",
            ["a.csv: 1 byte order marks within the file are left out"],
        ),
        (f"a,b\n{BODY}\0\0\0\0\n", ["a.csv: 6 NUL characters at the end are left out"]),
        (f"a,b\n{FIRST}a,b\n{SECOND}", ["a.csv: left out 1 row that repeats the header"]),
        (
            f"a,b\n{BODY}Total,{sum(TABLE['b'])}\n",
            ["a.csv: the last row, 'Total', has sums of the others and is left out"],
        ),
        (
            f"a,b\nname,kg\n{BODY}",
            ["a.csv has 2 header rows: names are those of the first; left out: name kg"],
        ),
    ],
)
def test_what_is_around_a_table_is_no_part_of_it(
    tmp_path: Path, text: str, notes: list[str]
) -> None:
    raw = load(tmp_path, text)
    assert raw.train.to_pydict() == TABLE
    assert [note.why for note in raw.notes] == notes


def test_a_title_above_three_columns_is_left_out(tmp_path: Path) -> None:
    body = "".join(f"{a},{b},{b / 4}\n" for a, b in ROWS)
    raw = load(tmp_path, f"Sales of May\na,b,c\n{body}")
    assert raw.train.to_pydict() == TABLE | {"c": [b / 4 for b in TABLE["b"]]}


WIDE = [(f"x{i % 3}", f"y{i % 5}", i * 7 % 13, i / 4) for i in range(30)]
WIDE_BODY = "".join(f"{a},{b},{c},{d}\n" for a, b, c, d in WIDE)


@pytest.mark.parametrize(
    ("above", "rows"),
    [
        ("Account,DE123,,\nPeriod,May,,\n,,,\n", 2),
        ("Report of May,,,\n,,,\nMade by,Anna,,\n\n", 2),
        ('"Account","DE123"\n""\n', 1),
        ('"Data Source","Indicators",\n\n"Last Updated Date","2024-03-28",\n\n', 2),
    ],
)
def test_names_with_values_above_an_empty_line_are_left_out(
    tmp_path: Path, above: str, rows: int
) -> None:
    raw = load(tmp_path, f"{above}a,b,c,d\n{WIDE_BODY}")
    assert raw.train.to_pydict() == {
        name: [row[i] for row in WIDE] for i, name in enumerate("abcd")
    }
    [note] = raw.notes
    assert note.why.startswith("a.csv: left out above the table: ")
    assert (note.rows, note.kind) == (rows, "dropped")


@pytest.mark.parametrize("above", [",a,,\n,,,\n", "x9,y9,,\n,,,\n"])
def test_no_row_of_values_becomes_the_header_below_an_empty_line(
    tmp_path: Path, above: str
) -> None:
    numbers = "".join(f"{c},{d},{c},{d}\n" for _, _, c, d in WIDE)
    raw = load(tmp_path, f"{above}{numbers}", header="no")
    assert raw.train.num_rows >= len(WIDE)


@pytest.mark.parametrize(
    ("below", "why"),
    [
        ("\n(30 rows affected)\n", "(30 rows affected)"),
        ("\nSource: World Bank\n\nUpdated on 1 May", "Source: World Bank, Updated on 1 May"),
    ],
)
def test_lines_below_a_table_and_an_empty_line_are_left_out(
    tmp_path: Path, below: str, why: str
) -> None:
    raw = load(tmp_path, f"a,b\n{BODY}{below}")
    assert raw.train.to_pydict() == TABLE
    [note] = raw.notes
    assert note.why == f"a.csv: left out below the table: {why!r}"
    assert note.kind == "dropped"


@pytest.mark.parametrize(
    "below",
    [
        "Source: World Bank\n",  # no empty line: it may be a row that was cut off
        "\n12\n",
        '\n"x\n',
    ],
)
def test_what_may_be_a_row_below_a_table_is_not_dropped(tmp_path: Path, below: str) -> None:
    with pytest.raises(DataError, match="1 cell instead of 2"):
        load(tmp_path, f"a,b\n{BODY}{below}")


def test_the_end_of_a_cell_of_several_lines_is_no_footer(tmp_path: Path) -> None:
    raw = load(tmp_path, 'b,a\n1,x0\n2,x1\n3,"first\n\nsecond line\nthird"\n')
    assert raw.train["a"].to_pylist()[-1] == "first\n\nsecond line\nthird"


def test_headers_of_three_rows_are_read_as_one(tmp_path: Path) -> None:
    days = "".join(f"2023-01-{i + 1:02},{990 + i},{66000 + 7 * i}\n" for i in range(30))
    raw = load(tmp_path, f"Price,Close,Volume\nTicker,ABC,ABC\nDate,,\n{days}")
    assert raw.train["Close"].to_pylist() == [990 + i for i in range(30)]
    assert raw.train.column_names == ["Price", "Close", "Volume"]
    assert [note.why for note in raw.notes] == [
        "a.csv has 3 header rows: names are those of the first; left out: Ticker ABC ABC, Date"
    ]


@pytest.mark.parametrize(("header", "names"), [
    # As pandas and yfinance write columns of two levels.
    ("Price,Close,Close,Open,Open\nTicker,ABC,XYZ,ABC,XYZ\nDate,,,,\n",
     ["Date", "Close ABC", "Close XYZ", "Open ABC", "Open XYZ"]),
    (",A,A,B,B\nday,sales,price,sales,price\n",
     ["day", "A sales", "A price", "B sales", "B price"]),
    ('day,"A, B","A, B",C,C\n,x,y,x,y\n', ["day", "A, B x", "A, B y", "C x", "C y"]),
    ("day,A,A,B,C\n,x,x,x,x\n", ["day", "A", "A_2", "B", "C"]),  # no name tells them apart
])  # fmt: skip
def test_names_of_two_header_rows_are_joined_where_the_first_repeat(
    tmp_path: Path, header: str, names: list[str]
) -> None:
    days = "".join(f"2023-01-{i + 1:02},{i},{2 * i},{3 * i},{4 * i}\n" for i in range(30))
    raw = load(tmp_path, header + days)
    assert raw.train.column_names == names
    assert raw.train[names[4]].to_pylist() == [4 * i for i in range(30)]
    joined = "names are joined" in raw.notes[0].why
    assert joined is ("A_2" not in names)


@pytest.mark.parametrize(
    "text",
    [
        "text\n" + "good, really\n" * 30,  # one column of texts with a comma
        "a,b\nx0,unknown\n" + BODY,  # a first value that is missing in words
        "#love,1\n#hate,0\n" * 15,  # hashtags
        "a,b\nTotal,1\n" + BODY,  # a total that is not last
    ],
)
def test_values_are_never_taken_for_what_is_around_a_table(tmp_path: Path, text: str) -> None:
    written = text.splitlines()
    try:
        raw = load(tmp_path, text)
    except DataError:
        return
    assert raw.train.num_rows >= len(written) - 1


def test_a_last_row_that_may_be_a_sum_is_asked_about(tmp_path: Path) -> None:
    raw = load(tmp_path, f"a,b\n{BODY}Total,1\n")
    assert raw.train.num_rows == 31
    assert [note.why for note in raw.notes] == [
        "a.csv: the last row, 'Total', may be a sum of the others; it is used like them"
    ]


def test_a_last_row_of_sums_is_found_in_any_format_of_numbers(tmp_path: Path) -> None:
    rows = "".join(f"x{i};{i};1.00{i % 10},50 €\n" for i in range(20))
    raw = load(tmp_path, f"a;b;c\n{rows}Total;;20.100,00 €\n")
    assert raw.train.num_rows == 20
    assert [note.rows for note in raw.notes] == [1]


def test_a_second_table_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 32: 3 cells instead of 2. It comes after an empty"):
        load(tmp_path, f"a,b\n{BODY}\nc,d,e\n1,2,3\n")


def test_utf_16_without_a_mark_is_refused_with_the_encoding(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="every other character is NUL"):
        load(tmp_path, f"a,b\n{BODY}".encode("utf-16-le"))


def test_columns_of_one_name_keep_their_values_and_zeros(tmp_path: Path) -> None:
    raw = load(tmp_path, "a,b,a\n" + "".join(f"{i},{i % 3}.5,0{i % 7}\n" for i in range(30)))
    assert raw.train["a"].to_pylist() == list(range(30))
    assert raw.train["a_2"].to_pylist() == [f"0{i % 7}" for i in range(30)]


def test_quotes_after_a_backslash_are_part_of_the_cell(tmp_path: Path) -> None:
    raw = load(
        tmp_path, "a,b\n" + "".join(f'"he said \\"{i % 3}\\" twice",{i}\n' for i in range(30))
    )
    assert raw.train["a"].to_pylist() == [f'he said "{i % 3}" twice' for i in range(30)]


@pytest.mark.parametrize("ends", ["\\", "\\x"])
def test_other_backslashes_stay(tmp_path: Path, ends: str) -> None:
    raw = load(tmp_path, "a,b\n" + "".join(f'"C:\\dir{ends}",{i}\n' for i in range(30)))
    assert raw.train["a"].to_pylist() == [f"C:\\dir{ends}"] * 30


@pytest.mark.parametrize("base", [2**53, 2**63, 10**20])
def test_codes_of_many_digits_keep_them_all(tmp_path: Path, base: int) -> None:
    codes = [str(base + i % 3) for i in range(30)]
    raw = load(tmp_path, "a,b\n" + "".join(f"{code},1.5\n" for code in codes))
    assert [str(code) for code in raw.train["a"].to_pylist()] == codes


def test_a_time_keeps_the_hour_that_its_clocks_showed(tmp_path: Path) -> None:
    times = [f"2020-01-01T{i % 24:02}:30:15+05:30" for i in range(30)]
    raw = load(tmp_path, "a,b\n" + "".join(f"{time},1.5\n" for time in times))
    assert raw.train["a"].to_pylist() == times
    zulu = [time.replace("+05:30", "Z") for time in times]
    raw = load(tmp_path, "a,b\n" + "".join(f"{time},1.5\n" for time in zulu))
    assert str(raw.train["a"].type) == "timestamp[s, tz=UTC]"


def test_dates_and_amounts_are_no_header(tmp_path: Path) -> None:
    rows = [f"{1 + i % 28:02}.01.2024;{1000 + i},50 €" for i in range(20)]
    raw = load(tmp_path, "\n".join(rows) + "\n")
    assert raw.train.num_rows == 20
    assert raw.train.column_names == ["column_1", "column_2"]
