"""Files of every format and quality become tables, or a sentence says what is wrong."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.config.data.file import FileConfig
from engine.data.class_labels import with_class_names
from engine.data.load import load_data, load_texts
from engine.data.raw import RawData, class_names
from engine.data.readers.base import read_file
from engine.data.readers.files import split_of
from engine.data.readers.reading import ReadOptions, unique_names
from engine.errors import DataError
from engine.text.classes.labels import labels_of

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def load(path: Path, **fields: str) -> RawData:
    return load_data(FileConfig(path=str(path), **fields))


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("comma.csv", "a,b\n1,x\n2,y\n"),
        ("semicolon.csv", "a;b\n1;x\n2;y\n"),
        ("bar.csv", "a|b\n1|x\n2|y\n"),
        ("tab.tsv", "a\tb\n1\tx\n2\ty\n"),
        ("windows.csv", "a,b\r\n1,x\r\n2,y\r\n"),
        ("mark.csv", "\ufeffa,b\n1,x\n2,y\n"),
        ("quotes.csv", '"a","b"\n1,"x"\n2,"y"\n'),
        ("no-end.csv", "a,b\n1,x\n2,y"),
        ("records.json", json.dumps(ROWS)),
        ("columns.json", json.dumps({"a": [1, 2], "b": ["x", "y"]})),
        ("inside.json", json.dumps({"version": 1, "data": ROWS})),
        ("lines.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("lines.ndjson", "\n\n".join(map(json.dumps, ROWS)) + "\n"),
    ],
)
def test_text_formats_give_the_same_table(tmp_path: Path, name: str, text: str) -> None:
    assert load(write(tmp_path / name, text)).train.to_pylist() == ROWS


def test_utf16_is_known_by_its_mark(tmp_path: Path) -> None:
    assert load(write(tmp_path / "a.csv", "a,b\n1,x\n2,y\n", "utf-16")).train.to_pylist() == ROWS


def _zstd(data: bytes) -> bytes:
    return pa.compress(data, "zstd").to_pybytes()


@pytest.mark.parametrize(("suffix", "packed"), [("gz", gzip.compress), ("zst", _zstd)])
def test_a_packed_file_is_unpacked(
    tmp_path: Path, suffix: str, packed: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"a.csv.{suffix}"
    path.write_bytes(packed(b"a,b\n1,x\n2,y\n"))
    assert load(path).train.to_pylist() == ROWS


VIEWS = {
    "text": (["a", None], pa.string_view()),
    "bytes": ([b"\xff", None], pa.binary_view()),
    "pair": ([{"key": "a"}, None], pa.struct([("key", pa.string_view())])),
    "texts": ([["a", "b"], None], pa.list_(pa.string_view())),
    "nothing": (
        [[{"a": 1, "b": None}] * 3, []],
        pa.list_(pa.struct([("a", pa.int64()), ("b", pa.null())])),
    ),
}
"""Columns as other programs write them, with types that few functions of Arrow take."""


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".arrow"])
def test_columns_of_views_are_read_as_columns_that_can_be_split(
    tmp_path: Path, suffix: str
) -> None:
    table = pa.table({name: pa.array(*column) for name, column in VIEWS.items()})
    path = tmp_path / f"rows{suffix}"
    if suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table)
    read = load(path).train
    assert read.to_pydict() == {name: values for name, (values, _) in VIEWS.items()}
    assert "view" not in str(read.schema.types)
    assert read.take([1, 0])["text"].to_pylist() == [None, "a"]


def test_a_view_beside_a_part_of_type_null_is_read(tmp_path: Path) -> None:
    parts = pa.list_(pa.struct([("text", pa.int64()), ("image", pa.null())]))
    kind = pa.list_(pa.struct([("role", pa.string_view()), ("parts", parts)]))
    turn = {"role": "x", "parts": [{"text": 1, "image": None}] * 3}
    rows = [{"turns": [turn] * 2}, {"turns": None}]
    table = pa.table({"turns": pa.array([row["turns"] for row in rows], kind)})
    with pa.ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as file:
        file.write_table(table)
    assert load(tmp_path / "a.arrow").train.to_pylist() == rows


def test_parquet_keeps_the_names_of_classes(tmp_path: Path) -> None:
    table = with_class_names(
        pa.table({"label": [0, 1], " spaced ": [1, 2]}), "label", ["no", "yes"]
    )
    pq.write_table(table, tmp_path / "a.parquet")
    train = load(tmp_path / "a.parquet").train
    assert class_names(train, "label") == ["no", "yes"]
    assert train.column_names == ["label", "spaced"]


def test_bytes_that_are_texts_are_texts_and_others_stay(tmp_path: Path) -> None:
    columns = {
        "city": pa.array(["Köln".encode(), b"Bonn", None]),
        "large": pa.array([b"0012", b"12", b"7"], pa.large_binary()),
        "photo": pa.array([b"a", b"\x89PNG", b"b"]),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    raw = load(tmp_path / "a.parquet", test_fraction="0", validation_fraction="0")
    assert raw.train["city"].to_pylist() == ["Köln", "Bonn", None]
    assert raw.train["large"].to_pylist() == ["0012", "12", "7"]
    assert raw.train["photo"].to_pylist() == [b"a", b"\x89PNG", b"b"]
    told = [(n.column, n.why, n.rows) for n in raw.notes]
    assert told == [("city", "bytes are read as text", 2), ("large", "bytes are read as text", 3)]


def test_a_file_without_header_gets_numbered_columns(tmp_path: Path) -> None:
    raw = load(write(tmp_path / "a.csv", "1.5,x\n2.5,y\n"))
    assert raw.train.column_names == ["column_1", "column_2"]
    assert raw.train.num_rows == 2
    assert "no header" in raw.notes[0].why


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ("1,2,3,4\n0.5,2,3.5,1\n0.1,1,2.5,0\n", ["1", "2", "3", "4"]),
        ("2001,2002,2003,2004\n7.5,8,9,1\n1,2,3,4\n", ["2001", "2002", "2003", "2004"]),
        ("7,8,9\n1,2,3\n4,5,6\n", None),
        ("1,2\n3,4\n5,6\n", None),
        ("name,2023,2024\nann,x,y\nbob,z,w\n", None),
        ("2023 total,n\n1.5,3\n2.5,4\n", ["2023 total", "n"]),
        (",word\n0,a\n1,b\n2,c\n", ["column_1", "word"]),
        ("ann,3,7.5\nbob,2,1.5\ncid,3,3.3\n", None),
        ("dull film,neg\nfine film,pos\nbad film,neg\npoor film,neg\n", None),
        ("text,label\ndull film,neg\nfine film,pos\nbad film,neg\n", ["text", "label"]),
    ],
)
def test_a_first_row_is_a_header_if_it_differs_from_those_below(
    tmp_path: Path, rows: str, names: list[str] | None
) -> None:
    raw = load(write(tmp_path / "a.csv", rows))
    lines = rows.count("\n")
    if names is None:
        assert raw.train.num_rows == lines
        assert [note.why for note in raw.notes] == ["a.csv has no header; columns are numbered"]
    else:
        assert (raw.train.column_names, raw.train.num_rows) == (names, lines - 1)


def test_a_header_can_be_declared(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "good,bad\nfine,poor\n")
    assert load(path).train.num_rows == 1
    assert load(path, header="no").train.num_rows == 2


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_single_column_of_quoted_cells_has_no_quotes(tmp_path: Path, suffix: str) -> None:
    texts = ['she said "no"', 'a, "b"; c', '["x", "y"]']
    cells = [text.replace('"', '""') for text in texts]
    path = write(tmp_path / f"a.{suffix}", "text\n" + "".join(f'"{cell}"\n' for cell in cells))
    assert load(path).train.to_pydict() == {"text": texts}


def test_decimal_commas_are_numbers(tmp_path: Path) -> None:
    assert load(write(tmp_path / "a.csv", "a;b\n1,5;x\n2,25;y\n")).train["a"].to_pylist() == [
        1.5,
        2.25,
    ]


def test_text_in_quotes_may_have_delimiters_and_line_ends(tmp_path: Path) -> None:
    train = load(write(tmp_path / "a.csv", 'a,b\n1,"x, y"\n2,"two\nlines"\n')).train
    assert train["b"].to_pylist() == ["x, y", "two\nlines"]


def test_lone_quotes_in_tab_separated_text_stay(tmp_path: Path) -> None:
    train = load(write(tmp_path / "a.tsv", 'text\tlabel\n5" wide\t1\nsay "no\t0\n')).train
    assert train["text"].to_pylist() == ['5" wide', 'say "no']


@pytest.mark.parametrize("delimiter", ["\t", ","])
def test_opening_quotes_without_a_closing_one_join_no_lines(tmp_path: Path, delimiter: str) -> None:
    texts = ['"warm, and funny"' if delimiter == "\t" else '"warm and funny"']
    texts += [f"number {i}" for i in range(60)]
    texts[20], texts[40] = '"painfully bad', '"dull'
    rows = "".join(f"{text}{delimiter}{i % 2}\n" for i, text in enumerate(texts))
    raw = load(write(tmp_path / "a.csv", f"text{delimiter}label\n{rows}"))
    assert raw.train["text"].to_pylist() == [texts[0].strip('"'), *texts[1:]]
    [note] = raw.notes
    assert note.why == (
        "a.csv: 2 opening quotes without a closing one, the first in line 22; "
        "quotes are read as characters"
    )


def test_a_cell_of_many_lines_is_asked_about(tmp_path: Path) -> None:
    text = 'text,label\n"' + "line\n" * 69 + 'end, really",a\nx,b\n'
    raw = load(write(tmp_path / "a.csv", text))
    assert raw.train.num_rows == 2
    [note] = raw.notes
    assert note.why == "a.csv: text of row 1 has 70 lines; is a quote missing?"


SPELLINGS = ["093", "0.50", "true", "08:56", "2024-05-24", "12345678901234567890", "1e3", "", "NA"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_cells_of_a_csv_are_texts_as_written_where_texts_are_wanted(
    tmp_path: Path, spelling: str
) -> None:
    path = write(tmp_path / "a.csv", f"prompt,completion\nsay,{spelling}\nsay,{spelling}\n")
    train = load_texts(FileConfig(path=str(path))).train
    assert train["completion"].to_pylist() == [spelling, spelling]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "nested.json"])
def test_values_of_json_are_texts_as_written_where_texts_are_wanted(
    tmp_path: Path, name: str
) -> None:
    rows = ['{"x": 0.50, "y": {"n": [1, 2.0]}}', '{"x": true, "y": {"n": []}}']
    rows += ['{"x": 12345678901234567890, "y": null}', '{"x": "2024-05-24", "y": null}']
    lines = "\n".join(rows) if name == "a.jsonl" else f"[{', '.join(rows)}]"
    text = f'{{"data": {lines}}}' if name == "nested.json" else lines
    train = load_texts(FileConfig(path=str(write(tmp_path / name, text)))).train
    assert train["x"].to_pylist() == ["0.50", "true", "12345678901234567890", "2024-05-24"]
    assert train["y"].to_pylist()[:2] == [{"n": [1.0, 2.0]}, {"n": []}]


def test_whole_numbers_of_which_some_begin_with_zeros_are_codes(tmp_path: Path) -> None:
    text = "depot,zone,n,share,open\n0012,01,10,0.5,True\n012,02,0,0.25,TRUE\n12,,-7,00.5,false\n"
    train = load(write(tmp_path / "a.csv", text)).train
    assert train["depot"].to_pylist() == ["0012", "012", "12"]
    assert train["zone"].to_pylist() == ["01", "02", None]
    assert train["n"].to_pylist() == [10, 0, -7]
    assert train["share"].to_pylist() == [0.5, 0.25, 0.5]
    assert train["open"].to_pylist() == ["True", "TRUE", "false"]


def test_a_type_is_that_of_the_whole_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b\n" + "1,2\n" * 300_000 + "one,2\n")
    assert load(path).train.schema.field("a").type == pa.string()


def test_repeated_and_empty_names_are_renamed_with_a_note(tmp_path: Path) -> None:
    raw = load(write(tmp_path / "a.csv", "a,a,,b\n1,2,3,x\n"))
    assert raw.train.column_names == ["a", "a_2", "column_3", "b"]
    assert len(raw.notes) == 2


def test_new_names_do_not_meet_old_ones() -> None:
    assert unique_names(["a", "a", "a_2", "", "column_4"]) == [
        "a",
        "a_3",
        "a_2",
        "column_4_2",
        "column_4",
    ]


def test_records_need_not_have_the_same_keys(tmp_path: Path) -> None:
    train = load(write(tmp_path / "a.json", '[{"a": 1}, {"b": "x"}, {"a": "two"}]')).train
    assert train.to_pylist() == [
        {"a": "1", "b": None},
        {"a": None, "b": "x"},
        {"a": "two", "b": None},
    ]


TWO = [{"t": "x", "n": 1}, {"t": "y", "n": 2}]


DOCUMENTS: list[object] = [
    TWO,
    {"t": ["x", "y"], "n": [1, 2]},
    {"t": {"0": "x", "1": "y"}, "n": {"0": 1, "1": 2}},
    {"0": TWO[0], "1": TWO[1]},
    {"columns": ["t", "n"], "index": [0, 1], "data": [["x", 1], ["y", 2]]},
    {
        "schema": {"fields": [], "primaryKey": ["index"]},
        "data": [{"index": i} | row for i, row in enumerate(TWO)],
    },
    {"version": "1.0", "data": TWO},
]


@pytest.mark.parametrize(
    ("name", "content"), [("a.jsonl", TWO), *(("a.json", document) for document in DOCUMENTS)]
)
def test_a_document_is_a_table_in_any_of_its_forms(
    tmp_path: Path, name: str, content: object
) -> None:
    assert load(write(tmp_path / name, json.dumps(content))).train.to_pylist() == TWO


def test_columns_may_hold_objects(tmp_path: Path) -> None:
    columns = {"t": ["x", "y"], "answers": [{"text": ["a"]}, {"text": []}]}
    train = load(write(tmp_path / "a.json", json.dumps(columns))).train
    assert train.to_pydict() == columns


def test_the_list_of_rows_is_read_and_others_are_named(tmp_path: Path) -> None:
    content = {"categories": [{"id": 1}, {"id": 2}], "entries": [*TWO, *TWO]}
    raw = load(write(tmp_path / "a.json", json.dumps(content)))
    assert raw.train.to_pylist() == [*TWO, *TWO]
    [note] = raw.notes
    assert note.why == "a.json: read entries for train; not used: categories"


def test_lists_that_are_named_for_splits_are_those(tmp_path: Path) -> None:
    content = {"dev": TWO[:1], "train": [*TWO, *TWO], "test": TWO, "info": {"by": "x"}}
    raw = load(write(tmp_path / "a.json", json.dumps(content)))
    assert {split: table.num_rows for split, table in raw.splits.items()} == {
        "train": 4, "validation": 1, "test": 2,
    }  # fmt: skip
    raw = load(write(tmp_path / "b.json", json.dumps({"data": [*TWO, *TWO], "test": TWO})))
    assert {split: table.num_rows for split, table in raw.splits.items()} == {
        "train": 4, "test": 2,
    }  # fmt: skip


def test_texts_that_look_like_dates_stay_as_written(tmp_path: Path) -> None:
    rows = [{"b": "2019-05-03", "a": ["2020-01-01T00:00:00", "x"], "c": {"d": "2021/02/03"}}] * 2
    rows[1] = rows[0] | {"a": ["2020-01-02 10:00"]}
    train = load(write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))).train
    assert train.to_pylist() == rows
    assert train.column_names == ["b", "a", "c"]


def test_columns_that_folders_name_are_read(tmp_path: Path) -> None:
    for folder, values in {
        "city=K%C3%B6ln/year=2023": [1],
        "city=Bonn/year=2024": [2, 3],
        "city=__HIVE_DEFAULT_PARTITION__/year=2024": [4],
    }.items():
        (tmp_path / folder).mkdir(parents=True)
        pq.write_table(pa.table({"a": values}), tmp_path / folder / "part-0.parquet")
    raw = load(tmp_path)
    rows = set(zip(*raw.train.to_pydict().values(), strict=True))
    assert rows == {
        (1, "Köln", "2023"),
        (2, "Bonn", "2024"),
        (3, "Bonn", "2024"),
        (4, None, "2024"),
    }
    assert [(note.column, note.rows, note.kind) for note in raw.notes] == [
        ("city", 4, "converted"),
        ("year", 4, "converted"),
    ]


def test_a_column_of_a_file_goes_before_that_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "lr=0.1" / "a=7"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"a": [1], "b": [2]}), folder / "part-0.parquet")
    assert load(folder.parent).train.to_pydict() == {"a": [1], "b": [2]}


@pytest.mark.parametrize("delimiter", ["abc", "::", "§", '"', "\\s+"])
def test_a_delimiter_that_cannot_be_one_is_refused(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path / "a.csv", "a,b\n1,x\n2,y\n")
    with pytest.raises(DataError, match=r"data\.delimiter: .* cannot divide the cells"):
        load(path, delimiter=delimiter)


def test_a_file_that_is_read_for_two_splits_is_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b\n1,x\n2,y\n")
    other = write(tmp_path / "b.csv", "a,b\n3,x\n")
    raw = load(path, validation_path=str(path), test_path=str(other))
    assert [(note.column, note.why) for note in raw.notes] == [
        ("validation", "a.csv is read for train as well: its rows were learned")
    ]
    raw = load(path, validation_path=str(other), test_path=str(other))
    assert [(note.column, note.why) for note in raw.notes] == [
        ("test", "b.csv is read for validation as well: its rows selected the weights")
    ]


def test_classes_of_several_files_are_joined_by_name(tmp_path: Path) -> None:
    for name, order, codes in (("1", ["no", "yes"], [0, 1, 1]), ("2", ["yes", "no"], [0, 1, -1])):
        table = with_class_names(pa.table({"label": codes, "x": [1, 2, 3]}), "label", order)
        pq.write_table(table, tmp_path / f"{name}.parquet")
    raw = load(tmp_path)
    assert labels_of(raw.train, "label") == ["no", "yes", "yes", "yes", "no", None]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "a,b\n", "a.csv has no rows"),
        ("a.csv", "a,b\n1,x\n2,y,z\n", "a.csv, row 3: 3 cells instead of 2"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "a.jsonl, row 2: not JSON"),
        ("a.jsonl", '{"a": 1}\n[2]\n', "a.jsonl, row 2"),
        ("a.jsonl", " \n", "a.jsonl is empty"),
        ("a.json", "{", "a.json is not JSON"),
        ("a.json", '{"a": 1}', "a.json holds no table"),
        ("a.json", '[{"a": [1]}, {"a": 2}]', "'a' have different shapes"),
        ("a.json", '[{"a": 1}, {"a": "\\ud800"}]', "a.json, row 2: the text .* half a character"),
        ("a.parquet", "PAR1", "not a readable Parquet file"),
        (
            "a.numbers",
            "x",
            "no way to read the file a.numbers. Save it as .xlsx, or its sheet as CSV",
        ),
        ("a.xlsx", "x", "a.xlsx is not a readable workbook"),
        ("a.xlsx", "\xd0\xcf", "a.xlsx is not a readable workbook"),
        ("a.sqlite", "x", "a.sqlite is not a database of SQLite"),
        ("a.ZIP", "x", "no way to read the file a.ZIP. Unpack it"),
        ("a.csv.zst", "x", "Cannot read"),
        ("a.csv.gz", "x", "Cannot read"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        load(write(tmp_path / name, text))


@pytest.mark.parametrize("share", [0.99, 0.6])
@pytest.mark.parametrize(
    "suffix",
    ["jsonl", "json", "parquet", "arrow", "jsonl.gz", "jsonl.bz2", "jsonl.xz", "jsonl.zst"],
)
def test_a_file_that_ends_too_early_is_to_be_copied_again(
    tmp_path: Path, suffix: str, share: float
) -> None:
    rows = [{"prompt": f"what is {number}?", "answer": number * 977 % 991} for number in range(200)]
    lines = "\n".join(map(json.dumps, rows)).encode()
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "parquet")
    with pa.ipc.new_file(str(tmp_path / "arrow"), table.schema) as writer:
        writer.write_table(table)
    data = {
        "jsonl": lines,
        "json": json.dumps(rows).encode(),
        "parquet": (tmp_path / "parquet").read_bytes(),
        "arrow": (tmp_path / "arrow").read_bytes(),
        "jsonl.gz": gzip.compress(lines),
        "jsonl.bz2": bz2.compress(lines),
        "jsonl.xz": lzma.compress(lines),
        "jsonl.zst": _zstd(lines),
    }[suffix]
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data[: int(share * len(data)) - 5])
    with pytest.raises(DataError, match=r"copy or download it again") as raised:
        load(path)
    assert ".." not in str(raised.value).replace(str(path), "")


def test_a_wrong_row_in_the_middle_is_to_be_corrected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"a": 1}\n{"a": x}\n{"a": 2}\n')
    with pytest.raises(DataError, match=r"row 2: not JSON: .* Correct it there"):
        load(path)


def test_a_table_that_ends_within_quotes_is_noted(tmp_path: Path) -> None:
    text = 'a,b\n1,"x, y"\n2,"x,\ny"\n'
    found = {
        part: [note.why for note in load(write(tmp_path / "a.csv", part)).notes]
        for part in (text, text[:-1], text[:-2])
    }
    why = "a.csv: its last cell has no closing quote; it may be incomplete"
    assert [why in notes for notes in found.values()] == [False, False, True]


def test_a_byte_that_is_no_utf8_is_named_with_its_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b\n1,x\n2,café\n", "latin-1")
    with pytest.raises(DataError, match=r"a\.csv, row 3: byte 0xE9 .* is not UTF-8"):
        load(path)
    assert load(path, encoding="latin-1").train["b"].to_pylist() == ["x", "café"]


def test_a_missing_file_suggests_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "adult.csv", "a\n1\n")
    with pytest.raises(DataError, match=r"no file or folder .* Did you mean adult.csv"):
        load(tmp_path / "adult2.csv")


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "a.csv", "a,b\n1,x\n2,y\n")
    assert load_data(FileConfig(path="~/a.csv")).train.to_pylist() == ROWS


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-00000-of-00005.parquet", "train"),
        ("validation.csv", "validation"),
        ("my_dev_set.csv", "validation"),
        ("data/test/part-1.csv", "test"),
        ("Val.csv", "validation"),
        ("trains.csv", ""),
        ("contest.csv", ""),
        ("rows.csv", ""),
    ],
)
def test_a_name_tells_the_split(name: str, split: str) -> None:
    assert split_of(Path(name)) == split


def test_a_folder_gives_its_splits(tmp_path: Path) -> None:
    for i in range(2):
        write(tmp_path / f"train-{i}-of-2.csv", f"a,b\n{i},x\n")
    write(tmp_path / "test.csv", "a,b\n7,y\n")
    write(tmp_path / "dataset_infos.json", "{}")
    raw = load(tmp_path)
    assert {name: table["a"].to_pylist() for name, table in raw.splits.items()} == {
        "train": [0, 1],
        "test": [7],
    }
    assert "dataset_infos.json" in raw.notes[0].why


def test_a_pattern_takes_only_what_fits(tmp_path: Path) -> None:
    for name in ("train.csv", "train-2.csv", "test.csv"):
        write(tmp_path / name, "a\n1\n")
    assert {name: t.num_rows for name, t in load(tmp_path / "train*.csv").splits.items()} == {
        "train": 2
    }


def test_a_folder_above_says_nothing_about_splits(tmp_path: Path) -> None:
    write(tmp_path / "test" / "one.csv", "a\n1\n")
    write(tmp_path / "test" / "two.csv", "a\n2\n")
    assert load(tmp_path / "test").train.num_rows == 2


def test_splits_may_lie_elsewhere(tmp_path: Path) -> None:
    train, test = write(tmp_path / "a.csv", "a\n1\n"), write(tmp_path / "b.csv", "a\n2\n3\n")
    raw = load(train, test_path=str(test))
    assert {name: table.num_rows for name, table in raw.splits.items()} == {"train": 1, "test": 2}


def test_a_folder_without_training_files_is_refused(tmp_path: Path) -> None:
    for name in ("test.csv", "val.csv"):
        write(tmp_path / name, "a\n1\n")
    with pytest.raises(DataError, match="no training files"):
        load(tmp_path)


def test_files_that_do_not_fit_together_are_named(tmp_path: Path) -> None:
    write(tmp_path / "train-1.jsonl", '{"a": [1]}\n')
    write(tmp_path / "train-2.jsonl", '{"a": "x"}\n')
    with pytest.raises(DataError, match=r"train-1\.jsonl … train-2\.jsonl do not fit together"):
        load(tmp_path)


def test_control_characters_of_a_name_are_shown_harmless(tmp_path: Path) -> None:
    path = write(tmp_path / "a\x1b]2;x\x07.csv", "")
    with pytest.raises(DataError) as caught:
        load(path)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("place", range((1 << 18) - 4, (1 << 18) + 2))
def test_a_padded_number_is_found_where_the_file_is_looked_through_in_parts(
    tmp_path: Path, place: int
) -> None:
    file = tmp_path / "a.csv"
    before = "n,text\n" + "5,y\n" * (place // 4 - 4) + "5,"
    file.write_text(f"{before}{'y' * (place - len(before))}\n012,y\n5,z\n")
    train = load_data(FileConfig(path=str(file))).train
    assert train["n"].to_pylist()[-3:] == ["5", "012", "5"]


@pytest.mark.parametrize(
    ("cells", "doubted"),
    [
        (["1.9", "1.10", "2.0"], "1.10 is read as the number 1.1; is it a version or a code?"),
        (["1.9", "1.1", "2.0"], ""),
        (["1E3", "2E5"], "1E3 is read as the number 1000; is it a version or a code?"),
        (["1e+03", "2e+05"], ""),
        (["1.90", "1.10", "2.00"], ""),
        (["12.50", "3.25", "1000.5"], ""),
    ],
)
def test_numbers_that_may_be_versions_are_a_doubt(
    tmp_path: Path, cells: list[str], doubted: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("version,y\n" + "".join(f"{cell},1\n" for cell in cells * 5))
    assert [note.why for note in load_data(FileConfig(path=str(path))).notes] == [doubted] * bool(
        doubted
    )
    as_text = FileConfig(path=str(path), columns={"version": "text"})
    assert load_data(as_text).notes == ()


@pytest.mark.parametrize(
    ("cells", "delimiter", "doubted"),
    [
        (["1.234", "995", "12.500"], ";", True),
        (["1.234", "995", "12.5"], ";", False),
        (["1.234", "1995", "12.500"], ";", False),
        (["0.234", "1.125"], ";", False),
        (["1.234", "995"], ",", False),
        (["1", "2"], ";", False),
    ],
)
def test_fractions_that_may_be_thousands_are_a_doubt(
    tmp_path: Path, cells: list[str], delimiter: str, doubted: bool
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"n{delimiter}y\n" + "".join(f"{cell}{delimiter}1\n" for cell in cells * 5))
    notes = load_data(FileConfig(path=str(path))).notes
    why = f"{min(cells)} is read as a fraction; it may have thousands as well"
    assert [note.why for note in notes] == [why] * doubted
    set_as = FileConfig(path=str(path), columns={"n": "numeric 1.234,5"})
    assert load_data(set_as).notes == ()


def test_quotes_within_the_cells_of_a_tab_separated_file_are_doubled(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('text\ty\n"a ""b"" c"\t1\nplain\t2\n')
    assert load_texts(FileConfig(path=str(path))).train["text"].to_pylist() == ['a "b" c', "plain"]
    path.write_text('text\ty\n"a" and "b"\t1\n""c""\t2\n')
    given = load_texts(FileConfig(path=str(path))).train["text"].to_pylist()
    assert given == ['"a" and "b"', '""c""']


def test_single_quotes_that_enclose_cells_are_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("'name';'n'\n'a;b';'1,5'\n'it''s';'2,5'\n'';'3,5'\n")
    raw = load_data(FileConfig(path=str(path)))
    assert raw.train.to_pydict() == {"name": ["a;b", "it's", ""], "n": [1.5, 2.5, 3.5]}
    assert [note.read_as for note in raw.notes] == ["quotes"]


@pytest.mark.parametrize(
    "rows", ["'tis late,1\n'twas 'so',2\n", "'a',1\nb,2\nc,3\n", "'a' and \"b\",1\n'c',2\n"]
)
def test_apostrophes_stay_characters(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,y\n" + rows)
    raw = load_texts(FileConfig(path=str(path)))
    cells = [line.rpartition(",")[0] for line in rows.splitlines()]
    assert raw.train["text"].to_pylist() == cells
    assert not [note for note in raw.notes if note.read_as == "quotes"]


def test_a_delimited_text_file_is_a_table_to_tasks_on_tables(tmp_path: Path) -> None:
    path = tmp_path / "power.txt"
    path.write_text('"";"MT_001"\n"2011-01-01";1,5\n"2011-01-02";2,5\n')
    reading = read_file(path, ReadOptions())
    assert reading.table.num_columns == 2
    assert reading.notes[0].change == "data.format"
    assert read_file(path, ReadOptions(as_written=True)).table.column_names == ["text"]
    path.write_text("Well, here it is.\nA line, with two, commas.\n")
    assert read_file(path, ReadOptions()).table.column_names == ["text"]
