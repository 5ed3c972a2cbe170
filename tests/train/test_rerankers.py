"""Rerankers: trained on pairs of texts, and loaded by CrossEncoder with equal scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from engine import RunConfig, train
from engine.runs.directory import RunDirectory
from engine.service import export, predict
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from

QUERIES = ["red apple", "sour lemon", "green leaf", "one onion"]
ROWS = [
    {"query": QUERIES[n % 4], "passage": f"{QUERIES[n // 4 % 4]} {n}", "score": (n % 5) / 4}
    for n in range(32)
]
PAIRS = [(QUERIES[0], "a lemon"), (QUERIES[1], "sour " * 40), ("leaf", "onion and apple")]


def configured(tmp_path: Path, rows: list[dict[str, Any]], **sections: Any) -> RunConfig:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return RunConfig.parse({
        "name": "reranker",
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "hidden_size": 16, "num_attention_heads": 2,
                  "num_hidden_layers": 1, "vocab_size": 200},
        "train": {"max_steps": 3, "batch_size": 8, "learning_rate": 1e-2},
        "compute": {"device": "cpu", "threads": 1},
        **sections,
    })  # fmt: skip


def warnings_of(run: RunDirectory) -> list[str]:
    lines = map(json.loads, (run.path / "events.jsonl").read_text().splitlines())
    return [line["message"] for line in lines if line.get("level") == "warning"]


def ours(run: RunDirectory) -> list[dict[str, Any]]:
    rows = [{"query": query, "passage": passage} for query, passage in PAIRS]
    records: list[dict[str, Any]] = predict.answer(run.id, rows=rows)["records"]
    return records


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_a_cross_encoder_gives_the_scores_of_an_exported_reranker(
    home: Path, tmp_path: Path, loss: str
) -> None:
    theirs = pytest.importorskip("sentence_transformers")
    task = {"kind": "text_regression", "loss": loss, "max_length": 24}
    run = train(configured(tmp_path, ROWS, task=task))
    assert not warnings_of(run)
    assert "ndcg_at_10" in run.report.read()["metrics"]["validation"]
    loaded = theirs.CrossEncoder(str(run.model), device="cpu")
    values = [record["value"] for record in ours(run)]
    np.testing.assert_allclose(loaded.predict(PAIRS), values, atol=1e-5)


def test_a_merged_reranker_keeps_its_scores(home: Path, tmp_path: Path) -> None:
    theirs = pytest.importorskip("sentence_transformers")
    tokenizer = wordpiece_from(train_wordpiece(QUERIES * 4, 200, True))
    torch.manual_seed(0)
    transformers.BertModel(transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32,
    )).save_pretrained(tmp_path / "bert")  # fmt: skip
    tokenizer.save_pretrained(tmp_path / "bert")
    rows = [row | {"score": 100 + row["score"]} for row in ROWS]
    config = configured(
        tmp_path, rows, task={"kind": "text_regression"}, adapter={"method": "lora"},
        model={"kind": "transformer", "path": str(tmp_path / "bert")},
    )  # fmt: skip
    run = train(config)
    assert not warnings_of(run)
    values = [record["value"] for record in ours(run)]
    assert all(95 < value < 105 for value in values)
    export.answer(run.id, str(tmp_path / "merged"), "merged")
    loaded = theirs.CrossEncoder(str(tmp_path / "merged"), device="cpu")
    np.testing.assert_allclose(loaded.predict(PAIRS), values, rtol=1e-6, atol=1e-5)
    # Training continues from the head as it is: a trained one does not begin anew.
    again = configured(
        tmp_path, rows, task={"kind": "text_regression"}, name="again",
        model={"kind": "transformer", "path": str(tmp_path / "merged")},
        train={"max_steps": 1, "batch_size": 8, "learning_rate": 1e-9},
    )  # fmt: skip
    continued = [record["value"] for record in ours(train(again))]
    np.testing.assert_allclose(continued, values, rtol=1e-4)


def test_a_classifier_of_pairs_is_a_cross_encoder_too(home: Path, tmp_path: Path) -> None:
    theirs = pytest.importorskip("sentence_transformers")
    names = ["no", "perhaps", "yes"]
    rows = [{**row, "label": names[n % 3]} for n, row in enumerate(ROWS)]
    for row in rows:
        del row["score"]
    run = train(configured(tmp_path, rows, task={"kind": "text_classification"}))
    loaded = theirs.CrossEncoder(str(run.model), device="cpu")
    chances = loaded.predict(PAIRS, apply_softmax=True)
    for row, record in zip(chances, ours(run), strict=True):
        assert record["scores"] == pytest.approx(
            dict(zip(names, row.tolist(), strict=True)), abs=1e-5
        )
