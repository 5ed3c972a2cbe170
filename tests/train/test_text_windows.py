"""Long texts in windows: at any width, a network that knows the tokens gets every answer."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from engine import RunConfig, train
from engine.batches.source import Batch
from engine.metrics.text.answers import best_spans
from engine.service import predict
from engine.tasks.create import create_task
from engine.text.tokens.windows import answer_tokens
from engine.text.tokens.words import shares

CPU = torch.device("cpu")


class Knowing(nn.Module):
    """A network that returns the targets of its batch."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self._targets = batch.targets

    def forward(self, input_ids: Tensor, **others: Tensor) -> Any:
        def logits(places: Tensor) -> Tensor:
            return nn.functional.one_hot(places, input_ids.shape[1]).float() * 10

        return SimpleNamespace(
            start_logits=logits(self._targets["first"]), end_logits=logits(self._targets["last"])
        )


def oracle_metrics(path: Path, max_length: int, stride: int) -> tuple[dict[str, float], int]:
    """Metrics of a network that knows all tokens, and the number of windows per question."""
    config = RunConfig.parse({
        "task": {"kind": "question_answering", "max_length": max_length, "doc_stride": stride,
                 "max_answer_length": 200},
        "data": {"kind": "file", "path": str(path), "validation_fraction": 0, "test_fraction": 0},
        "model": {"kind": "transformer", "vocab_size": 2000},
    })  # fmt: skip
    task = create_task(config)
    raw = task.pipeline.load()
    fitted = task.pipeline.fit(raw)
    source: Any = task.encode(raw.train, fitted, CPU, lambda event: None)
    evaluator = task.evaluator(fitted)
    for batch in source.read(source.evaluation_plan(16)):
        evaluator.update(Knowing(batch), batch)
    return evaluator.compute().metrics, len(source) // raw.train.num_rows


@pytest.mark.parametrize(("max_length", "stride"), [(512, 128), (160, 50)])
def test_every_answer_of_xquad_comes_back(real_data: Path, max_length: int, stride: int) -> None:
    metrics, windows = oracle_metrics(real_data / "xquad.en.json", max_length, stride)
    # A few answers are parts of words, which no word tokenizer can separate.
    assert metrics["exact_match"] > 0.98
    assert metrics["f1"] > 0.99
    assert windows >= (2 if max_length < 200 else 1)


def test_questions_without_an_answer_are_given_none(tmp_path: Path) -> None:
    context = "Ann was born in Rome . " + "It rained . " * 60 + "She died in Oslo ."
    oslo = {"text": "Oslo", "answer_start": len(context) - 6}
    questions = [
        {"question": "Born where?", "answers": [{"text": "Rome", "answer_start": 16}]},
        {"question": "Died where?", "answers": [oslo]},
        {"question": "Married whom?", "answers": [], "is_impossible": True},
    ]
    path = tmp_path / "questions.json"
    path.write_text(
        json.dumps({"data": [{"paragraphs": [{"context": context, "qas": questions}]}]})
    )
    metrics, windows = oracle_metrics(path, 48, 8)
    assert windows > 2
    assert metrics["exact_match"] == 1


@pytest.mark.parametrize(
    ("begin", "end", "tokens"),
    [
        (4, 8, (2, 2)),  # Rome, without the bracket before it
        (0, 8, (0, 2)),
        (5, 7, (2, 2)),  # a part of a word is the whole word
        (0, 9, (0, 3)),
        (7, 12, None),  # continues after the window
        (-1, -1, None),
    ],
)
def test_the_tokens_of_an_answer_are_those_that_it_touches(
    begin: int, end: int, tokens: tuple[int, int] | None
) -> None:
    starts, ends = np.array([0, 3, 4, 8, -1]), np.array([3, 4, 8, 9, -1])  # Ann ( Rome )
    assert answer_tokens(starts, ends, begin, end) == tokens


def test_the_best_span_is_found_among_all_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    start, end = torch.randn(2, 20, 12, generator=generator)
    allowed = torch.rand(20, 12, generator=generator) > 0.3
    best, first, last = best_spans(start, end, allowed, 4)
    for row in range(20):
        pairs = {
            (i, j): float(start[row, i] + end[row, j])
            for i in range(12) for j in range(i, min(12, i + 4))
            if allowed[row, i] and allowed[row, j]
        }  # fmt: skip
        expected = max(pairs, key=lambda pair: pairs[pair])
        assert (int(first[row]), int(last[row])) == expected
        assert float(best[row]) == pytest.approx(pairs[expected])


