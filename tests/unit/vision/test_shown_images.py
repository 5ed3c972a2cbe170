"""Images as the data screen shows them: their names, and doubts about their classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.service.preview import preview


def put(root: Path, count: int) -> None:
    for number in range(count):
        Image.new("RGB", (32, 32), (40 * number, 0, 0)).save(root / f"{number}.png")


def of_list(root: Path, labels: list[str]) -> dict[str, Any]:
    put(root, len(labels))
    rows = "".join(f'{number}.png,"{label}"\n' for number, label in enumerate(labels))
    (root / "list.csv").write_text(f"image,label\n{rows}")
    return {
        "task": {"kind": "image_classification"}, "model": {"kind": "cnn"},
        "data": {"kind": "file", "path": str(root / "list.csv"), "validation_fraction": 0,
                 "test_fraction": 0},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "joined"),
    [
        (["cat|dog", "cat", "dog", "sun"], "cat|dog"),
        (["cat; dog", "cat", "sun", "sun"], "cat; dog"),
        (["sun dog", "dog", "sun", "cat"], "sun dog"),
        (["hot dog", "dog", "sun", "cat"], ""),
        (["a, b", "a", "c", "c"], ""),
    ],
)
def test_a_class_that_names_others_is_a_doubt(
    tmp_path: Path, labels: list[str], joined: str
) -> None:
    summary = preview(of_list(tmp_path, labels))["summary"]
    doubts = [note["why"] for note in summary["notes"] if "is one class" in note["why"]]
    assert [why.partition(" is one class")[0] for why in doubts] == ([joined] if joined else [])


def test_rows_name_the_files_of_their_images(tmp_path: Path) -> None:
    put(tmp_path, 3)
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("0 0.5 0.5 0.5 0.5")
    answer = preview({
        "task": {"kind": "object_detection"}, "model": {"kind": "centernet"},
        "data": {"kind": "image_boxes", "path": str(tmp_path), "validation_fraction": 0,
                 "test_fraction": 0},
    })  # fmt: skip
    assert answer["rows"] == [[str(tmp_path / f"{number}.png"), "1 0"] for number in range(3)]
