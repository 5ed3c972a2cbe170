"""Folders of BEIR: a corpus, queries, and judgments."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from engine.config.data.file import FileConfig
from engine.data.load import load_texts
from engine.data.raw import RawData
from engine.errors import DataError

PASSAGES = [
    {"_id": "d1", "title": "Rome", "text": "is old", "metadata": {}},
    {"_id": "d2", "title": "", "text": "Paris is far", "metadata": {}},
    {"_id": "d3", "text": "never judged"},
]
QUERIES = [{"_id": "q1", "text": "how old"}, {"_id": "q2", "text": "how far"}]
HEADER = "query-id\tcorpus-id\tscore\n"


def lines(rows: list[dict[str, Any]]) -> str:
    return "\n".join(map(json.dumps, rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text(lines(PASSAGES))
    (tmp_path / "queries.jsonl").write_text(lines(QUERIES))
    (tmp_path / "qrels" / "train.tsv").write_text(f"{HEADER}q1\td1\t2\nq1\td2\t0\n")
    return tmp_path


def load(folder: Path, **values: Any) -> RawData:
    return load_texts(FileConfig(path=str(folder), **values))


def test_judgments_are_rows_of_texts(folder: Path) -> None:
    (folder / "qrels" / "test.tsv").write_text(f"{HEADER}q2\td2\t1\n")
    (folder / "qrels" / "dev.tsv").write_text(f"{HEADER}q2\td1\t1\n")
    raw = load(folder)
    assert {name: table.num_rows for name, table in raw.splits.items()} == {
        "train": 2, "validation": 1, "test": 1,
    }  # fmt: skip
    assert raw.train.to_pylist() == [
        {"query_id": "q1", "query": "how old", "passage_id": "d1", "passage": "Rome is old",
         "relevance": 2.0},
        {"query_id": "q1", "query": "how old", "passage_id": "d2", "passage": "Paris is far",
         "relevance": 0.0},
    ]  # fmt: skip
    [note] = raw.notes
    assert "judgments of 2 queries and 2 passages" in note.why


def test_packed_files_and_judgments_of_trec_are_read(folder: Path) -> None:
    with gzip.open(folder / "corpus.jsonl.gz", "wt") as file:
        file.write(lines(PASSAGES))
    (folder / "corpus.jsonl").unlink()
    (folder / "qrels" / "train.tsv").unlink()
    (folder / "qrels" / "judged.txt").write_text("q1 0 d1 1\nq2 0 d2 3\n")
    assert load(folder).train["relevance"].to_pylist() == [1.0, 3.0]


def test_judgments_of_what_is_in_no_file_are_counted(folder: Path) -> None:
    (folder / "qrels" / "train.tsv").write_text(f"{HEADER}q1\td1\t1\nq1\td9\t1\nq9\td1\t1\n")
    raw = load(folder)
    assert raw.train.num_rows == 1
    [skip] = raw.skips
    assert (skip.count, skip.example) == (2, "train: q1 d9")


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("qrels/test.tsv", f"{HEADER}q1\td1\t1\n", "no judgments to train on: test.tsv"),
        ("qrels/train.tsv", f"{HEADER}q1\td1\thigh\n", r"train\.tsv, row 2: 'q1.*is not a query"),
        ("qrels/train.tsv", f"{HEADER}x\ty\t1\n", "No judged query and passage"),
        ("corpus.jsonl", '{"_id": "d1"', r"corpus\.jsonl, row 1:"),
        ("corpus.jsonl", "[1]", r"corpus\.jsonl, row 1 is not an object"),
    ],
)
def test_folders_that_cannot_be_read_are_named(
    folder: Path, name: str, text: str, match: str
) -> None:
    if "test" in name:
        (folder / "qrels" / "train.tsv").unlink()
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=match):
        load(folder)


def test_other_splits_are_those_of_the_folder(folder: Path) -> None:
    with pytest.raises(DataError, match=r"data\.test_path does not apply to a folder of BEIR"):
        load(folder, test_path=str(folder / "corpus.jsonl"))


def test_a_folder_without_judgments_is_read_as_before(folder: Path) -> None:
    (folder / "qrels" / "train.tsv").unlink()
    assert "text" in load(folder).train.column_names
