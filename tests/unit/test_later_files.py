"""Files that are read like the training file: its delimiter and header are not guessed anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.data.file import FileConfig
from engine.data.fitted import FileFormat
from engine.data.raw import RawData
from engine.data.readers.files import load_files
from engine.data.readers.later import read_later
from engine.data.readers.reading import ReadOptions
from engine.service.preview import preview

TRAIN = "name;n\n" + "\n".join(f"word {i};{i}" for i in range(30)) + "\n"


def loaded(folder: Path, test: str) -> RawData:
    (folder / "train.csv").write_text(TRAIN)
    (folder / "test.csv").write_text(test)
    return load_files(FileConfig(path=str(folder)))


def test_the_format_of_the_training_file_is_kept(tmp_path: Path) -> None:
    raw = loaded(tmp_path, "name;n\na;1\n")
    assert raw.file_format == FileFormat(delimiter=";", header="yes")


def test_a_file_with_more_commas_than_semicolons_is_cut_like_the_training_file(
    tmp_path: Path,
) -> None:
    raw = loaded(tmp_path, "name;n\na,b,c;1\nd,e,f;2\n")
    assert raw.splits["test"].to_pydict() == {"name": ["a,b,c", "d,e,f"], "n": [1, 2]}


def test_a_header_is_one_though_it_looks_like_a_row(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("2020,2021\n" * 1 + "a,1\nb,2\n")
    (tmp_path / "test.csv").write_text("2020,2021\n2020,3\n")
    raw = load_files(FileConfig(path=str(tmp_path), header="yes"))
    assert raw.splits["test"].to_pydict() == {"2020": [2020], "2021": [3]}


def test_a_file_with_another_delimiter_is_read_by_its_own(tmp_path: Path) -> None:
    raw = loaded(tmp_path, "name,n\na,1\nb,2\n")
    assert raw.splits["test"].to_pydict() == {"name": ["a", "b"], "n": [1, 2]}


def test_columns_of_a_file_without_a_header_are_taken_in_order_and_that_is_noted(
    tmp_path: Path,
) -> None:
    raw = loaded(tmp_path, "a;1\na;2\na;3\n")
    assert raw.splits["test"].to_pydict() == {"name": ["a", "a", "a"], "n": [1, 2, 3]}
    assert any("test.csv has no header" in str(note) for note in raw.notes)


@pytest.mark.parametrize("header", ["yes", "no"])
def test_rows_to_predict_from_lose_none_to_a_header(tmp_path: Path, header: str) -> None:
    file = tmp_path / "new.csv"
    file.write_text("text\ngood\nbad\n" if header == "yes" else "good\nbad\nfine\n")
    names = ["text" if header == "yes" else "column_1"]
    known = FileFormat.model_validate({"delimiter": ",", "header": header})
    table = read_later(file, ReadOptions(as_written=True), "", known, names).table
    expected = ["good", "bad"] if header == "yes" else ["good", "bad", "fine"]
    assert table.to_pydict() == {names[0]: expected}


def test_the_decimal_comma_of_the_training_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a;n\n1,25;2\n")
    (tmp_path / "test.csv").write_text("a;n\n1.250;2\n")
    raw = load_files(FileConfig(path=str(tmp_path)))
    assert raw.file_format == FileFormat(delimiter=";", header="yes", decimal=",")
    assert raw.splits["test"]["a"].to_pylist() == ["1.250"]


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_split_without_an_input_column_is_refused_before_a_training(
    tmp_path: Path, split: str
) -> None:
    rows = "".join(f"{i % 9},{i % 5},{i % 7 + 0.5}\n" for i in range(60))
    (tmp_path / "train.csv").write_text(f"a,b,y\n{rows}")
    (tmp_path / f"{split}.csv").write_text("a,y\n1,2.5\n3,1.5\n")
    values = {
        "task": {"kind": "tabular_regression", "target": "y"},
        "data": {"kind": "file", "path": str(tmp_path)},
        "model": {"kind": "mlp"},
    }
    assert f"{split} has no column b" in preview(values)["problem"]
    answer = preview(values | {"data": values["data"] | {"columns": {"b": "ignored"}}})  # type: ignore[operator]
    assert answer["problem"] == ""


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (["01", "02"], ["11", "12"], ["01", "02", "11", "12"]),
        (["1.5", "2"], ["?", "3"], ["1.5", "2", "?", "3"]),
        (["2023-01-01"], ["02.01.2023"], ["2023-01-01", "02.01.2023"]),
        (["1", "2"], ["1.5"], [1, 2, 1.5]),
    ],
)
def test_a_column_that_one_of_several_files_has_as_text_is_text_in_all(
    tmp_path: Path, first: list[str], second: list[str], expected: list[str]
) -> None:
    for name, cells in (("a.csv", first), ("b.csv", second)):
        (tmp_path / name).write_text("c,n\n" + "".join(f"{cell},7\n" for cell in cells))
    raw = load_files(FileConfig(path=str(tmp_path)))
    assert raw.train.to_pydict() == {"c": expected, "n": [7] * len(expected)}
    assert raw.notes == ()


def test_a_column_that_some_files_lack_is_noted_with_its_rows(tmp_path: Path) -> None:
    for name, text in (("a.csv", "c,n\n1,2\n"), ("b.csv", "c\n3\n4\n"), ("d.csv", "c\n5\n")):
        (tmp_path / name).write_text(text)
    raw = load_files(FileConfig(path=str(tmp_path)))
    assert raw.train["n"].to_pylist() == [2, None, None, None]
    [note] = raw.notes
    assert (note.column, note.rows, note.kind) == ("n", 3, "doubt")
    assert "missing in b.csv and 1 more file" in note.why


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["08:30", "17:00"], ["08:30", "17:00"]),
        (["2024-01-01 08:30", "2024-01-02 08:30"], ["2024-01-01 08:30", "2024-01-02 08:30"]),
        (["1.10", "1.1"], ["1.10", "1.1"]),
        (["1.0", "0.0"], ["0", "1"]),
        (["2.5", "0.5"], ["0.5", "2.5"]),
    ],
)
def test_classes_of_a_table_are_as_they_are_written(
    tmp_path: Path, classes: list[str], expected: list[str]
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,y\n" + "".join(f"{i % 9},{classes[i % 2]}\n" for i in range(60)))
    values = {
        "task": {"kind": "tabular_classification", "target": "y"},
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "mlp"},
    }
    assert sorted(preview(values)["summary"]["classes"]) == sorted(expected)
