"""Files of predictions: read back by another program, they have what was predicted."""

from __future__ import annotations

import base64
import csv
import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.service.column_predictions import free_name, predicted_pieces
from engine.service.prediction_file import check_output, write_pieces, write_table

SUFFIXES = [".csv", ".parquet", ".jsonl"]
MIXED = {
    "text": ["a,b", 'say "x"', None, "two\nlines", "Zoë 🙂"],
    "number": [1.5, -0.25, None, 1e300, 5e-324],
    "whole": [2**62, -1, None, 0, 7],
    "yes": [True, False, None, True, False],
}


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Rows as the standard library reads them, or pandas for Parquet; none are guessed at."""
    if path.suffix == ".jsonl":
        return [json.loads(line, parse_constant=_refused) for line in path.read_text().split("\n")
                if line]  # fmt: skip
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    records: list[dict[str, Any]] = pa.parquet.read_table(path).to_pylist()
    return records


def _refused(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_values_of_all_types_come_back_as_they_were(output: Path, suffix: str) -> None:
    path = output.with_suffix(suffix)
    write_table(pa.table(MIXED), path)
    assert rows_of(path) == pa.table(MIXED).to_pylist()


def test_csv_quotes_what_its_format_needs_quoted(output: Path) -> None:
    path = output.with_suffix(".csv")
    write_table(pa.table(MIXED), path)
    read = rows_of(path)
    assert [row["text"] for row in read] == ["a,b", 'say "x"', "", "two\nlines", "Zoë 🙂"]
    assert [row["number"] and float(row["number"]) for row in read] == [
        1.5, -0.25, "", 1e300, 5e-324,
    ]  # fmt: skip
    assert [row["whole"] for row in read] == [str(2**62), "-1", "", "0", "7"]
    assert [row["yes"] for row in read] == ["true", "false", "", "true", "false"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rows", [0, 1])
def test_short_tables_keep_their_columns(output: Path, suffix: str, rows: int) -> None:
    path = output.with_suffix(suffix)
    write_table(pa.table({"label": ["a"] * rows, "score": [0.5] * rows}), path)
    read = rows_of(path)
    assert len(read) == rows
    if suffix == ".csv":
        assert path.read_text().splitlines()[0] == '"label","score"'
    if suffix == ".parquet":
        assert pd.read_parquet(path).columns.tolist() == ["label", "score"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pieces_stand_after_each_other_under_one_heading(output: Path, suffix: str) -> None:
    path = output.with_suffix(suffix)
    pieces = [pa.table({"row": pa.array(part, pa.int64())}) for part in ([0, 1], [], [2])]
    write_pieces(iter(pieces), path)
    assert [int(row["row"]) for row in rows_of(path)] == [0, 1, 2]


def test_more_rows_than_are_written_at_a_time_keep_their_order(output: Path) -> None:
    path = output.with_suffix(".jsonl")
    write_table(pa.table({"row": range(2500)}), path)
    assert [row["row"] for row in rows_of(path)] == list(range(2500))


def test_numbers_that_json_has_no_words_for_are_null(output: Path) -> None:
    """RFC 8259, section 6: "Infinity and NaN are not permitted"."""
    path = output.with_suffix(".jsonl")
    columns = {
        "score": [0.5, math.nan, math.inf],
        "each": [[1.0], [math.nan, 2.0], [-math.inf]],
        "more": [{"a": 1.0}, {"a": math.nan}, {"a": 0.0}],
    }
    write_table(pa.table(columns), path)
    assert rows_of(path) == [
        {"score": 0.5, "each": [1.0], "more": {"a": 1.0}},
        {"score": None, "each": [None, 2.0], "more": {"a": None}},
        {"score": None, "each": [None], "more": {"a": 0.0}},
    ]


def test_lists_and_objects_are_json_in_the_cells_of_csv(output: Path) -> None:
    path = output.with_suffix(".csv")
    values = [[{"word": "é", "at": 1.5}], [], None, [{"word": "b", "at": math.nan}]]
    write_table(pa.table({"found": values, "row": range(4)}), path)
    cells = [row["found"] for row in rows_of(path)]
    assert [json.loads(cell, parse_constant=_refused) if cell else None for cell in cells] == [
        [{"word": "é", "at": 1.5}], [], None, [{"word": "b", "at": None}],
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(2)])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_bytes_of_every_type_are_written_in_base64(
    output: Path, kind: pa.DataType, suffix: str
) -> None:
    path = output.with_suffix(suffix)
    photos = pa.array([b"\x00\xff", None], kind)
    write_table(pa.table({"photo": photos, "label": ["a", "b"]}), path)
    first, second = (row["photo"] for row in rows_of(path))
    assert base64.b64decode(first) == b"\x00\xff"
    assert not second


def test_dates_decimals_and_categories_can_be_read_again(output: Path) -> None:
    moment = datetime(2024, 2, 29, 23, 59, 58)
    columns = {
        "time": pa.array([moment, None]),
        "price": pa.array([Decimal("1.10"), None]),
        "kind": pa.array(["a", None]).dictionary_encode(),
        "took": pa.array([timedelta(seconds=90), None]),
    }
    path = output.with_suffix(".jsonl")
    write_table(pa.table(columns), path)
    first, second = rows_of(path)
    assert datetime.fromisoformat(first["time"]) == moment
    assert (Decimal(first["price"]), first["kind"]) == (Decimal("1.10"), "a")
    assert pd.Timedelta(first["took"]) == pd.Timedelta(seconds=90)
    assert set(second.values()) == {None}


@settings(deadline=None, max_examples=20)
@given(st.lists(st.text(), max_size=30))
def test_any_text_survives_the_way_through_csv(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "out.csv"
    texts = [text.replace("\x00", "") for text in texts]
    write_table(pa.table({"text": pa.array(texts, pa.string()), "n": range(len(texts))}), path)
    assert [row["text"] for row in rows_of(path)] == texts


def test_a_failed_writing_leaves_the_earlier_file(output: Path) -> None:
    path = output.with_suffix(".csv")
    path.write_text("before")

    def pieces() -> Iterator[pa.Table]:
        yield pa.table({"label": ["a"]})
        raise MemoryError

    with pytest.raises(MemoryError):
        write_pieces(pieces(), path)
    assert path.read_text() == "before"
    assert list(path.parent.glob("*out*")) == [path]


def test_a_folder_that_is_missing_is_a_sentence(output: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be written: No such file or directory"):
        write_table(pa.table({"label": ["a"]}), output / "none" / "out.csv")


@pytest.mark.parametrize("name", ["out", "out.txt", "out.csv.gz", ".csv"])
def test_a_name_without_a_known_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"Name it with one of \.csv, \.parquet, \.jsonl"):
        check_output(tmp_path / name, replace=True)


def test_suffixes_are_known_in_capital_letters(output: Path) -> None:
    path = output.with_suffix(".CSV")
    check_output(path, replace=False)
    write_table(pa.table({"label": ["a"]}), path)
    assert path.read_text() == '"label"\n"a"\n'


def test_the_input_is_never_overwritten_under_whatever_name(tmp_path: Path) -> None:
    source, link = tmp_path / "in.csv", tmp_path / "link.csv"
    source.write_text("x\n1\n")
    link.symlink_to(source)
    for path in (source, link, tmp_path / "." / "in.csv"):
        with pytest.raises(UserError, match="is the input itself"):
            check_output(path, True, tmp_path / "gone.csv", source)


def test_another_file_is_replaced_only_if_it_may_be(tmp_path: Path) -> None:
    source, other = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("x\n")
    other.write_text("y\n")
    check_output(other, True, source)
    with pytest.raises(UserError, match="There is already a file"):
        check_output(other, False, source)


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ([], "label"),
        (["other"], "label"),
        (["label"], "predicted label"),
        (["label", "predicted label"], "predicted label_"),
        (["label", "predicted label", "predicted label_"], "predicted label__"),
        (["predicted label"], "label"),
        (["Label"], "label"),
    ],
)
def test_predictions_give_way_to_columns_of_the_rows(taken: list[str], name: str) -> None:
    assert free_name("label", taken) == name


def test_predictions_stand_behind_their_rows_without_notes_of_other_programs() -> None:
    whole = pa.table({"id": [7, 8, 9], "score": ["x", "y", "z"]}).replace_schema_metadata(
        {"pandas": "{}"}
    )

    def predict(inputs: pa.Table) -> pa.Table:
        doubled = [2 * value for value in inputs["id"].to_pylist()]
        return pa.table({"label": doubled, "score": [0.5] * inputs.num_rows})

    table = pa.concat_tables(predicted_pieces(predict, whole.select(["id"]), whole))
    assert table.schema.metadata is None
    assert table.to_pydict() == {
        "id": [7, 8, 9], "score": ["x", "y", "z"], "label": [14, 16, 18],
        "predicted score": [0.5] * 3,
    }  # fmt: skip
