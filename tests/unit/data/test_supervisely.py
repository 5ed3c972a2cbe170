"""Supervisely's annotations, in which Dataset Ninja hands data out: boxes, outlines and bitmaps."""

from __future__ import annotations

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.config.data.image_boxes import ImageBoxesConfig
from engine.config.data.image_masks import ImageMasksConfig
from engine.data.boxes.load import load_boxes
from engine.data.mask_files import load_masks
from engine.data.raw import RawData

WIDTH, HEIGHT = 40, 30
BITMAP = np.zeros((6, 8), bool)
BITMAP[1:5, 2:7] = True
BITMAP[2, 3] = False


def packed(mask: NDArray[np.bool_], mode: str) -> str:
    """A bitmap as Supervisely's own package packs it: a palette, or opacity alone."""
    file = io.BytesIO()
    if mode == "RGBA":
        pixels = np.repeat(mask[..., None] * np.uint8(255), 4, 2)
        pixels[..., :3] = 255
        Image.fromarray(pixels).save(file, "PNG")
    else:
        Image.fromarray(mask * np.uint8(255)).convert(mode).save(file, "PNG")
    return base64.b64encode(zlib.compress(file.getvalue())).decode()


def mark(kind: str, label: str, **more: Any) -> dict[str, Any]:
    return {"id": 1, "geometryType": kind, "classTitle": label} | more


def lines(kind: str, label: str, exterior: Any, interior: Any = ()) -> dict[str, Any]:
    return mark(kind, label, points={"exterior": exterior, "interior": list(interior)})


CAT = lines("rectangle", "cat", [[2, 3], [20, 25]])
RING = lines("polygon", "dog", [[5, 5], [25, 5], [25, 25], [5, 25]],
             [[[10, 10], [20, 10], [20, 20], [10, 20]]])  # fmt: skip


def project(root: Path, *objects: dict[str, Any], split: str = "train", names: str = "ab") -> None:
    for folder in ("img", "ann"):
        (root / split / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (WIDTH, HEIGHT)).save(root / split / "img" / f"{name}.jpg")
        size = {"width": WIDTH, "height": HEIGHT}
        own = objects if name == "a" else ()
        content = {"description": "", "tags": [], "size": size, "objects": list(own)}
        (root / split / "ann" / f"{name}.jpg.json").write_text(json.dumps(content))
    meta = {"classes": [{"title": "cat", "shape": "rectangle", "color": "#ff0000"}], "tags": []}
    (root / "meta.json").write_text(json.dumps(meta))


def counts(raw: RawData) -> dict[str, int | None]:
    return {note.why.partition(" (the first")[0]: note.rows for note in raw.notes}


def boxes(root: Path) -> RawData:
    return load_boxes(ImageBoxesConfig(path=str(root)))


def mask(root: Path) -> NDArray[np.uint8]:
    raw = load_masks(ImageMasksConfig(path=str(root)))
    [first] = [row["mask"]["bytes"] for row in raw.train.to_pylist() if "a.jpg" in row["image"]]
    return np.asarray(Image.open(io.BytesIO(first)))


def test_boxes_are_read_and_others_are_boxes_around_them(tmp_path: Path) -> None:
    bitmap = mark("bitmap", "cat", bitmap={"origin": [30, 10], "data": packed(BITMAP, "1")})
    project(tmp_path, CAT, RING, bitmap, lines("line", "cat", [[1, 1], [5, 5]]))
    project(tmp_path, CAT, split="val", names="a")
    raw = boxes(tmp_path)
    first, second = raw.train.to_pylist()
    assert first["objects"] == [
        {"label": "cat", "box": [2, 3, 20, 25]},
        {"label": "dog", "box": [5, 5, 25, 25]},
        {"label": "cat", "box": [32, 11, 37, 15]},
    ]
    assert second["objects"] == []
    assert raw.splits["validation"].num_rows == 1
    assert counts(raw) == {
        "an outline is read as the box around it": 2,
        "a mark of the kind line without a class or an area": 1,
    }


@pytest.mark.parametrize("mode", ["1", "L", "RGBA"])
def test_bitmaps_are_drawn_where_they_begin(tmp_path: Path, mode: str) -> None:
    bitmap = mark("bitmap", "cat", bitmap={"origin": [30, 10], "data": packed(BITMAP, mode)})
    project(tmp_path, bitmap)
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[10:16, 30:38] = BITMAP
    assert np.array_equal(mask(tmp_path), expected)


def test_holes_of_outlines_are_not_drawn(tmp_path: Path) -> None:
    project(tmp_path, CAT, RING)
    drawn = mask(tmp_path)  # background, cat, dog
    assert (drawn[7, 7], drawn[22, 15], drawn[28, 30]) == (2, 2, 0)
    assert (drawn[15, 15], drawn[15, 22]) == (1, 2)  # the cat shows through the hole
    assert drawn[4, 3] == 1


@pytest.mark.parametrize(
    "broken",
    [
        mark("bitmap", "cat", bitmap={"origin": [38, 28], "data": packed(BITMAP, "1")}),  # beyond
        mark("bitmap", "cat", bitmap={"origin": [0, 0], "data": "bm9uZQ=="}),
        mark("bitmap", "cat", bitmap={"origin": [0, 0], "data": packed(BITMAP & False, "1")}),
        mark("polygon", "cat", points={"exterior": [[1, 2]], "interior": []}),
        mark("rectangle", "", points=CAT["points"]),
        mark("rectangle", "cat"),
    ],
)
def test_marks_that_cannot_be_read_are_counted(tmp_path: Path, broken: dict[str, Any]) -> None:
    project(tmp_path, CAT, broken)
    raw = boxes(tmp_path)
    assert [len(row["objects"]) for row in raw.train.to_pylist()] == [1, 0]
    [(why, count)] = counts(raw).items()
    assert why.endswith("without a class or an area")
    assert count == 1
