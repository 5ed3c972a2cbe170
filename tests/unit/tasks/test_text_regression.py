"""Numbers of texts and of pairs of texts: columns, faults, losses and the first outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from sklearn.metrics import ndcg_score
from torch.nn import functional

from engine.config.train import TrainConfig
from engine.errors import DataError
from engine.training.optimization.clipping import clip_gradients
from engine.training.optimization.optimizer import build_optimizer, trainable_groups

Make = Callable[..., Any]
KIND = "text_regression"
TEXTS = ["a good film", "bad", "good play", "a bad play", "good good film"]
SECOND = ["one", "two", "three", "four", "five"]
NUMBERS = [4.0, -1.0, 3.5, 0.5, 8.0]


def test_columns_of_a_reranker_are_found(prepare: Make) -> None:
    rows = {"query": TEXTS, "passage": SECOND, "score": NUMBERS}
    fitted = prepare(KIND, rows).fitted
    assert (fitted.text, fitted.text_pair, fitted.target) == ("query", "passage", "score")
    assert fitted.mean == pytest.approx(np.mean(NUMBERS))
    assert fitted.std == pytest.approx(np.std(NUMBERS))


def test_the_only_column_of_numbers_is_the_target(prepare: Make) -> None:
    rows = {"review": TEXTS, "points": ["4,5", "1", "3", "2", "5"]}
    prepared = prepare(KIND, rows)
    assert prepared.fitted.target == "points"
    assert prepared.encoded().targets.tolist() == [4.5, 1, 3, 2, 5]


def test_several_columns_of_numbers_are_asked_about(prepare: Make) -> None:
    with pytest.raises(DataError, match=r"It could be a, b\. Set task\.target"):
        prepare(KIND, {"text": TEXTS, "a": NUMBERS, "b": NUMBERS})


def test_one_value_teaches_nothing(prepare: Make) -> None:
    with pytest.raises(DataError, match=r"'score' is 2 in all training rows"):
        prepare(KIND, {"text": TEXTS, "score": [2.0] * 5})


def test_unusable_rows_are_counted(prepare: Make) -> None:
    rows = {"text": [*TEXTS, " "], "score": ["0.5", "high", "1.5", "0", "1", "1"]}
    prepared = prepare(KIND, rows, loss="bce")
    assert prepared.raw.train.num_rows == 3
    assert {skip.reason: skip.count for skip in prepared.raw.skips} == {
        "score is not a number": 1,
        "score is outside 0 to 1, which the loss bce needs": 1,
        "text is empty": 1,
    }


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_losses_are_in_standard_deviations(prepare: Make, loss: str) -> None:
    prepared = prepare(KIND, {"text": TEXTS, "score": NUMBERS}, loss=loss)
    network, batch = prepared.network(), prepared.encoded()
    with torch.no_grad():
        outputs = network(**batch.inputs).logits[:, 0].double().numpy()
    errors = (outputs - np.array(NUMBERS)) / np.std(NUMBERS)
    expected = {
        "mse": errors**2,
        "mae": abs(errors),
        "huber": np.where(abs(errors) < 1, errors**2 / 2, abs(errors) - 0.5),
    }[loss]
    assert prepared.loss(network, batch) == pytest.approx(expected.mean(), rel=1e-5)
    records = prepared.task.predict(network, batch, prepared.fitted)
    assert [record["value"] for record in records] == pytest.approx(outputs.tolist())


def test_cross_entropy_is_of_logits(prepare: Make) -> None:
    shares = [0.25, 1.0, 0.0, 0.5, 0.75]
    prepared = prepare(KIND, {"text": TEXTS, "score": shares}, loss="bce")
    network, batch = prepared.network(), prepared.encoded()
    with torch.no_grad():
        logits = network(**batch.inputs).logits[:, 0]
    chances = logits.sigmoid().double().numpy()
    truth = np.array(shares)
    expected = -(truth * np.log(chances) + (1 - truth) * np.log(1 - chances)).mean()
    assert prepared.loss(network, batch) == pytest.approx(expected, rel=1e-5)
    records = prepared.task.predict(network, batch, prepared.fitted)
    assert [record["value"] for record in records] == pytest.approx(chances.tolist())


def test_a_new_head_begins_at_the_mean(prepare: Make) -> None:
    numbers = [1000.0, 1010.0, 990.0, 1005.0, 995.0]
    prepared = prepare(KIND, {"text": TEXTS, "score": numbers})
    records = prepared.predictions(prepared.network(), {"text": TEXTS})
    assert all(abs(record["value"] - 1000) < 50 for record in records)


def test_few_texts_of_the_same_query_are_not_ranked(prepare: Make) -> None:
    rows = {"query": ["same", "same", *TEXTS], "passage": list("abcdefg"), "score": range(7)}
    prepared = prepare(KIND, {name: list(values) for name, values in rows.items()})
    network, evaluator = prepared.network(), prepared.task.evaluator(prepared.fitted)
    source = prepared.task.encode(prepared.raw.train, prepared.fitted, torch.device("cpu"), print)
    with torch.no_grad():
        for batch in source.read(source.evaluation_plan(7)):
            evaluator.update(network, batch)
    assert "ndcg_at_10" not in evaluator.compute().metrics


def test_texts_of_a_query_are_ranked(prepare: Make) -> None:
    queries, second = ["q1"] * 4 + ["q2"] * 3 + ["q3"], [f"text {n}" for n in range(8)]
    truth = [0.0, 1.0, 2.0, 0.0, 1.0, 0.0, 0.5, 1.0]
    rows = {"query": queries, "passage": second, "score": truth}
    prepared = prepare(KIND, rows)
    network, evaluator = prepared.network(), prepared.task.evaluator(prepared.fitted)
    source = prepared.task.encode(prepared.raw.train, prepared.fitted, torch.device("cpu"), print)
    with torch.no_grad():
        for batch in source.read(source.evaluation_plan(3)):
            evaluator.update(network, batch)
    found = evaluator.compute(views=True)
    said = prepared.predictions(network, {"query": queries, "passage": second})
    values = [record["value"] for record in said]
    expected = np.mean([
        ndcg_score([truth[:4]], [values[:4]], k=10), ndcg_score([truth[4:7]], [values[4:7]], k=10)
    ])  # fmt: skip
    assert found.metrics["ndcg_at_10"] == pytest.approx(expected)
    errors = np.abs(np.array(values) - truth)
    assert found.views[0].items[0]["true"] == f"{truth[int(errors.argmax())]:.5g}"
    assert found.metrics["mse"] == pytest.approx(functional.mse_loss(
        torch.tensor(values), torch.tensor(truth)).item(), rel=1e-5)  # fmt: skip


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_the_exported_folder_of_a_reranker_says_how_its_outputs_become_scores(
    prepare: Make, tmp_path: Path, loss: str
) -> None:
    """CrossEncoder of sentence-transformers reads it: one output, a function, a longest text."""
    rows = {"query": TEXTS, "passage": SECOND, "score": [0.0, 0.2, 0.5, 0.7, 1.0]}
    prepared = prepare(KIND, rows, loss=loss, max_length=7)
    network, out = prepared.network(), tmp_path / "out"
    network.save_pretrained(out)
    prepared.task.files(prepared.fitted).companions(out)
    asked = {"query": ["a good play " * 9, "bad"], "passage": ["a", "film " * 9]}
    values = [one["value"] for one in prepared.predictions(network, asked)]
    loaded = transformers.AutoModelForSequenceClassification.from_pretrained(out).eval()
    assert loaded.config.num_labels == 1
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    tokens = tokenizer(*asked.values(), truncation=True, padding=True, return_tensors="pt")
    with torch.no_grad():
        outputs = loaded(**tokens).logits[:, 0]
    named = json.loads((out / "config.json").read_text())["sentence_transformers"]["activation_fn"]
    function = {"torch.nn.modules.activation.Sigmoid": torch.nn.Sigmoid(),
                "torch.nn.modules.linear.Identity": torch.nn.Identity()}[named]  # fmt: skip
    assert function(outputs).tolist() == pytest.approx(values, abs=1e-6)


def test_numbers_of_all_splits_are_read_in_the_format_of_the_training_rows(prepare: Make) -> None:
    train = {"text": TEXTS, "score": ["1.200,5", "2.100,0", "3.400,25", "900,5", "1.100,1"]}
    held_out = {"text": TEXTS[:3], "score": ["1.500", "2.250", "3.125"]}
    prepared = prepare(KIND, train, validation=held_out)
    batch = prepared.encoded(prepared.raw.splits["validation"])
    assert batch.targets.tolist() == [1500.0, 2250.0, 3125.0]


def test_a_split_with_other_marks_is_read_by_its_own(prepare: Make) -> None:
    train = {"text": TEXTS, "score": ["1.25", "2.5", "3.75", "0.5", "4.125"]}
    held_out = {"text": TEXTS[:3], "score": ["1,25", "2,5", "3,75"]}
    prepared = prepare(KIND, train, validation=held_out)
    batch = prepared.encoded(prepared.raw.splits["validation"])
    assert batch.targets.tolist() == [1.25, 2.5, 3.75]


def test_numbers_keep_their_precision_in_bfloat16(prepare: Make) -> None:
    prepared = prepare(KIND, {"text": TEXTS, "score": [2000.0 + number for number in NUMBERS]})
    network, batch = prepared.network(), prepared.encoded()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mixed = network(**batch.inputs).logits[:, 0]
        features = network.bert(**batch.inputs).pooler_output.float()
    head = network.classifier
    exact = functional.linear(features, head.weight, head.bias)[:, 0]
    assert mixed.dtype == torch.float32
    assert mixed.tolist() == pytest.approx(exact.tolist(), abs=0.01)
    compiled: Any = torch.compile(network, backend="eager", fullgraph=True)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert compiled(**batch.inputs).logits[:, 0].tolist() == pytest.approx(mixed.tolist())


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("unit", [1e-9, 1e-4, 0.1, 1e4, 1e9])
def test_units_of_the_data_do_not_change_what_is_learned(
    prepare: Make, optimizer: str, unit: float
) -> None:
    losses = []
    for scale in (1.0, unit):
        rows = {"text": TEXTS, "score": [scale * number for number in NUMBERS]}
        prepared = prepare(KIND, rows)
        network, batch = prepared.network().train(), prepared.encoded()
        train = TrainConfig(optimizer=optimizer, learning_rate=0.01, weight_decay=0.1)
        updates = build_optimizer(trainable_groups(network), train, torch.device("cpu"))
        for part in updates.param_groups:
            part["lr"] *= part["lr_scale"]
        for _ in range(8):
            updates.zero_grad()
            loss = prepared.task.loss(network, batch)
            loss.backward()
            clip_gradients(list(network.parameters()), 0.5)
            updates.step()
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.parametrize("base", [1e9, 1e39])
def test_numbers_whose_differences_float32_loses_are_refused(prepare: Make, base: float) -> None:
    scores = [base * (1 + number * 1e-9) for number in NUMBERS]
    with pytest.raises(DataError, match=r"apart there\. Subtract a number from all values"):
        prepare(KIND, {"text": TEXTS, "score": scores})
