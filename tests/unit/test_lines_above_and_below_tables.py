"""What is around the rows of a CSV file: each part by itself, and no row is lost."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.readers.around import (
    clean_text,
    further_headers,
    without_lines,
    without_repeated_header,
    without_titles,
    without_total,
)
from engine.data.readers.dialect import rows_of
from engine.errors import DataError

PATH = Path("a.csv")
BODY = "".join(f"x{i},{i},{2 * i}\n" for i in range(20))


def titles(text: str, delimiter: str = ",") -> tuple[str, list[str], int]:
    rest, notes = without_titles(PATH, text, delimiter, rows_of(text, delimiter))
    return rest, [note.why for note in notes], sum(note.rows or 0 for note in notes)


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [("sep=;\n", ";"), ("SEP=|\r\n", "|"), ('"sep=,"\n', ","), ("sep=;  \n", ";")],
)
def test_the_line_that_tells_excel_the_delimiter_is_taken_off(line: str, delimiter: str) -> None:
    assert clean_text(PATH, f"{line}a;b\n1;2\n") == ("a;b\n1;2\n", delimiter, [])


def test_sep_in_the_middle_of_a_file_is_text() -> None:
    assert clean_text(PATH, "a\nsep=;\n") == ("a\nsep=;\n", "", [])


@pytest.mark.parametrize("count", [1, 5])
def test_nul_characters_at_the_end_are_left_out_and_counted(count: int) -> None:
    text, _, notes = clean_text(PATH, "a,b\n1,2\n3,4\n5,6" + "\0" * count)
    assert text == "a,b\n1,2\n3,4\n5,6"
    [note] = notes
    assert (note.kind, note.why) == (
        "dropped", f"a.csv: {count} NUL characters at the end are left out"
    )  # fmt: skip


def test_nul_characters_within_cells_stay_and_are_told() -> None:
    text, _, [note] = clean_text(PATH, "a,b\n1\0,2\n3,4\n5,6\n")
    assert text == "a,b\n1\0,2\n3,4\n5,6\n"
    assert note.why == "a.csv: 1 NUL characters are within cells"


def test_every_other_character_nul_is_another_encoding() -> None:
    with pytest.raises(DataError, match=r"Set data\.encoding to utf-16"):
        clean_text(PATH, "a\0,\0b\0\n\0")


@pytest.mark.parametrize(
    ("above", "rows"),
    [
        ("Report of May\n", 1),
        ("Report of May\n\n", 1),
        ("Report\nof May\n\n\n", 2),
        ("# one\n# two\n", 2),
        ("#!\n", 1),
        ("Report,,\n", 1),  # filled up with empty cells, as Excel does
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_above_a_table_are_left_out_and_counted(above: str, rows: int, end: str) -> None:
    table = f"a,b,c\n{BODY}".replace("\n", end)
    rest, whys, counted = titles(above.replace("\n", end) + table)
    assert rest == table
    assert counted == rows
    assert whys[0].startswith("a.csv: left out above the table: ")


@pytest.mark.parametrize(
    "text",
    [
        f"a,b,c\n{BODY}",
        "one\ntwo\nthree\n",  # a single column
        "a,b\nx\n" + "1,2\n" * 10,  # below the header
        "#tag,b\n" + "#x,1\n#y,2\n" * 10,  # hashtags
        "Report\na,b\n" + "1,2\n" * 10,  # two columns, no empty line: the title may be a value
    ],
)
def test_nothing_is_taken_for_a_title_where_it_may_be_a_row(text: str) -> None:
    assert titles(text) == (text, [], 0)


def test_names_in_the_last_comment_are_the_header() -> None:
    text = f"# made by x\n# a,b,c\n{BODY}"
    rest, whys, counted = titles(text)
    assert rest == f"a,b,c\n{BODY}"
    assert counted == 1
    assert whys == ["a.csv: left out above the table: '# made by x'"]


def test_many_lines_above_are_no_titles_beyond_the_fiftieth() -> None:
    text = "note\n" * 60 + f"a,b,c\n{BODY * 20}"
    rest, _, counted = titles(text)
    assert counted == 50
    assert rest.startswith("note\n" * 10 + "a,b,c\n")


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([["a", "b"], ["x", "1"], ["y", "2"]], 0),
        ([["a", "b"], ["", "kg"], ["y", "2"], ["z", "3"]], 0),  # half of b is no number
        ([["a", "b"], ["", "kg"], *[["y", str(i)] for i in range(9)]], 1),
        ([["p", "q"], ["ABC", "ABC"], ["Date", ""], *[["x", str(i)] for i in range(20)]], 2),
        ([["a", "b"], ["x", "NA"], *[["y", str(i)] for i in range(9)]], 0),  # a missing value
        ([["a", "b"], ["x", "m2"], *[["y", str(i)] for i in range(9)]], 0),  # a digit: a value
        ([["a", "b"], ["x", "y"], ["z", "w"]], 0),  # texts alone
        # a word that occurs again is a value such as "unknown"
        ([["a", "b"], ["x", "none given"], *[["y", str(i)] for i in range(20)],
          ["z", "none given"]], 0),
    ],
)  # fmt: skip
def test_rows_of_names_and_units_below_a_header_are_counted(
    rows: list[list[str]], count: int
) -> None:
    assert further_headers(rows) == count


@pytest.mark.parametrize(
    ("text", "first", "count", "rest"),
    [
        ("a\nb\nc\nd\n", 1, 2, "a\nd\n"),
        ("a\r\n\r\nb\r\nc\r\n", 1, 1, "a\r\nc\r\n"),
        ("a\nb", 1, 1, "a\n"),
        ("a\nb\nc", 2, 1, "a\nb\n"),
    ],
)
def test_lines_are_taken_out_and_empty_ones_do_not_count(
    text: str, first: int, count: int, rest: str
) -> None:
    assert without_lines(text, first, count) == rest


@given(
    st.lists(st.sampled_from(["a,b", "1,2", "a,bc", "xa,b", "a,b ", ""]), max_size=12),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=80, deadline=None)
def test_rows_that_repeat_the_header_are_left_out_and_all_others_stay(
    lines: list[str], end: str
) -> None:
    text = end.join(["a,b", *lines]) + end
    rest, notes = without_repeated_header(PATH, text)
    assert rest == end.join(["a,b", *(line for line in lines if line != "a,b")]) + end
    assert sum(note.rows or 0 for note in notes) == lines.count("a,b")


@pytest.mark.parametrize(
    "word", ["Total", "TOTAL:", "Grand total", "Summe", "Итого", "合計", " sum "]
)
def test_a_last_row_of_sums_is_left_out(word: str) -> None:
    table = pa.table({"name": ["a", "b", "c", word], "size": [1, 2, 4, 7], "n": [1.5, 0.1, 0.2, 9]})
    rest, [note] = without_total(PATH, table)
    assert rest.to_pydict() == table.slice(0, 3).to_pydict()
    assert (note.kind, note.rows) == ("dropped", 1)


@pytest.mark.parametrize(
    ("names", "sizes", "doubted"),
    [
        (["a", "b", "c", "Total"], [1, 2, 4, 8], True),  # not the sum
        (["a", "b", "c", "Totally"], [1, 2, 4, 7], False),
        (["a", "b", "Total", "c"], [1, 2, 3, 6], False),  # not last
        (["a", "b", "Total"], [1, 2, 3], False),  # few rows
        (["a", "b", "c", "Total"], [0, 0, 0, 0], True),  # zeros are a sum of anything
    ],
)
def test_a_last_row_that_is_not_the_sum_stays(
    names: list[str], sizes: list[int], doubted: bool
) -> None:
    table = pa.table({"name": names, "size": sizes})
    rest, notes = without_total(PATH, table)
    assert rest is table
    assert [note.kind for note in notes] == ["doubt"] * doubted


def test_a_sum_that_was_rounded_is_one() -> None:
    sizes = [0.1] * 30
    table = pa.table({"name": ["x"] * 30 + ["Total"], "size": [*sizes, 3.0000001]})
    assert without_total(PATH, table)[0].num_rows == 30
