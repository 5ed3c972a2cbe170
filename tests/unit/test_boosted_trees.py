"""Trees of gradient boosting as tensors, against scikit-learn's own predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from engine.baselines import gradient_boosting
from engine.baselines.fitted_trees import fitted_trees
from engine.batches.source import TensorSource
from engine.data.tables.schema import CategoricalFeature, Features, NumericFeature
from engine.models.tables.boosted_trees import BoostedTrees, load_trees, save_trees

FEW: dict[str, Any] = {"max_iter": 12, "random_state": 0, "early_stopping": False}
CATEGORIES = [[2, 3], [3], []]
"""Columns that the model takes for categories; the others are numbers."""


def table(rows: int, seed: int, codes: int) -> Any:
    """Two numbers and two columns of codes; the first of these has fewer."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, 2)).astype(np.float32)
    coded = np.stack([random.integers(0, 3, rows), random.integers(0, codes, rows)], 1)
    return np.concatenate([numbers, coded], axis=1, dtype=np.float64)


SEEN, UNSEEN = table(400, 0, 40), table(300, 1, 60)  # codes from 40 on are in no training row
TARGET = SEEN[:, 0] * (SEEN[:, 2] == 1) + np.sin(SEEN[:, 3]) + SEEN[:, 1]


def inputs(rows: Any) -> dict[str, torch.Tensor]:
    return {"numeric": torch.from_numpy(rows[:, :2]).float(),
            "categorical": torch.from_numpy(rows[:, 2:]).long()}  # fmt: skip


@pytest.mark.parametrize("categories", CATEGORIES)
def test_numbers_are_those_of_scikit_learn(categories: list[int]) -> None:
    model = HistGradientBoostingRegressor(categorical_features=categories, **FEW)
    trees = fitted_trees(model.fit(SEEN, TARGET), None)
    found = trees(inputs(UNSEEN))
    assert found.shape == (300, 1)
    assert found[:, 0].numpy() == pytest.approx(model.predict(UNSEEN), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("categories", CATEGORIES)
@pytest.mark.parametrize("seen", [[1, 3], [0, 1, 4]])
def test_classes_are_those_of_scikit_learn_and_unseen_ones_have_no_chance(
    categories: list[int], seen: list[int]
) -> None:
    model = HistGradientBoostingClassifier(categorical_features=categories, **FEW)
    targets = np.array(seen)[np.digitize(TARGET, [-0.5, 1.0][: len(seen) - 1])]
    trees = fitted_trees(model.fit(SEEN, targets), 5)
    chances = trees(inputs(UNSEEN)).softmax(1).numpy()
    assert chances[:, seen] == pytest.approx(model.predict_proba(UNSEEN), rel=1e-12, abs=1e-12)
    assert chances.sum(1) == pytest.approx(1)


@pytest.fixture
def trees() -> BoostedTrees:
    model = HistGradientBoostingRegressor(categorical_features=[2, 3], **FEW)
    return fitted_trees(model.fit(SEEN, TARGET), None)


def test_the_file_has_the_same_trees(trees: BoostedTrees, tmp_path: Path) -> None:
    save_trees(trees, tmp_path / "trees.safetensors")
    found = load_trees(tmp_path / "trees.safetensors")
    assert torch.equal(found(inputs(UNSEEN)), trees(inputs(UNSEEN)))
    with pytest.raises(ValueError, match="take 4 columns, not 3"):
        found.sums(UNSEEN[:, :3])


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("branches", (2, 1), 0), ("branches", (0, 1), 10**6), ("feature", (0,), 4),
        ("feature", (0,), -1), ("roots", (0,), -1), ("output", (0,), 1),
        ("categories", (0,), 10**6), ("columns", (0,), 2),
    ],
)  # fmt: skip
def test_a_file_of_trees_that_lead_outside_or_in_circles_is_refused(
    trees: BoostedTrees, tmp_path: Path, name: str, place: tuple[int, ...], value: int
) -> None:
    path = tmp_path / "trees.safetensors"
    save_trees(trees, path)
    parts = load_file(path)
    parts[name][place] = value
    save_file(parts, path)
    with pytest.raises(ValueError, match=r"the trees|a tree"):
        load_trees(path)


def test_a_file_without_a_part_or_of_another_type_is_refused(
    trees: BoostedTrees, tmp_path: Path
) -> None:
    path = tmp_path / "trees.safetensors"
    save_trees(trees, path)
    parts = load_file(path)
    save_file(parts | {"value": parts["value"].float()}, path)
    with pytest.raises(ValueError, match="no value as they should"):
        load_trees(path)
    save_file({"value": parts["value"]}, path)
    with pytest.raises(ValueError, match="no feature as they should"):
        load_trees(path)


class _OfAnotherVersion:
    """A model of scikit-learn whose private parts have other names."""

    is_categorical_ = None
    n_features_in_ = 4
    _preprocessor = None


@pytest.mark.parametrize("wrong", [False, True])
def test_no_trees_are_kept_that_another_version_hides_or_that_predict_something_else(
    monkeypatch: pytest.MonkeyPatch, wrong: bool
) -> None:
    def other_trees(model: Any, classes: int | None) -> BoostedTrees:
        found = fitted_trees(model if wrong else _OfAnotherVersion(), classes)
        found.start += 1e-6
        return found

    monkeypatch.setattr(gradient_boosting, "fitted_trees", other_trees)
    monkeypatch.setattr(gradient_boosting, "_MAX_ROUNDS", 10)
    source = TensorSource(inputs(SEEN), torch.from_numpy(TARGET))
    numbers = [NumericFeature(column=name, part="value", mean=0, std=1) for name in "ab"]
    codes = [CategoricalFeature(column=name, categories=["x"]) for name in "cd"]
    features = Features(columns=[], numeric=numbers, categorical=codes)
    found = gradient_boosting.boosted_numbers(source, source, features)
    assert found.trees is None
    assert len(found.predicted) == len(SEEN)
