"""Views of what is wrong show nothing where all is right."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import torch
from torch import nn

from engine.batches.source import Batch
from engine.config.tasks.preference import PreferenceConfig
from engine.metrics.retrieval.vectors import RetrievalEvaluator, TextsOfRows
from engine.metrics.text.preference import PreferenceEvaluator
from engine.metrics.text.preference_losses import Likelihoods
from engine.reports.views import Texts, View


def preferred(margins: list[float]) -> Likelihoods:
    """Rows whose chosen answer became likelier by these margins."""
    count = len(margins)
    answers = torch.tensor([[margin, 0.0] for margin in margins])
    ones = torch.ones(count, 2)
    return Likelihoods(
        answers, 0 * ones, ones, ones[:, 0], ones[:, 0], torch.ones(count, dtype=torch.bool)
    )


@pytest.mark.parametrize(
    ("margins", "shown"), [([1.0, 2.0], None), ([1.0, -3.0, 0.5, -1.0], ["1", "3"])]
)
def test_rows_of_preferences_are_shown_where_the_wrong_answer_wins(margins, shown) -> None:
    def show(rows: pa.Table, given: Likelihoods) -> list[View]:
        return [Texts("Worst rows", [{"row": str(row)} for row in rows["row"].to_pylist()])]

    evaluator = PreferenceEvaluator(
        PreferenceConfig(kind="preference"), lambda network, batch: preferred(margins), show
    )
    rows = pa.table({"row": list(range(len(margins)))})
    evaluator.update(nn.Identity(), Batch(None, rows=rows))
    views = evaluator.compute(views=True).views
    assert [[item["row"] for item in view.items] for view in views] == ([shown] if shown else [])


@pytest.mark.parametrize(("swapped", "count"), [(False, 0), (True, 2)])
def test_passages_are_shown_where_another_is_ranked_first(swapped, count) -> None:
    anchors = torch.eye(2)
    passages = anchors.flip(0) if swapped else anchors

    def vectors(network: Any, batch: Batch) -> list[torch.Tensor]:
        return [anchors, passages]

    evaluator = RetrievalEvaluator(
        vectors,
        lambda parts, batch: torch.tensor(0.0),
        lambda rows: TextsOfRows(["a", "b"], ["A", "B"], []),
        (),
    )
    evaluator.update(nn.Identity(), Batch(None))
    views = evaluator.compute(views=True).views
    assert [len(view.items) for view in views] == ([count] if count else [])
