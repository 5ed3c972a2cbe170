"""Exact match and F1 by the definition of SQuAD, and files in its format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.data.readers.base import read_file
from engine.data.readers.reading import ReadOptions
from engine.data.readers.squad import is_squad
from engine.errors import DataError
from engine.metrics.squad import answer_f1, exact_match, normalized


@pytest.mark.parametrize(
    ("predicted", "references", "match", "f1"),
    [
        ("The Eiffel Tower!", ["eiffel tower"], 1, 1),
        ("Denver Broncos", ["the Denver Broncos", "Broncos"], 1, 1),
        ("Broncos", ["the Denver Broncos"], 0, 2 / 3),
        ("in 1990 or 1991", ["1990"], 0, 0.4),
        ("a b b", ["b b c"], 0, 0.8),
        ("Paris", ["London"], 0, 0),
        ("308", ["308"], 1, 1),
        ("", ["308"], 0, 0),
    ],
)
def test_answers_are_compared_as_squad_does(
    predicted: str, references: list[str], match: float, f1: float
) -> None:
    assert exact_match(predicted, references) == match
    assert answer_f1(predicted, references) == pytest.approx(f1)


def test_the_best_reference_counts() -> None:
    assert answer_f1("red car", ["a very red car indeed", "red car", "blue"]) == 1


def test_no_answer_is_right_where_there_is_none() -> None:
    assert exact_match("", []) == answer_f1("", []) == 1
    assert exact_match("Paris", []) == answer_f1("Paris", []) == 0


def test_a_reference_of_articles_alone_is_no_reference() -> None:
    assert exact_match("", ["the"]) == 1


def test_articles_inside_words_stay() -> None:
    assert normalized("The theatre, an Antarctic one.") == "theatre antarctic one"


CONTEXT = "Lamb Chop was founded in 1990."


def _file(folder: Path, *questions: dict[str, object]) -> Path:
    path = folder / "squad.json"
    paragraph = {"context": CONTEXT, "qas": list(questions)}
    path.write_text(json.dumps({"data": [{"title": "Lamb", "paragraphs": [paragraph]}]}))
    return path


def test_questions_of_both_versions_become_rows(tmp_path: Path) -> None:
    answered = {"id": "1", "question": "When?", "answers": [{"text": "1990", "answer_start": 25}]}
    plausible = [{"text": "1990", "answer_start": 25}]
    lacking = {"id": "2", "question": "Why?", "answers": [], "is_impossible": True,
               "plausible_answers": plausible}  # fmt: skip
    table = read_file(_file(tmp_path, answered, lacking), ReadOptions()).table
    assert table["question"].to_pylist() == ["When?", "Why?"]
    assert table["context"].to_pylist() == [CONTEXT] * 2
    assert table["answers"].to_pylist() == [
        {"text": ["1990"], "answer_start": [25]},
        {"text": [], "answer_start": []},
    ]


def test_a_question_without_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"squad\.json, article 1: 'question' is missing"):
        read_file(_file(tmp_path, {"id": "1", "answers": []}), ReadOptions())


def test_other_json_is_not_taken_for_squad() -> None:
    assert not is_squad({"data": [{"text": "a"}]})
    assert not is_squad([1])
