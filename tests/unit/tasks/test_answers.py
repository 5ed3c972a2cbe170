"""Questions on texts, from files to windows of tokens, and from outputs to answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.data.raw import Skip
from engine.errors import DataError

Make = Callable[..., Any]
KIND = "question_answering"
STORY = "Ann Lee left Rome"
ROWS: dict[str, list[Any]] = {
    "question": ["who left", "what did she leave"],
    "context": [STORY, STORY],
    "answers": [
        {"text": ["Ann Lee"], "answer_start": [0]},
        {"text": ["Rome"], "answer_start": [13]},
    ],
}
NOTHING: dict[str, list[Any]] = {"text": [], "answer_start": []}


class Outputs(nn.Module):
    """A network whose logits of first and last tokens are fixed, whatever it is asked."""

    def __init__(self, start: list[float], end: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor([start]), torch.tensor([end])

    def forward(self, **inputs: Tensor) -> SimpleNamespace:
        return SimpleNamespace(start_logits=self.logits[0], end_logits=self.logits[1])


def test_columns_and_lengths_are_fitted(prepare: Make) -> None:
    fitted = prepare(KIND, ROWS, max_length=32, doc_stride=10).fitted
    assert (fitted.question, fitted.context, fitted.answers) == ("question", "context", "answers")
    assert (fitted.max_length, fitted.stride) == (32, 10)


def test_windows_share_no_more_than_a_third_of_what_a_model_takes_in(
    prepare: Make, small_encoder: Any
) -> None:
    options = {"max_length": 900, "doc_stride": 300, "model": {"path": str(small_encoder)}}
    fitted = prepare(KIND, ROWS, **options).fitted
    assert (fitted.max_length, fitted.stride) == (512, 512 // 3)


@pytest.mark.parametrize(("answer", "may_lack"), [(ROWS["answers"][1], False), (NOTHING, True)])
def test_answers_may_lack_where_they_do_in_training(
    prepare: Make, answer: dict[str, Any], may_lack: bool
) -> None:
    rows = ROWS | {"answers": [ROWS["answers"][0], answer]}
    assert prepare(KIND, rows).fitted.may_lack is may_lack


def test_questions_that_cannot_be_used_are_left_out_and_counted(pipeline: Make) -> None:
    rows = {
        "question": ["who left", " ", "where to", "whence"],
        "context": [STORY, STORY, STORY, ""],
        "answers": ["Ann Lee", "Rome", "Paris", "Rome"],
    }
    raw = pipeline(KIND, rows).load()
    assert raw.train["question"].to_pylist() == ["who left"]
    assert raw.skips == (
        Skip("question is empty", 1, "train row 2"),
        Skip("its answer is not in its text", 1, "train row 3"),
        Skip("context is empty", 1, "train row 4"),
    )


def test_a_text_and_all_its_questions_are_in_one_split(pipeline: Make) -> None:
    rows = {
        "question": [f"question {i}" for i in range(40)],
        "context": [f"story {i % 8}" for i in range(40)],
        "answers": ["story"] * 40,
    }
    raw = pipeline(KIND, rows, data={"test_fraction": 0.25}).load()
    contexts = {name: set(table["context"].to_pylist()) for name, table in raw.splits.items()}
    assert {name: len(found) for name, found in contexts.items()} == {"train": 6, "test": 2}
    assert not contexts["train"] & contexts["test"]
    assert [table.num_rows for table in raw.splits.values()] == [30, 10]


def test_a_missing_column_is_named_with_its_field(pipeline: Make) -> None:
    rows = {"question": ["who"], "text": [STORY], "answers": ["Ann"]}
    with pytest.raises(DataError, match=r"task\.context: there is no column 'context'\."):
        pipeline(KIND, rows).load()


def test_the_tokens_of_an_answer_are_found_by_its_characters(prepare: Make) -> None:
    prepared = prepare(KIND, ROWS)
    batch = prepared.encoded()
    tokens = ["[CLS]", "who", "left", "[SEP]", "ann", "lee", "left", "rome", "[SEP]"]
    assert batch.inputs["input_ids"][0, :9].tolist() == prepared.ids(tokens)
    assert batch.inputs["token_type_ids"][0, :9].tolist() == [0] * 4 + [1] * 5
    # "Ann Lee left Rome": characters are counted in the text; −1 is outside of it.
    assert batch.targets["starts"][0].tolist() == [-1] * 4 + [0, 4, 8, 13, -1] + [-1] * 2
    assert batch.targets["ends"][0].tolist() == [-1] * 4 + [3, 7, 12, 17, -1] + [-1] * 2
    # The second question is two tokens longer.
    assert batch.targets["first"].tolist() == [4, 9]
    assert batch.targets["last"].tolist() == [5, 9]
    assert batch.targets["null"].tolist() == [0, 0]
    assert batch.targets["row"] == [0, 1]


@pytest.mark.parametrize("rows", [ROWS | {"answers": [NOTHING] * 2}, {**ROWS, "answers": None}])
def test_without_an_answer_the_first_token_stands_for_none(
    prepare: Make, rows: dict[str, Any]
) -> None:
    prepared = prepare(KIND, ROWS)
    batch = prepared.encoded_new({name: cells for name, cells in rows.items() if cells})
    assert batch.targets["first"].tolist() == batch.targets["last"].tolist() == [0, 0]


def test_a_long_text_is_read_in_windows_that_share_tokens(prepare: Make) -> None:
    words = ["rome"] * 30 + ["ann"] + ["left"] * 9
    rows = {"question": ["who left"], "context": [" ".join(words)], "answers": ["ann"]}
    batch = prepare(KIND, rows, max_length=32, doc_stride=8).encoded()
    # [CLS] who left [SEP] and the last [SEP] leave 27 tokens: words 0–26, and from 27 − 8 on.
    assert batch.targets["row"] == [0, 0]
    starts = batch.targets["starts"]
    assert starts[0, 4:31].tolist() == [5 * word for word in range(27)]
    assert starts[1, 4] == 5 * 19
    # The answer, word 30, is the twelfth of the second window.
    assert batch.targets["first"].tolist() == batch.targets["last"].tolist() == [0, 4 + 11]
    assert batch.weight == 2


def test_the_answer_is_the_span_with_the_largest_sum(prepare: Make) -> None:
    prepared = prepare(KIND, ROWS)
    #        [CLS] who left [SEP] ann lee left rome [SEP]
    start = [0.0, 9.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0]
    end = [0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 2.0, 0.0, 9.0]
    [record] = prepared.predictions(
        Outputs(start, end), {"question": ["who left"], "context": [STORY]}
    )
    # Tokens 5 to 6 have 4, all others of the text less; the question is not looked at.
    # The probability of a span is softmax(start) · softmax(end).
    chances = [
        math.exp(logits[token]) / sum(map(math.exp, logits))
        for logits, token in ((start, 5), (end, 6))
    ]
    assert record == {
        "answer": "Lee left", "score": pytest.approx(chances[0] * chances[1]),
        "start": 4, "end": 12,
    }  # fmt: skip


def test_an_answer_is_no_longer_than_the_longest(prepare: Make) -> None:
    prepared = prepare(KIND, ROWS, max_answer_length=2)
    start, end = [0.0] * 9, [0.0] * 9
    start[4], end[7], end[5] = 5.0, 5.0, 1.0
    [record] = prepared.predictions(
        Outputs(start, end), {"question": ["who left"], "context": [STORY]}
    )
    assert record["answer"] == "Ann Lee"


@pytest.mark.parametrize(("lacking", "answer"), [(2.5, ""), (0.4, "Rome")])
def test_no_answer_is_given_where_none_is_likelier(
    prepare: Make, lacking: float, answer: str
) -> None:
    prepared = prepare(KIND, ROWS | {"answers": [NOTHING, ROWS["answers"][1]]})
    start, end = [0.0] * 9, [0.0] * 9
    start[7], end[7], start[0] = 1.0, 1.0, lacking
    [record] = prepared.predictions(
        Outputs(start, end), {"question": ["who left"], "context": [STORY]}
    )
    assert record["answer"] == answer
