"""Names that the user gives to classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.errors import DataError
from engine.pipelines.create import create_pipeline

NEWS = {"1": "World", "2": "Sports", "3": "Business"}


def fitted(task: dict[str, Any], data: dict[str, Any], model: str) -> Any:
    values = {"task": task, "data": data, "model": {"kind": model}}
    pipeline = create_pipeline(RunConfig.parse(values))
    raw = pipeline.load()
    return pipeline.fit(raw), pipeline.summarize(raw, pipeline.fit(raw))


def news(tmp_path: Path) -> dict[str, Any]:
    """A file of which the classes are numbers."""
    rows = [f"{1 + i % 4},{i * 7 % 11},a text of some words {i}" for i in range(80)]
    (tmp_path / "news.csv").write_text("\n".join(["topic,length,text", *rows]))
    return {"kind": "file", "path": str(tmp_path / "news.csv")}


@pytest.mark.parametrize(
    ("task", "column", "model"),
    [
        ("text_classification", "label", "transformer"),
        ("tabular_classification", "target", "mlp"),
    ],
)
def test_classes_have_the_given_names_and_others_keep_theirs(
    task: str, column: str, model: str, tmp_path: Path
) -> None:
    section = {"kind": task, column: "topic", "class_names": NEWS}
    found, summary = fitted(section, news(tmp_path), model)
    assert sorted(found.classes) == ["4", "Business", "Sports", "World"]
    assert all(count > 5 for count in found.counts)
    assert set(summary.classes) == set(found.classes)


def test_noted_names_are_replaced_and_keep_their_order() -> None:
    section = {"kind": "image_classification", "class_names": {"3": "three"}}
    found, _ = fitted(section, {"kind": "builtin", "name": "digits"}, "cnn")
    assert found.classes == ["0", "1", "2", "three", *"456789"]


def test_labels_in_lists_are_renamed(tmp_path: Path) -> None:
    rows = [{"text": f"some words {i}", "labels": ["1", "2"][: 1 + i % 2]} for i in range(40)]
    path = tmp_path / "news.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    section = {"kind": "text_classification", "label": "labels", "class_names": {"1": "World"}}
    found, _ = fitted(section, {"kind": "file", "path": str(path)}, "transformer")
    assert (found.classes, found.multi_label) == (["2", "World"], True)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ({"7": "Science"}, "names '7', which is not a class in the column topic"),
        ({"1": "World", "2": "World"}, "gives two classes the name 'World'"),
        ({"1": "2"}, "gives two classes the name '2'"),
    ],
)
def test_names_of_what_is_no_class_and_equal_names_are_refused(
    names: dict[str, str], problem: str, tmp_path: Path
) -> None:
    section = {"kind": "tabular_classification", "target": "topic", "class_names": names}
    with pytest.raises(DataError, match=problem):
        fitted(section, news(tmp_path), "mlp")
