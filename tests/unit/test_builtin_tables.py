"""The built-in tables and images are those of scikit-learn, which is not imported for them."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets as sk

from engine.data.builtin import toy
from engine.data.raw import TRAIN, RawData

TABLES = [
    (toy.iris, sk.load_iris, "species"),
    (toy.wine, sk.load_wine, "grower"),
    (toy.breast_cancer, sk.load_breast_cancer, "diagnosis"),
    (toy.diabetes, lambda: sk.load_diabetes(scaled=False), "progression"),
]


@pytest.mark.parametrize(("ours", "theirs", "target"), TABLES)
def test_tables_are_those_of_scikit_learn(
    ours: Callable[[], RawData], theirs: Callable[[], Any], target: str
) -> None:
    table, bunch = ours().splits[TRAIN], theirs()
    assert table.column_names == [*map(str, bunch.feature_names), target]
    for number, name in enumerate(bunch.feature_names):
        assert table[name].to_pylist() == bunch.data[:, number].tolist()
    names = getattr(bunch, "target_names", None)
    wanted = bunch.target if names is None else names[bunch.target]
    assert table[target].to_pylist() == wanted.tolist()


def test_digits_are_those_of_scikit_learn() -> None:
    table, bunch = toy.digits().splits[TRAIN], sk.load_digits()
    assert table["label"].to_pylist() == bunch.target.tolist()
    for image, wanted in zip(table["image"].to_pylist(), bunch.images, strict=True):
        shown = np.asarray(Image.open(io.BytesIO(image["bytes"])))
        assert np.array_equal(shown, (wanted * 255 / 16).round())


@pytest.mark.parametrize(
    "module",
    [
        "engine.data.builtin.toy",
        "engine.tasks.image_classification",
        "engine.tasks.tabular_classification",
        "engine.tasks.tabular_regression",
    ],
)
def test_scikit_learn_is_not_imported_before_a_baseline_needs_it(module: str) -> None:
    """Importing it takes longer than training a small network."""
    program = f"import sys, {module}; print('sklearn' in sys.modules)"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"