def test_windows_of_a_question_stay_together_in_order(real_data: Path) -> None:
    config = RunConfig.parse({
        "task": {"kind": "question_answering", "max_length": 96, "doc_stride": 30},
        "data": {"kind": "file", "path": str(real_data / "xquad.en.json"), "max_samples": 300},
        "model": {"kind": "transformer", "vocab_size": 1000},
    })  # fmt: skip
    task = create_task(config)
    raw = task.pipeline.load()
    source = task.encode(raw.train, task.pipeline.fit(raw), CPU, lambda event: None)
    rows = [batch.rows for batch in source.read(source.plan(10))]
    assert pa.concat_tables(rows).select(["id"]).equals(raw.train.select(["id"]))
    asked = [batch.rows for batch in source.read(source.evaluation_plan(10))]
    ids = pa.concat_tables(asked)["id"].to_pylist()
    assert sorted(ids) == sorted(raw.train["id"].to_pylist())


class KnowingTags(nn.Module):
    """A network that returns the tag of each token of its batch; the last tag if ignored."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self._tags = batch.targets["tags"]

    def forward(self, **inputs: Tensor) -> Any:
        codes = torch.where(self._tags < 0, int(self._tags.max()), self._tags)
        return SimpleNamespace(logits=nn.functional.one_hot(codes).float())


@pytest.mark.parametrize("max_length", [5, 12, 256])
def test_every_word_of_a_long_sentence_is_tagged(max_length: int) -> None:
    config = RunConfig.parse({
        "task": {"kind": "token_classification", "max_length": max_length},
        "data": {"kind": "builtin", "name": "entities", "max_samples": 200},
        "model": {"kind": "transformer", "vocab_size": 300},
    })  # fmt: skip
    task = create_task(config)
    raw = task.pipeline.load()
    fitted = task.pipeline.fit(raw)
    source: Any = task.encode(raw.train, fitted, CPU, lambda event: None)
    assert (len(source) > raw.train.num_rows) == (max_length < 256)
    evaluator = task.evaluator(fitted)
    counted = 0.0
    for batch in source.read(source.evaluation_plan(16)):
        evaluator.update(KnowingTags(batch), batch)
        counted += batch.weight
    assert evaluator.compute().metrics["accuracy"] == 1.0
    assert counted == sum(map(len, raw.train["tags"].to_pylist()))


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([[None, 0, 1, 1, 2, None]], [range(3)]),
        ([[0, 1, 2, 3], [2, 3, 4], [4, 5]], [range(3), range(3, 5), range(5, 6)]),
        ([[0, 1], [2, 3]], [range(2), range(2, 4)]),
        ([[0, 1], [1, 1], [1, 2]], [range(2), range(2, 2), range(2, 3)]),
        ([[None, None]], [range(0)]),
    ],
    ids=["one", "shared", "nothing shared", "a word cut twice", "no words"],
)
def test_each_word_is_for_one_window(
    windows: list[list[int | None]], expected: list[range]
) -> None:
    assert shares(windows) == expected


@pytest.mark.parametrize("kind", ["token_classification", "question_answering"])
def test_predictions_of_a_file_come_in_its_order_whatever_the_number_of_windows(
    tmp_path: Path, kind: str
) -> None:
    lengths = [3, 40, 12, 90, 5, 60, 25, 8, 70, 4]
    texts = [[f"w{row}"] * length for row, length in enumerate(lengths)]
    rows: list[dict[str, Any]] = [
        {"tokens": words, "tags": ["B-x", "O", *["O"] * (len(words) - 2)]}
        if kind == "token_classification"
        else {"question": "who ?", "context": " ".join(words), "answers": words[0]}
        for words in texts
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    overlap = {"doc_stride": 4} if kind == "question_answering" else {}
    run = train(RunConfig.parse({
        "name": "order", "task": {"kind": kind, "max_length": 32} | overlap,
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "hidden_size": 8, "num_attention_heads": 2,
                  "num_hidden_layers": 1, "vocab_size": 100},
        "train": {"max_steps": 1, "batch_size": 4}, "compute": {"device": "cpu", "threads": 1},
    }))  # fmt: skip
    records = predict.answer(run.id, file=str(path))["records"]
    if kind == "token_classification":
        assert [record["tokens"] for record in records] == texts
    else:
        said = [set(record["answer"].split()) for record in records]
        assert said == [{words[0]} for words in texts]
