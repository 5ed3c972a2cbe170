"""Single cases of a gallery."""

from __future__ import annotations

import pytest

from engine.reports.gallery import Case, Explained
from engine.reports.picture import Picture
from engine.reports.views import Pictures, Table
from tui.widgets.case_view import explainable

ONE = Picture(1, 1, "AAAA")


@pytest.mark.parametrize(
    ("case", "can"),
    [
        (Case(Table("row", ["a"], [[1]]), Explained(row={"a": 1})), True),
        (Case(Table("row", ["a"], [[1]]), None), False),
        (Case(Pictures("image", [ONE]), Explained(target="cat")), True),
        (Case(Pictures("image of an earlier version", [ONE]), None), True),
        (Case(Pictures("boxes beside the true ones", [ONE, ONE]), None), False),
    ],
)
def test_only_predictions_with_an_explanation_offer_it(case: Case, can: bool) -> None:
    assert explainable(case) is can
