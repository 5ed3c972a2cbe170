"""Answers stand where their data says, whatever its positions count."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config.run_config import RunConfig
from engine.pipelines.question_answering import QuestionAnsweringPipeline
from engine.text.answers.answers import Answer, references_of

MODEL = {"kind": "transformer", "hidden_size": 32, "vocab_size": 300, "num_hidden_layers": 1}


def _read(
    path: Path, contexts: list[str], answers: list[list[Answer]]
) -> tuple[list[list[Answer]], tuple[str, ...]]:
    """Answers as they are read, a question each in SQuAD's format, and the notes."""
    rows = [
        {
            "context": context,
            "qas": [{
                "id": str(i), "question": "Where?",
                "answers": [{"text": text, "answer_start": start} for text, start in given],
            }],
        }
        for i, (context, given) in enumerate(zip(contexts, answers, strict=True))
    ]  # fmt: skip
    path.write_text(json.dumps({"data": [{"paragraphs": rows}]}), newline="")
    data = {"kind": "file", "path": str(path), "validation_fraction": 0.0, "test_fraction": 0.0}
    config = {"task": {"kind": "question_answering"}, "data": data, "model": MODEL}
    raw = QuestionAnsweringPipeline(RunConfig.parse(config)).load()
    return references_of(raw.train, "context", "answers"), [note.why for note in raw.notes]


def _places(text: str, answer: str) -> list[int]:
    return [i for i in range(len(text)) if text.startswith(answer, i)]


# In each text, the answer stands so close together that a position in another unit is often that
# of another answer.
LETTERS, FACES = "é é é " + "no " * 12, "😀😀😀 " + "no " * 12
LONG = "\r\n".join(["no no"] * 20)
SHORT = LONG.replace("\r", "")
TEXTS: dict[str, tuple[str, Callable[[int], int]]] = {
    "characters": (LETTERS, lambda place: place),
    "bytes": (LETTERS, lambda place: len(LETTERS[:place].encode())),
    "units of UTF-16": (FACES, lambda place: len(FACES[:place].encode("utf-16-le")) // 2),
    "line ends of two characters as one": (LONG, lambda place: place - LONG.count("\r", 0, place)),
    "line ends as two characters": (SHORT, lambda place: place + SHORT.count("\n", 0, place)),
}


@pytest.mark.parametrize("unit", TEXTS)
def test_positions_of_a_file_tell_together_what_they_count(tmp_path: Path, unit: str) -> None:
    text, counted = TEXTS[unit]
    places = _places(text, "no")
    answers = [[("no", counted(place))] for place in places]
    read, notes = _read(tmp_path / "a.json", [text] * len(places), answers)
    assert read == [[("no", place)] for place in places]
    told = f"the positions of the answers in train count {unit}; they are converted to characters"
    assert (told in notes) == (unit != "characters")


def test_a_few_hits_by_chance_change_no_unit(tmp_path: Path) -> None:
    text = "é " + "no " * 8
    # A byte too far, which is a hit in bytes, and more often one too near.
    answers = [
        [("no", place + (-1 if i % 3 else 1))] for i, place in enumerate(_places(text, "no"))
    ]
    read, notes = _read(tmp_path / "a.json", [text] * len(answers), answers)
    assert read == [[("no", place)] for place in _places(text, "no")]
    assert not [note for note in notes if "count" in note]


def test_answers_with_other_blanks_than_their_text_are_found(tmp_path: Path) -> None:
    texts = ["In New\r\nYork, not York", "In New York"]
    read, _ = _read(tmp_path / "a.json", texts, [[("New York", 3)], [("New\nYork", 3)]])
    assert read == [[("New\r\nYork", 3)], [("New York", 3)]]


@pytest.mark.parametrize("form", ["articles", "article"])
def test_articles_without_an_object_around_them_are_read(tmp_path: Path, form: str) -> None:
    answer = {"text": "Rome", "answer_start": 12}
    entry = {"id": "1", "question": "Where?", "answers": answer}
    article = {"paragraphs": [{"context": "Not Rome but Rome", "qas": [entry]}] * 2}
    path = tmp_path / "a.json"
    path.write_text(json.dumps([article] if form == "articles" else article))
    data = {"kind": "file", "path": str(path), "validation_fraction": 0.0, "test_fraction": 0.0}
    config = {"task": {"kind": "question_answering"}, "data": data, "model": MODEL}
    raw = QuestionAnsweringPipeline(RunConfig.parse(config)).load()
    assert references_of(raw.train, "context", "answers") == [[("Rome", 13)]] * 2
