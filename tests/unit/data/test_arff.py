"""Files of Weka and OpenML: declared columns, quoted cells, sparse rows, dates."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from engine.data.readers.base import read_file
from engine.data.readers.java_dates import strptime_format
from engine.data.readers.reading import Reading, ReadOptions
from engine.data.tables.columns import detect_columns
from engine.errors import DataError

CREDIT = r"""% 1. Title: German Credit
@relation 'credit-g'
@attribute checking_status {'<0', '0<=X<200', 'no checking'}
@ATTRIBUTE duration REAL
@attribute 'credit amount' numeric % in marks
@attribute "it's" {'a\'b', "c,d", none}
@attribute grade {1,2,3}
@attribute when date "dd.MM.yyyy HH:mm"
@attribute iso DATE
@attribute note string
@attribute years integer

@data
'<0',6,1169.5,'a\'b',1,"03.04.2001 12:12",'2001-04-03T12:12:12','some, text',4
'no checking' , 48 , 5951 , "c,d" , 2 , '03.04.2001 12:13' , ? , 'say \"hi\"' , 2
% a comment
?,?,?,none,3,?,?,?,?
0<=X<200,1e3,-.5,none,?,'31.12.2001 00:00','2001-04-03T12:12:13','50 %',1
"""


def read(folder: Path, text: str, name: str = "a.arff", **options: Any) -> Reading:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_file(path, ReadOptions(**options))


def test_columns_have_the_declared_types_and_the_values_of_their_cells(tmp_path: Path) -> None:
    reading = read(tmp_path, CREDIT)
    assert reading.table.to_pydict() == {
        "checking_status": ["<0", "no checking", None, "0<=X<200"],
        "duration": [6.0, 48.0, None, 1000.0],
        "credit amount": [1169.5, 5951.0, None, -0.5],
        "it's": ["a'b", "c,d", "none", "none"],
        "grade": ["1", "2", "3", None],
        "when": [
            datetime(2001, 4, 3, 12, 12),
            datetime(2001, 4, 3, 12, 13),
            None,
            datetime(2001, 12, 31),
        ],
        "iso": [datetime(2001, 4, 3, 12, 12, 12), None, None, datetime(2001, 4, 3, 12, 12, 13)],
        "note": ["some, text", 'say "hi"', None, "50 %"],
        "years": [4, 2, None, 1],
    }
    assert reading.table.schema.field("years").type == pa.int64()
    assert not reading.notes


def test_rows_to_predict_from_have_the_same_moments_as_texts(tmp_path: Path) -> None:
    table = read(tmp_path, CREDIT, as_written=True).table
    assert pd.to_datetime(table["when"].to_pandas())[1] == pd.Timestamp("2001-04-03 12:13")
    assert table["grade"].to_pylist() == ["1", "2", "3", None]
    assert pa.types.is_string(table["grade"].type)


def test_nominal_digits_and_words_for_missing_stay_categories(tmp_path: Path) -> None:
    rows = "\n".join(f"{i % 3},{'none' if i % 2 else 'some'},{i}.5" for i in range(60))
    declared = "@attribute g {0,1,2}\n@attribute o {none,some}\n@attribute x real\n"
    table = read(tmp_path, f"@relation r\n{declared}@data\n{rows}\n").table
    grade, other, x = detect_columns(table)
    assert (grade.type, other.type, x.type) == ("categorical", "categorical", "numeric")
    assert (other.missing, other.distinct) == (0, 2)


def test_categories_of_pandas_that_are_digits_stay_categories() -> None:
    frame = pd.DataFrame({"a": pd.Categorical(list("123") * 20), "b": list("123") * 20})
    declared, texts = detect_columns(pa.Table.from_pandas(frame))
    assert (declared.type, texts.type) == ("categorical", "numeric")


def test_sparse_rows_have_zeros_and_the_first_declared_values(tmp_path: Path) -> None:
    declared = (
        '@attribute a numeric\n@attribute b {"w x", y}\n@attribute c {lo,hi}\n@attribute d integer'
    )
    reading = read(
        tmp_path,
        f"@relation s\n{declared}\n@data\n{{1 y, 3 5}}\n{{0 2.5, 2 hi, 3 ?}}, {{3}}\n{{ }}\n",
    )
    assert reading.table.to_pydict() == {
        "a": [0.0, 2.5, 0.0],
        "b": ["y", "w x", "w x"],
        "c": ["lo", "hi", "lo"],
        "d": [5, None, 0],
    }
    assert [(note.rows, note.kind) for note in reading.notes] == [(3, "converted"), (1, "dropped")]


def test_values_that_are_not_declared_are_counted(tmp_path: Path) -> None:
    reading = read(tmp_path, "@relation r\n@attribute a {x,y}\n@data\nx\nz\nz\nw\n")
    assert reading.table["a"].to_pylist() == ["x", "z", "z", "w"]
    (note,) = reading.notes
    assert note.rows == 3
    assert "'z', 'w'" in note.why


def test_dates_of_another_format_than_the_declared_one_stay_texts(tmp_path: Path) -> None:
    text = "@relation r\n@attribute a date yyyy/MM/dd\n@data\n2001/01/02\n02.01.2001\n"
    reading = read(tmp_path, text)
    assert reading.table["a"].to_pylist() == ["2001/01/02", "02.01.2001"]
    assert [note.rows for note in reading.notes] == [1]


@pytest.mark.parametrize(
    ("java", "python"),
    [
        ("yyyy-MM-dd'T'HH:mm:ss", "%Y-%m-%dT%H:%M:%S"),
        ("d.M.yy 'um' h a", "%d.%m.%y um %I %p"),
        ("MMM dd ''yy 100%", "%b %d '%y 100%%"),
        ("GGG yyyy", ""),
    ],
)
def test_formats_of_java_are_translated(java: str, python: str) -> None:
    assert strptime_format(java) == python


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a,b\n1,2\n", "no header that ends with @data"),
        ("@relation r\n@data\n1\n", "no @attribute before @data"),
        ("@relation r\n@attribute a numeric\n@data\n1\n2,3\n", "Line 5 of a.arff: 2 cells"),
        ("@relation r\n@attribute a real\n@data\n1\n% x\nten\n", "Line 6 of a.arff: 'ten' is not"),
        ("@relation r\n@attribute a {x,y\n@data\nx\n", "Line 2 of a.arff begins a list"),
        ("@relation r\n@attribute a relational\n@data\nx\n", "a table within the table"),
        ("@relation r\n@attribute a money\n@data\nx\n", "the unknown type 'money'"),
        ("@relation r\n@attribute a real\n@data\n{1 3}\n", "has a cell 1, where the last one is 0"),
        ("@relation r\n@attribute a real\n@data\n{0 3\n", "no } at its end"),
        ("@relation r\n@attribute a string\n@data\n'x\n", "has a quote in cell 1"),
        ("@relation r\n@attribute a string\n@data\n", "has no rows"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem.replace("(", r"\(")):
        read(tmp_path, text)
