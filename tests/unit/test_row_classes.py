"""The worst mistakes on the rows of a table, and decisions by a threshold among them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import nn

from engine.batches.source import Batch
from engine.config.tasks.threshold import parse_rule
from engine.metrics.classes.multilabel import evaluate_labels
from engine.metrics.classes.threshold import Threshold
from engine.metrics.tables.classes import RowClasses

NAMES = ("no", "yes")


class Given(nn.Module):
    """A network whose inputs are its logits."""

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return inputs["logits"]


def evaluated(
    logits: torch.Tensor,
    targets: torch.Tensor,
    threshold: Threshold | None = None,
    temperature: float = 1.0,
    batch_size: int = 3,
) -> RowClasses:
    names = NAMES if logits.shape[1] == 2 else [str(i) for i in range(logits.shape[1])]
    found = RowClasses(
        names,
        lambda batch, row: f"x={float(batch.inputs['logits'][row, 1]):g}",
        temperature=temperature,
        threshold=threshold,
    )
    for some in torch.arange(len(targets)).split(batch_size):
        found.update(Given(), Batch({"logits": logits[some]}, targets[some]))
    return found


def logits_of(chances: list[float]) -> torch.Tensor:
    """Logits ``[rows, 2]`` with these probabilities of the second class."""
    chance = torch.tensor(chances, dtype=torch.float64)
    return torch.stack([(1 - chance).log(), chance.log()], 1)


def test_the_surest_mistakes_come_first_with_their_rows() -> None:
    logits = logits_of([0.9, 0.6, 0.2, 0.95, 0.3])
    targets = torch.tensor([1, 0, 1, 0, 0])
    found = evaluated(logits, targets)
    found.compute(views=True)
    assert found.worst is not None
    assert list(found.worst.numbers) == [3, 2, 1]
    assert found.worst.total == 3
    assert list(found.worst.predicted) == ["yes", "no", "yes"]
    assert [row[:3] for row in found.worst.table.rows] == [
        ["no", "yes", pytest.approx(0.95, abs=1e-4)],
        ["yes", "no", pytest.approx(0.8, abs=1e-4)],
        ["no", "yes", pytest.approx(0.6, abs=1e-4)],
    ]
    assert found.worst.table.rows[0][3] == f"x={float(logits[3, 1]):g}"


@pytest.mark.parametrize("value", [0.25, 0.5, 0.7])
def test_a_threshold_decides_metrics_and_mistakes_alike(value: float) -> None:
    chances = np.random.default_rng(0).uniform(size=60)
    targets = (np.random.default_rng(1).uniform(size=60) < chances).astype(np.int64)
    rule = parse_rule(str(value))
    found = evaluated(
        logits_of(chances.tolist()), torch.from_numpy(targets), Threshold(1, value, rule)
    )
    metrics = found.compute(views=True).metrics
    predicted = (chances >= value).astype(int)
    assert metrics["accuracy"] == pytest.approx(sk.accuracy_score(targets, predicted))
    assert metrics["f1"] == pytest.approx(sk.f1_score(targets, predicted, average="macro"))
    assert found.worst is not None
    wrong = np.flatnonzero(predicted != targets)
    assert found.worst.total == len(wrong)
    shown = list(found.worst.numbers)
    assert set(shown) <= set(wrong.tolist())
    said = np.where(predicted == 1, chances, 1 - chances)
    assert shown == sorted(wrong.tolist(), key=lambda row: -said[row])[:20]


def test_a_positive_class_of_number_0_is_decided_by_its_own_probability() -> None:
    rule = parse_rule("0.3")
    found = evaluated(logits_of([0.6, 0.8]), torch.tensor([0, 1]), Threshold(0, 0.3, rule))
    assert found.compute().metrics["accuracy"] == 1.0  # 0.4 and 0.2 of class 0


def test_a_probability_at_the_threshold_is_of_the_positive_class() -> None:
    found = evaluated(torch.zeros(1, 2), torch.tensor([1]), Threshold(1, 0.5, parse_rule("0.5")))
    assert found.compute().metrics["accuracy"] == 1.0


def test_a_temperature_changes_probabilities_and_no_decision() -> None:
    logits = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    targets = torch.randint(4, (40,), generator=torch.Generator().manual_seed(1))
    plain, cool = evaluated(logits, targets), evaluated(logits, targets, temperature=2.5)
    first, second = plain.compute(views=True).metrics, cool.compute(views=True).metrics
    assert first["accuracy"] == second["accuracy"]
    assert first["loss"] != second["loss"]
    expected = sk.log_loss(targets, (logits / 2.5).double().softmax(1), labels=range(4))
    assert second["loss"] == pytest.approx(expected, rel=1e-5)
    assert cool.worst is not None
    row = cool.worst.numbers[0]
    share = (logits[row] / 2.5).softmax(0).max().item()
    assert cool.worst.table.rows[0][2] == pytest.approx(share, abs=1e-4)


def test_without_views_no_mistakes_are_looked_for() -> None:
    found = evaluated(logits_of([0.9, 0.1]), torch.tensor([0, 0]))
    found.compute()
    assert found.worst is None


def test_metrics_of_several_labels_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    targets = (random.uniform(size=(80, 5)) < 0.4).astype(np.int64)
    targets[:, 4] = 0  # a class that no sample has
    chances = np.clip(0.6 * targets + random.uniform(0, 0.6, size=(80, 5)), 0, 1)
    predicted = (chances > 0.5).astype(int)
    result = evaluate_labels(chances.astype(np.float32), targets, list("abcde"), 0.0, views=True)
    present = list(range(4))
    for name, score in (
        ("f1", sk.f1_score), ("precision", sk.precision_score), ("recall", sk.recall_score),
    ):  # fmt: skip
        expected = score(targets, predicted, average="macro", labels=present, zero_division=0)
        assert result.metrics[name] == pytest.approx(expected)
    assert result.metrics["accuracy"] == pytest.approx(sk.accuracy_score(targets, predicted))
    assert result.metrics["f1_micro"] == pytest.approx(
        sk.f1_score(targets, predicted, average="micro")
    )
    assert result.metrics["roc_auc"] == pytest.approx(
        sk.roc_auc_score(targets[:, :4], chances[:, :4].astype(np.float32))
    )
    [table] = result.views
    assert [row[4] for row in table.record()["rows"]] == targets.sum(0).tolist()
