"""Lists of the rows, texts and images that a network was the most wrong about."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.images.mistakes import ImageEvaluator
from engine.metrics.tables.regression import evaluate_numbers
from engine.metrics.tables.worst_rows import WrongRows
from engine.metrics.text.mistakes import LabelledTexts
from engine.metrics.text.numbers import TextNumbers
from engine.reports.gallery import Gallery
from engine.reports.views import Pictures, Table, Texts
from engine.runs.gallery_file import GalleryFile
from engine.tasks.galleries.images import file_of, mistakes_gallery, pixels_of
from engine.tasks.galleries.rows import numbers_gallery, rows_gallery, texts_gallery
from engine.vision.fitted import ImageFitted

Numbers = Sequence[Sequence[float]]


class Outputs(nn.Module):
    """A network whose outputs are known beforehand."""

    def __init__(self, outputs: Numbers) -> None:
        super().__init__()
        self.outputs = torch.tensor(outputs)

    def forward(self, **inputs: Tensor) -> Any:
        return SimpleNamespace(logits=self.outputs)


def cells(view: Any) -> dict[str, Any]:
    """The values of a row by column."""
    assert isinstance(view, Table)
    return {str(name): value for name, value in view.rows}


class TestRows:
    """Rows of a table."""

    ROWS = pa.table({
        "age": [10, None, 30],
        "city": ["Rom\n", "b", None],
        "share": [0.1 + 0.2, float("nan"), 1.0],
        "day": [date(2024, 2, 29), None, date(1, 1, 1)],
        "price": [Decimal("1.50"), None, Decimal("0")],
        "tags": [["a", "b"], [], None],
        "label": ["x", "y", "z"],
    })  # fmt: skip
    WRONG = WrongRows(
        Table(
            "Worst mistakes", ["true", "predicted", "probability", "inputs"],
            [["z", "x", 0.9, "age=30"], ["x", "y", 0.75, "age=10"]],
        ), [2, 0], 41, ["x", "y"],
    )  # fmt: skip

    def test_rows_are_found_by_their_numbers(self) -> None:
        gallery = rows_gallery(self.WRONG, self.ROWS, ["age", "city"])
        assert gallery is not None
        assert [view.title for view in gallery.views] == [
            "Row 3 of the split",
            "Row 1 of the split",
        ]
        first, second = map(cells, gallery.views)
        assert first == {
            "age": "30", "city": "", "share": "1.0", "day": "0001-01-01", "price": "0.00",
            "tags": "", "label": "z",
        }  # fmt: skip
        assert second["city"] == "Rom "
        assert second["share"] == "0.30000000000000004"
        assert (gallery.title, gallery.total) == ("Mistakes", 41)

    def test_numbers_stand_behind_names(self) -> None:
        gallery = rows_gallery(self.WRONG, self.ROWS, [])
        assert gallery is not None
        assert gallery.columns == ["true", "predicted", "inputs", "probability"]
        assert gallery.rows == [["z", "x", "age=30", 0.9], ["x", "y", "age=10", 0.75]]

    def test_inputs_are_kept_as_a_row_to_predict_from(self) -> None:
        """Without the target, which a network is not shown; each as JSON takes it."""
        wrong = WrongRows(Table("t", ["true"], [[1.0], [2.0]]), [0, 1], 2)
        inputs = ["age", "share", "day", "price", "tags", "gone"]
        gallery = rows_gallery(wrong, self.ROWS, inputs)
        assert gallery is not None
        first, second = gallery.explained
        assert first.row == {
            "age": 10, "share": 0.1 + 0.2, "day": "2024-02-29", "price": "1.50", "tags": ["a", "b"],
        }  # fmt: skip
        assert second.row == {"age": None, "share": None, "day": None, "price": None, "tags": []}
        assert (first.target, gallery.title) == ("", "Errors")

    def test_the_predicted_class_is_explained_first(self) -> None:
        gallery = rows_gallery(self.WRONG, self.ROWS, ["age"])
        assert gallery is not None
        assert [one.target for one in gallery.explained] == ["x", "y"]

    def test_without_mistakes_there_is_no_gallery(self) -> None:
        nothing = WrongRows(Table("t", ["true"], []), [], 0)
        assert rows_gallery(nothing, self.ROWS, []) is None
        assert rows_gallery(None, self.ROWS, []) is None
        assert rows_gallery(self.WRONG, None, []) is None

    def test_times_keep_their_clock(self) -> None:
        rows = pa.table({"at": [datetime(2024, 1, 2, 3, 4, 5, 6)]})
        gallery = rows_gallery(WrongRows(Table("t", ["a"], [[1.0]]), [0], 1), rows, ["at"])
        assert gallery is not None
        assert gallery.explained[0].row == {"at": "2024-01-02T03:04:05.000006"}


class TestTexts:
    """Texts of which a class, or one of several labels, is wrong."""

    NAMES = ("bad", "good")

    def gallery(
        self, logits: Numbers, targets: Any, texts: Sequence[str], several: bool = False
    ) -> Gallery | None:
        rows = pa.table({"review": list(texts), "id": range(len(texts))})
        batch = Batch({"x": torch.zeros(len(texts))}, torch.tensor(targets))
        evaluated = LabelledTexts(self.NAMES, several, lambda table: table["review"].to_pylist())
        evaluated.update(Outputs(logits), Batch(batch.inputs, batch.targets, rows=rows))
        evaluated.compute(views=True)
        return texts_gallery(evaluated, ["review"], several)

    def test_the_worst_mistake_comes_first(self) -> None:
        """By the predicted probability of the wrong class, 1 / (1 + e⁻²) and 1 / (1 + e⁻¹)."""
        logits = [[1.0, 0.0], [0.0, 2.0], [5.0, 0.0]]
        gallery = self.gallery(logits, [1, 0, 0], ["fine", "dull", "awful"])
        assert gallery is not None
        assert gallery.columns == ["text", "label", "predicted", "probability"]
        assert gallery.rows == [
            ["dull", "bad", "good", round(1 / (1 + np.exp(-2)), 4)],
            ["fine", "good", "bad", round(1 / (1 + np.exp(-1)), 4)],
        ]
        assert gallery.total == 2
        assert [one.target for one in gallery.explained] == ["good", "bad"]
        assert [one.row for one in gallery.explained] == [{"review": "dull"}, {"review": "fine"}]

    def test_of_several_labels_the_one_that_is_the_most_wrong_is_named(self) -> None:
        gallery = self.gallery([[0.5, -3.0]], [[0, 1]], ["fine"], several=True)
        assert gallery is not None
        assert gallery.columns == ["text", "label", "predicted", "most wrong", "probability"]
        assert gallery.rows == [["fine", "good", "bad", "good", round(1 / (1 + np.exp(3)), 4)]]

    def test_a_long_text_is_short_in_the_list_and_whole_beside_it(self) -> None:
        text = "x" * 5000 + "\nend"
        gallery = self.gallery([[1.0, 0.0]], [1], [text])
        assert gallery is not None
        assert gallery.rows[0][0] == "x" * 199 + "…"
        [view] = gallery.views
        assert isinstance(view, Texts)
        assert view.title == "x" * 59 + "…"
        assert view.items == [
            {"review": "x" * 5000 + " end", "label": "good", "predicted": "bad",
             "probability": "73%"}
        ]  # fmt: skip
        assert gallery.explained[0].row == {"review": text}

    def test_without_mistakes_there_is_no_gallery(self) -> None:
        assert self.gallery([[1.0, 0.0]], [0], ["dull"]) is None
        assert texts_gallery(None, ["review"], several=False) is None


class TestTextNumbers:
    """Texts for which a number is predicted."""

    def gallery(
        self, predicted: Sequence[float], truth: Sequence[float], pairs: Sequence[tuple[str, str]]
    ) -> Gallery | None:
        evaluated = TextNumbers(
            lambda network, batch: network(), lambda a, b: (a - b).abs().mean(), lambda a: a,
            lambda rows: list(pairs),
        )  # fmt: skip
        network: Any = lambda: torch.tensor(predicted)  # noqa: E731
        evaluated.update(network, Batch({}, torch.tensor(truth)))
        self.metrics = evaluated.compute(views=True).metrics
        return numbers_gallery(evaluated, ["query", "passage"])

    def test_the_largest_error_comes_first_whatever_its_sign(self) -> None:
        pairs = [("a", "b"), ("c", ""), ("e", "f")]
        gallery = self.gallery([1.5, -3.0, 2.0], [1.0, 1.0, 2.0], pairs)
        assert gallery is not None
        assert gallery.columns == ["text", "true", "predicted", "difference"]
        assert gallery.rows == [["c", 1.0, -3.0, -4.0], ["a | b", 1.0, 1.5, 0.5],
                                ["e | f", 2.0, 2.0, 0.0]]  # fmt: skip
        assert (gallery.title, gallery.total) == ("Errors", 3)
        assert gallery.views[1] == Texts(
            "a | b", [{"query": "a", "passage": "b", "true": "1", "predicted": "1.5"}]
        )
        assert gallery.explained[1].row == {"query": "a", "passage": "b"}

    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_a_network_that_predicts_no_number_has_metrics_that_are_not_known(
        self, tmp_path: Path, bad: float
    ) -> None:
        """It is shown, and can be saved, like any other."""
        gallery = self.gallery(
            [1.0, bad, 2.0], [1.0, 1.0, 3.0], [("a", "x"), ("a", "y"), ("b", "")]
        )
        assert np.isnan([self.metrics[name] for name in ("mse", "rmse", "mae", "r2")]).all()
        assert np.isnan(self.metrics["spearman"])
        assert gallery is not None
        file = GalleryFile(tmp_path / "gallery.jsonl")
        file.write(gallery)
        found = file.read()
        assert found is not None
        assert ["a | y", 1.0, None, None] in found.rows
        assert "NaN" not in file.path.read_text()
        assert "Infinity" not in file.path.read_text()

    def test_before_views_are_computed_there_is_no_gallery(self) -> None:
        assert numbers_gallery(None, ["query"]) is None


def test_errors_that_are_known_are_those_of_the_formulas() -> None:
    """R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²; one row has none."""
    predicted, truth = np.array([1.0, 2.0, 5.0]), np.array([2.0, 2.0, 2.0 + 3.0])
    metrics = evaluate_numbers(predicted, truth, 0.5).metrics
    assert metrics == pytest.approx(
        {"mse": 1 / 3, "rmse": 3**-0.5, "mae": 1 / 3, "r2": 1 - 1 / 6, "loss": 0.5}
    )
    assert np.isnan(evaluate_numbers(predicted[:1], truth[:1], 0.0).metrics["r2"])


class Images:
    """A source of small grey images, which are named by their paths."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def read(self, plan: Sequence[Tensor]) -> Any:
        for rows in plan:
            names = pa.table({"name": [f"a/b/{row}.png" for row in rows.tolist()],
                              "row": rows.tolist()})  # fmt: skip
            yield Batch(self.pixels[rows], torch.zeros(len(rows)), rows=names)


