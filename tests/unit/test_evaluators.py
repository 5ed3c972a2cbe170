"""Evaluators gather any number of batches, and find the worst rows among them."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.classes.classification import evaluate_classes
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered
from engine.metrics.tables.importance import WithImportance, number_scores
from engine.metrics.tables.worst_rows import WorstRows
from engine.metrics.text.mistakes import LabelledTexts
from engine.reports.views import Table, Texts


def batches(count: int) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        yield Batch({"numeric": torch.rand(16, 3, generator=generator)}, torch.zeros(16))


def test_what_was_gathered_comes_in_the_order_of_the_batches() -> None:
    gathered = Gathered()
    for number in range(40):
        gathered.add(torch.full((1 << 17,), number))  # 2^20 bytes: some are moved off the device
    assert gathered.joined()[:: 1 << 17].tolist() == list(range(40))


def test_the_worst_rows_of_many_batches_are_those_of_all_at_once() -> None:
    worst = WorstRows(5, lambda said, true: (said - true).abs())
    for batch in batches(300):
        worst.add(batch.inputs["numeric"][:, 0], batch)
    said, rows, numbers = worst.worst()
    everything = torch.cat([batch.inputs["numeric"] for batch in batches(300)])
    wanted = everything[everything[:, 0].argsort(descending=True)][:5]
    assert torch.equal(everything[numbers], wanted)
    assert worst.wrong == len(everything)
    assert torch.equal(rows.inputs["numeric"], wanted)
    assert torch.equal(said, wanted[:, 0])


def test_rows_that_are_right_are_not_among_the_worst() -> None:
    worst = WorstRows(5, lambda said, true: torch.where(said > 0.99, said, -1.0))
    for batch in batches(2):
        worst.add(torch.tensor([1.0] + [0.0] * 15), batch)
    assert worst.worst()[0].tolist() == [1.0, 1.0]


class Nothing(Evaluator):
    def update(self, network: nn.Module, batch: Batch) -> None: ...

    def compute(self, views: bool = False) -> Evaluation:
        return Evaluation({})


def test_rows_that_are_remembered_do_not_keep_their_batches_in_memory() -> None:
    evaluator = WithImportance(Nothing(), {"x": {"numeric": [0]}}, number_scores(1.0))
    for _ in range(500):
        evaluator.update(nn.Identity(), Batch({"numeric": torch.zeros(1024, 8)}, torch.zeros(1024)))
    tensors = [
        part for kept in evaluator._batches for part in (*kept.inputs.values(), kept.targets)
    ]
    held = sum(tensor.untyped_storage().nbytes() for tensor in tensors)
    assert held == sum(tensor.nbytes for tensor in tensors) <= 8000 * (8 + 1) * 4


def test_of_many_batches_few_are_kept() -> None:
    class Sum(nn.Module):
        def forward(self, inputs: dict[str, Tensor]) -> Tensor:
            return inputs["numeric"].sum(1, keepdim=True)

    evaluator = WithImportance(Nothing(), {"x": {"numeric": [0]}}, number_scores(1.0))
    worst = WorstRows(5, lambda said, true: said)
    for batch in batches(9000):
        evaluator.update(Sum(), batch)
        worst.add(batch.targets, batch)
    assert len(evaluator._batches) < 5000
    assert len(worst._parts) < 100
    (table,) = evaluator.compute(views=True).views
    assert table.title.startswith("Importance")


class FirstColumn(nn.Module):
    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return inputs["numeric"][:, :1]


def importance(columns: int) -> Table:
    numeric = torch.randn(50, columns, generator=torch.Generator().manual_seed(0))
    places = {f"c{i}": {"numeric": [i]} for i in range(columns)}
    evaluator = WithImportance(Nothing(), places, number_scores(1.0))
    evaluator.update(FirstColumn(), Batch({"numeric": numeric}, numeric[:, 0]))
    (table,) = evaluator.compute(views=True).views
    assert isinstance(table, Table)
    return table


def test_importance_says_how_many_of_the_columns_it_shuffled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few, many = importance(3), importance(300)
    assert few.title == "Importance of columns: change when a column is shuffled"
    assert few.rows[0][0] == "c0"
    assert [row[1] for row in few.rows[1:]] == [0.0, 0.0]
    assert many.title.endswith(", the 200 of 300 that change outputs most")
    assert len(many.rows) == 200
    monkeypatch.setattr("engine.metrics.tables.importance._MOST_SECONDS", 0.0)
    assert importance(300).title.endswith(", the 1 of 300 that change outputs most")


class Said(nn.Module):
    def forward(self, logits: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=logits)


def worst_texts(multi_label: bool) -> list[dict[str, str]]:
    evaluator = LabelledTexts(["a", "b", "c"], multi_label, lambda t: t["text"].to_pylist())
    generator = torch.Generator().manual_seed(0)
    for number in range(9):
        logits = torch.randn(8, 3, generator=generator)
        classes = torch.randint(0, 3, (8,), generator=generator)
        targets = torch.eye(3)[classes] if multi_label else classes
        rows = pa.table({"text": [f"{number}-{row}" for row in range(8)]})
        evaluator.update(Said(), Batch({"logits": logits}, targets, 8, rows))
    view = evaluator.compute(views=True).views[0]
    assert isinstance(view, Texts)
    return list(view.items)


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_worst_texts_are_the_same_however_few_are_kept(
    multi_label: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = worst_texts(multi_label)
    monkeypatch.setattr("engine.metrics.text.mistakes._PARTS", 2)
    assert worst_texts(multi_label) == together
    assert len(together) == 20
    errors = []
    for item in together:
        *judged, share = item["probability"].removesuffix("%").split(" ")
        assert not judged or multi_label
        missed = bool(judged) and judged[0] in item["label"]
        errors.append(100 - int(share) if missed else int(share))
    assert errors == sorted(errors, reverse=True)
    assert all(item["label"] != item["predicted"] for item in together)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("digits", [1, 9], ids=["with ties", "without"])
def test_the_area_under_the_curve_is_that_of_scikit_learn(
    classes: int, digits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.metrics.classes.classification._AT_ONCE", 50)
    random = np.random.default_rng(0)
    said = random.dirichlet(np.ones(classes), 400).round(digits)
    said = (said / said.sum(1, keepdims=True)).astype(np.float32)
    true = random.integers(0, classes, 400)
    wanted = sk.roc_auc_score(true, said[:, 1] if classes == 2 else said, multi_class="ovr")
    names = [str(number) for number in range(classes)]
    told = evaluate_classes(said, true, names, 0.0).metrics["roc_auc"]
    assert told == pytest.approx(wanted, abs=1e-9)
    said[0] = np.nan
    assert np.isnan(evaluate_classes(said, true, names, 0.0).metrics["roc_auc"])
