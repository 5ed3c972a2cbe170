"""Exact match and F1 by the definition of SQuAD, and files in its format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.data.readers.base import read_file
from engine.data.readers.reading import ReadOptions
from engine.data.readers.squad import is_squad
from engine.errors import DataError
from engine.metrics.text.squad import answer_f1, exact_match, normalized
from engine.pipelines.question_answering import QuestionAnsweringPipeline
from engine.text.answers.answers import Answer, references_of


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


def test_marks_written_as_text_and_answers_of_nothing_are_understood(tmp_path: Path) -> None:
    answer = {"text": "1990", "answer_start": 25}
    questions = [
        {"id": "1", "question": "When?", "is_impossible": "false", "answers": [answer]},
        {"id": "2", "question": "Why?", "is_impossible": "true", "answers": [answer]},
        {"id": "3", "question": "Where?", "answers": [None]},
        {"id": "4", "question": "When?", "answers": [{"text": "1990"}]},
        {"id": "5", "question": None, "answers": None},
    ]
    table = read_file(_file(tmp_path, *questions), ReadOptions()).table
    assert [cell["text"] for cell in table["answers"].to_pylist()] == [
        ["1990"],
        [],
        [],
        ["1990"],
        [],
    ]
    assert table["question"].to_pylist()[-1] is None


def test_a_mark_that_is_neither_true_nor_false_is_named(tmp_path: Path) -> None:
    question = {"id": "1", "question": "When?", "is_impossible": "maybe", "answers": []}
    with pytest.raises(DataError, match=r"article 1: is_impossible 'maybe'"):
        read_file(_file(tmp_path, question), ReadOptions())


MODEL = {"kind": "transformer", "hidden_size": 32, "vocab_size": 300, "num_hidden_layers": 1}
WHOLE = {"validation_fraction": 0.0, "test_fraction": 0.0}
TWICE = "Tilda wrote to Bo. The prize of that year went to Tilda because of a song."
RIGHT = [("Tilda", 50)]


def _load(path: Path, **task: Any) -> tuple[RawData, list[list[Answer]]]:
    """The data and the answers of the training rows, with their places."""
    data = {"kind": "file", "path": str(path)} | WHOLE
    config = {"task": {"kind": "question_answering", **task}, "data": data, "model": MODEL}
    pipeline = QuestionAnsweringPipeline(RunConfig.parse(config))
    raw = pipeline.load()
    fitted = pipeline.fit(raw)
    return raw, references_of(raw.train, fitted.context, fitted.answers)


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_positions_that_are_off_by_one_lead_to_the_nearest_place(tmp_path: Path, off: int) -> None:
    answers = [{"text": "Tilda", "answer_start": 50 + off}]
    qas = [{"id": "1", "question": "Who won?", "answers": answers}]
    content = {"data": [{"title": "a", "paragraphs": [{"context": TWICE, "qas": qas}]}]}
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(content))
    raw, references = _load(path)
    assert references == [RIGHT]
    moved = [
        note.why for note in raw.notes if note.why.startswith("1 answer not at the given position")
    ]
    assert bool(moved) == bool(off)


def test_positions_in_a_column_of_a_csv_are_used(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "question,context,answer,answer_start\n"
        f"Who won?,{TWICE},Tilda,50\nWho wrote?,{TWICE},Tilda,0\nWhat?,{TWICE},a song,\n"
    )
    raw, references = _load(path)
    assert references == [RIGHT, [("Tilda", 0)], [("a song", 67)]]
    assert any("taken from the column answer_start" in note.why for note in raw.notes)


def test_columns_beside_the_answers_are_shown_as_used(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        f"question,context,answer,answer_start,is_impossible\nWho won?,{TWICE},Tilda,50,false\n"
    )
    config = {"task": {"kind": "question_answering"}, "model": MODEL,
              "data": {"kind": "file", "path": str(path)} | WHOLE}  # fmt: skip
    pipeline = QuestionAnsweringPipeline(RunConfig.parse(config))
    raw = pipeline.load()
    columns = pipeline.summarize(raw, pipeline.fit(raw)).columns
    assert {column.name: column.role for column in columns} == {
        "question": "question", "context": "text", "answer": "answer",
        "answer_start": "position", "is_impossible": "impossible",
    }  # fmt: skip


def test_the_user_can_name_the_column_of_positions(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"question,context,answer,offset\nWho won?,{TWICE},Tilda,50\n")
    assert _load(path, answer_start="offset")[1] == [RIGHT]
    with pytest.raises(DataError, match=r"task\.answer_start: there is no column 'begin'"):
        _load(path, answer_start="begin")


def test_an_answer_without_a_position_that_stands_twice_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"question,context,answer\nWho won?,{TWICE},Tilda\nWhat?,{TWICE},song\n")
    raw, _ = _load(path)
    assert any(
        note.why.startswith("1 answer without a position, several times") for note in raw.notes
    )


@pytest.mark.parametrize("true", ["true", "True", "1"])
def test_a_column_that_marks_impossible_questions_is_used(tmp_path: Path, true: str) -> None:
    false = {"true": "false", "True": "False", "1": "0"}[true]
    path = tmp_path / "a.csv"
    path.write_text(
        "question,context,answer,answer_start,is_impossible\n"
        f"Who won?,{TWICE},Tilda,50,{false}\n"
        f"Who lost?,{TWICE},Tilda,50,{true}\n"
        f"Who sang?,{TWICE},,,{true}\n"
        f"Who knows?,{TWICE},,,{false}\n"
    )
    raw, references = _load(path)
    assert references == [RIGHT, [], [], []]
    assert any(
        note.why.startswith("1 question with answers that are not used") for note in raw.notes
    )
    assert any(note.why.startswith("1 question without an answer, though") for note in raw.notes)


def test_impossible_questions_in_flat_json_have_no_answer(tmp_path: Path) -> None:
    answers = {"text": ["Tilda"], "answer_start": [50]}
    rows = [
        {"question": "Who?", "context": TWICE, "answers": answers, "is_impossible": False},
        {"question": "Why?", "context": TWICE, "answers": answers, "is_impossible": True},
        {"question": "Who?", "context": TWICE, "answers": {"text": [None], "answer_start": [None]}},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert _load(path)[1] == [RIGHT, [], []]


def test_a_doubtful_mark_leaves_its_row_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "question,context,answer,is_impossible\n"
        f"Who won?,{TWICE},a song,no\nWho lost?,{TWICE},a song,perhaps\n"
    )
    raw, references = _load(path)
    assert references == [[("a song", 67)]]
    assert [(skip.reason, skip.count) for skip in raw.skips] == [
        ("is_impossible is neither true nor false", 1)
    ]


def test_answers_written_as_objects_in_a_csv_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    cell = "{'text': array(['Tilda'], dtype=object), 'answer_start': array([50], dtype=int32)}"
    path.write_text(f'question,context,answers\nWho won?,{TWICE},"{cell}"\n')
    assert _load(path)[1] == [RIGHT]