@pytest.fixture
def fitted() -> ImageFitted:
    return ImageFitted(
        image="image", label="label", classes=["cat", "dog"], counts=[1, 1], multi_label=False,
        channels=1, size=2, resize="crop", mean=[0.5], std=[0.25], sizes={},
    )  # fmt: skip


Evaluate = Callable[[Numbers, list[int]], ImageEvaluator]


def evaluated(logits: Numbers, targets: list[int]) -> ImageEvaluator:
    evaluator = ImageEvaluator(["cat", "dog"], False, lambda network, batch: torch.tensor(logits))
    rows = torch.arange(len(targets))
    [batch] = Images(torch.zeros(len(targets), 1, 2, 2)).read([rows])
    evaluator.update(nn.Identity(), Batch(batch.inputs, torch.tensor(targets), rows=batch.rows))
    evaluator.compute(views=True)
    return evaluator


def test_an_image_that_was_taken_for_another_is_shown_as_the_network_sees_it(
    fitted: ImageFitted,
) -> None:
    """Shares of white are the standardised inputs times 0.25 plus 0.5, cut to 0 to 1."""
    pixels = torch.full((3, 1, 2, 2), 9.0)
    pixels[2] = torch.tensor([[[-2.0, 0.0], [2.0, 4.0]]])
    evaluator = evaluated([[1.0, 0.0], [0.0, 1.0], [0.0, 3.0]], [0, 1, 0])
    source: Any = Images(pixels)
    gallery = mistakes_gallery(evaluator, source, fitted)
    assert gallery is not None
    assert gallery.rows == [["a/b/2.png", "cat", "dog", round(1 / (1 + np.exp(-3)), 4)]]
    [view] = gallery.views
    assert isinstance(view, Pictures)
    [picture] = view.pictures
    assert (picture.name, picture.caption) == ("2.png", "cat, predicted dog (95%)")
    assert list(base64.b64decode(picture.rgb)) == [0] * 3 + [128] * 3 + [255] * 6
    assert (gallery.total, gallery.explained[0].target) == (1, "dog")


