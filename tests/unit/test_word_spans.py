"""Entities as spans of the numbers of words, against tags that were written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.pipelines.create import create_pipeline

WORDS = ["Ann", "Lee", "met", "Bo", "in", "New", "York"]
TAGS = ["B-person", "I-person", "O", "B-person", "O", "B-place", "I-place"]
LAST = [[0, 1, "person"], [3, 3, "person"], [5, 6, "place"]]
BEHIND = [[5, 7, "place"], [0, 2, "person"], [3, 4, "person"]]


def load(folder: Path, *rows: dict[str, Any], **task: str) -> RawData:
    """Return the data of ten rows more with one entity each, so that parts can be cut off."""
    path = folder / "data.json"
    words, spans = next(iter(rows[0])), list(rows[0])[1]
    more = [{words: ["Ann", str(number)], spans: []} for number in range(10)]
    path.write_text(json.dumps([*rows, *more]))
    raw: RawData = create_pipeline(RunConfig.parse({
        "task": {"kind": "token_classification"} | task, "model": {"kind": "transformer"},
        "data": {"kind": "file", "path": str(path)},
    })).load()  # fmt: skip
    return raw


def tagged(raw: RawData, words: str, spans: str) -> list[tuple[list[str], list[str]]]:
    rows = [row for table in raw.splits.values() for row in table.to_pylist()]
    return [(row[words], row[spans]) for row in rows if len(row[words]) > 2]


@pytest.mark.parametrize(("words", "spans"), [("tokenized_text", "ner"), ("tokens", "entities")])
@pytest.mark.parametrize("given", [LAST, BEHIND])
def test_spans_of_words_are_tags(
    tmp_path: Path, words: str, spans: str, given: list[list[Any]]
) -> None:
    raw = load(tmp_path, {words: WORDS, spans: given})
    assert tagged(raw, words, spans) == [(WORDS, TAGS)]
    ends = "inclusive" if given is LAST else "exclusive"
    assert any(f"{ends} ends" in note.why and note.column == spans for note in raw.notes)


def test_spans_may_be_objects(tmp_path: Path) -> None:
    objects = [dict(zip(("start", "end", "label"), span, strict=True)) for span in LAST]
    raw = load(tmp_path, {"tokenized_text": WORDS, "ner": objects})
    assert tagged(raw, "tokenized_text", "ner") == [(WORDS, TAGS)]


@pytest.mark.parametrize(("spans", "why"), [
    ([[0, 1, "a"], [1, 2, "a"]], "its entities overlap"),
    ([[6, 7, "a"], [2, 2, "a"]], "an entity has no type or none of the words"),
    ([[-1, 0, "a"]], "an entity has no type or none of the words"),
])  # fmt: skip
def test_rows_whose_spans_cannot_be_tags_are_counted(
    tmp_path: Path, spans: list[list[Any]], why: str
) -> None:
    good = {"tokenized_text": WORDS, "ner": LAST}
    raw = load(tmp_path, good, {"tokenized_text": WORDS, "ner": spans})
    assert tagged(raw, "tokenized_text", "ner") == [(WORDS, TAGS)]
    assert [(skip.reason, skip.count) for skip in raw.skips] == [(why, 1)]
