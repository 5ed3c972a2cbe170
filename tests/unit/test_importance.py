"""Importance of columns: in a wide table, those that change the outputs most are measured."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.metrics.tables.importance import Places, number_scores, permutation_importance


class OfTwo(nn.Module):
    """The sum of a number and twice a category, both far to the right in the table."""

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return inputs["numeric"][:, 240:241] + 2 * inputs["categorical"][:, 9:10]


def test_the_most_sensitive_columns_of_a_wide_table_are_measured() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "numeric": torch.randn(300, 250, generator=generator),
        "categorical": torch.randint(0, 3, (300, 10), generator=generator),
    }
    places: dict[str, Places] = {f"n{i}": {"numeric": [i]} for i in range(250)}
    places |= {f"c{i}": {"categorical": [i]} for i in range(10)}
    targets = OfTwo()(inputs)[:, 0]
    table = permutation_importance(OfTwo(), inputs, targets, places, number_scores(1.0))
    assert [row[0] for row in table.rows[:2]] == ["c9", "n240"]
    assert len(table.rows) == 200
    assert table.title.endswith("the 200 of 260 that change outputs most")