def test_each_mistake_has_its_own_image(fitted: ImageFitted) -> None:
    """The worst mistake is the last image."""
    pixels = torch.tensor([-2.0, 0.0, 2.0])[:, None, None, None].expand(3, 1, 2, 2)
    source: Any = Images(pixels)
    gallery = mistakes_gallery(evaluated([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0]], [0] * 3), source,
                               fitted)  # fmt: skip
    assert gallery is not None
    assert [row[0] for row in gallery.rows] == ["a/b/2.png", "a/b/0.png"]
    shown = [view.pictures[0] for view in gallery.views if isinstance(view, Pictures)]
    assert [(one.name, set(one.pixels)) for one in shown] == [("2.png", {255}), ("0.png", {0})]


def test_images_without_mistakes_have_no_gallery(fitted: ImageFitted) -> None:
    source: Any = Images(torch.zeros(1, 1, 2, 2))
    assert mistakes_gallery(evaluated([[1.0, 0.0]], [0]), source, fitted) is None
    fresh = ImageEvaluator(["cat", "dog"], False, lambda network, batch: torch.zeros(1, 2))
    assert mistakes_gallery(fresh, source, fitted) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a/b.png", "b.png"), ("b.png", "b.png"), ("a/", ""), ("/x\x1b[1m", "x␛[1m")],
)
def test_an_image_is_named_by_the_last_part_of_its_path(name: str, shown: str) -> None:
    assert file_of(name) == shown


def test_each_channel_has_its_own_scale(fitted: ImageFitted) -> None:
    coloured = fitted.model_copy(update={"mean": [0.0, 0.5, 1.0], "std": [1.0, 0.5, 2.0]})
    image = torch.tensor([0.2, -1.0, -0.25]).reshape(3, 1, 1)
    assert pixels_of(image, coloured).tolist() == [[[51, 0, 128]]]
