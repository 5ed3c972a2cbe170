"""Annotations of brat beside their documents, against the tags that they mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.errors import DataError
from engine.pipelines.create import create_pipeline

TEXT = "Ann Lee met Bo\nin New York, née York."
MARKS = [
    "T1\tPerson 0 7\tAnn Lee", "T2\tPerson 12 14\tBo", "T3\tPlace 18 26\tNew York",
    "R1\tLivesIn Arg1:T1 Arg2:T3", "#1\tAnnotatorNotes T1\tsure?",
]  # fmt: skip
WORDS = ["Ann", "Lee", "met", "Bo", "in", "New", "York", ",", "née", "York", "."]
TAGS = ["B-Person", "I-Person", "O", "B-Person", "O", "B-Place", "I-Place", "O", "O", "O", "O"]


def write(folder: Path, *marks: str, documents: int = 12) -> None:
    for number in range(documents):
        (folder / f"{number:02}.txt").write_text(TEXT)
        (folder / f"{number:02}.ann").write_text("".join(f"{mark}\n" for mark in marks))


def load(folder: Path) -> RawData:
    raw: RawData = create_pipeline(RunConfig.parse({
        "task": {"kind": "token_classification"}, "model": {"kind": "transformer"},
        "data": {"kind": "file", "path": str(folder)},
    })).load()  # fmt: skip
    return raw


def counts(raw: RawData) -> dict[str, int | None]:
    return {note.why: note.rows for note in raw.notes if note.kind == "dropped"}


def test_each_document_is_a_row_of_words_and_tags(tmp_path: Path) -> None:
    write(tmp_path, *MARKS)
    raw = load(tmp_path)
    rows = [row for table in raw.splits.values() for row in table.to_pylist()]
    assert len(rows) == 12
    assert all((row["text"], row["entities"]) == (WORDS, TAGS) for row in rows)
    assert counts(raw) == {"relations, events, attributes and remarks are not read": 24}


@pytest.mark.parametrize(("mark", "why"), [
    ("T9\tPlace 18 21;32 36\tNew York", "an entity in several pieces is left out"),
    ("T9\tPlace 19 27\tNew York", "an entity whose text is not at its place is left out"),
])  # fmt: skip
def test_what_cannot_be_read_is_counted_over_all_documents(
    tmp_path: Path, mark: str, why: str
) -> None:
    write(tmp_path, *MARKS[:2], mark)
    assert counts(load(tmp_path)) == {why: 12}


def test_a_document_without_entities_is_one_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, *MARKS[:3])
    (tmp_path / "00.ann").write_text("")
    rows = [row for table in load(tmp_path).splits.values() for row in table.to_pylist()]
    assert sum(set(row["entities"]) == {"O"} for row in rows) == 1


def test_annotations_without_their_document_are_refused(tmp_path: Path) -> None:
    write(tmp_path, *MARKS)
    (tmp_path / "03.txt").unlink()
    with pytest.raises(DataError, match=r"There is no 03\.txt beside 03\.ann"):
        load(tmp_path)
