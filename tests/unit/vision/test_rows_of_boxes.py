"""Rows with an image and its objects, checked against the images themselves."""

from __future__ import annotations

import io
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.config.data.file import FileConfig
from engine.config.data.image_boxes import ImageBoxesConfig
from engine.data.boxes.load import load_boxes
from engine.data.boxes.records import OBJECTS, box_classes, with_box_classes
from engine.data.raw import RawData
from engine.errors import DataError
from engine.vision.annotated.box_rows import (
    ObjectRows,
    count_objects,
    named_boxes,
    usable_boxes,
)

COLUMNS = ObjectRows("image", "objects", "auto")
NONE_ASIDE = FileConfig(validation_fraction=0, test_fraction=0)
STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
ORIENTATION = 0x0112


@cache
def encoded(width: int, height: int, turned: bool = False) -> bytes:
    """An image as a file; a turned one says that it is shown with its sides exchanged."""
    file, exif = io.BytesIO(), Image.Exif()
    if turned:
        exif[ORIENTATION] = 6
    Image.new("L", (width, height)).save(file, "PNG", exif=exif)
    return file.getvalue()


def table(*cells: Any, images: list[bytes] | None = None) -> pa.Table:
    images = images or [encoded(20, 10)] * len(cells)
    records = [{"bytes": data, "path": f"{row}.png"} for row, data in enumerate(images)]
    return pa.table({"image": pa.array(records, STORED), "objects": pa.array(cells, OBJECTS)})


def one(label: Any, *box: float) -> dict[str, Any]:
    return {"label": label, "box": list(box)}


def usable(train: pa.Table, **splits: pa.Table) -> RawData:
    return usable_boxes(RawData({"train": train} | splits), NONE_ASIDE, COLUMNS, None)


def boxes(raw: RawData, split: str = "train") -> list[list[Any]]:
    cells = raw.splits[split]["objects"].to_pylist()
    return [[(one["label"], *one["box"]) for one in cell] for cell in cells]


def counted(raw: RawData) -> dict[str, int | None]:
    """The notes on objects, with their numbers."""
    notes = (note for note in raw.notes if note.column == "objects")
    return {note.why.partition(" (the first")[0]: note.rows for note in notes}


CAT = one("cat", 1, 2, 3, 4)
SIDE = st.integers(-10, 40)


@given(st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE), max_size=6))
@settings(max_examples=40, deadline=None)
def test_of_each_box_the_part_within_the_image_stays(sides: list[tuple[int, ...]]) -> None:
    raw = usable(table([CAT, *(one("cat", *box) for box in sides)]))
    solid = [(left, t, r, b) for left, t, r, b in sides if r > left and b > t]
    parts = [(max(left, 0), max(t, 0), min(r, 20), min(b, 10)) for left, t, r, b in solid]
    inside = [part for part in parts if part[0] < part[2] and part[1] < part[3]]
    cut = sum(part != box and part in inside for part, box in zip(parts, solid, strict=True))
    assert boxes(raw) == [[("cat", 1, 2, 3, 4), *(("cat", *part) for part in inside)]]
    expected = {
        "a box has no area": len(sides) - len(solid),
        "a box lies outside of its image": len(solid) - len(inside),
        "a box reaches beyond its image, and is cut at the edge": cut,
    }
    assert counted(raw) == {why: count for why, count in expected.items() if count}


def test_boxes_are_those_of_the_image_as_it_is_shown() -> None:
    tall = one("cat", 0, 0, 10, 20)
    raw = usable(table([tall], [tall], images=[encoded(20, 10, turned=True), encoded(20, 10)]))
    assert boxes(raw) == [[("cat", 0, 0, 10, 20)], [("cat", 0, 0, 10, 10)]]


def test_images_of_different_sizes_have_their_own_limits() -> None:
    large = one("cat", 0, 0, 30, 30)
    raw = usable(table([large], [large], images=[encoded(30, 30), encoded(5, 7)]))
    assert boxes(raw) == [[("cat", 0, 0, 30, 30)], [("cat", 0, 0, 5, 7)]]


def test_rows_with_damaged_images_are_left_out_and_their_objects_are_not_counted() -> None:
    bad = one("cat", 5, 5, 5, 5)
    raw = usable(table([bad], [CAT], images=[b"damaged", encoded(20, 10)]))
    assert boxes(raw) == [[("cat", 1, 2, 3, 4)]]
    [skip] = raw.skips
    assert (skip.count, skip.example) == (1, "0.png")
    assert counted(raw) == {}


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["dog", "cat", "dog"], ["cat", "dog"]),
        (["10", "9", "1"], ["1", "9", "10"]),  # numbers by their value
        (["b", "10", "2", "a"], ["2", "10", "a", "b"]),  # and before names
        (["été", "Zebra", "apple"], ["Zebra", "apple", "été"]),
    ],
)
def test_classes_are_those_of_the_training_images_in_order(
    labels: list[str], classes: list[str]
) -> None:
    raw = usable(table([one(label, 1, 2, 3, 4) for label in labels]))
    assert box_classes(raw.train) == classes
    assert count_objects(raw.train, "objects") == Counter(labels)


def test_names_of_classes_that_were_noted_keep_their_order_and_those_without_objects() -> None:
    train = with_box_classes(table([CAT]), ["zebra", "cat", "ant"])
    raw = usable(train, validation=table([one("ant", 1, 2, 3, 4), one("bee", 1, 2, 3, 4)]))
    assert box_classes(raw.train) == ["zebra", "cat", "ant"]
    assert box_classes(raw.splits["validation"]) == ["zebra", "cat", "ant"]
    assert boxes(raw, "validation") == [[("ant", 1, 2, 3, 4)]]
    assert counted(raw) == {"an object's class is not in the training images": 1}


def test_objects_without_a_class_are_told_from_unknown_ones() -> None:
    raw = usable(table([CAT, one(None, 1, 2, 3, 4), {"label": "cat", "box": None}]))
    assert boxes(raw) == [[("cat", 1, 2, 3, 4)]]
    assert counted(raw) == {"an object has no class": 1, "a box is not four numbers": 1}


def test_images_keep_their_objects_when_splits_are_cut() -> None:
    cells = [[one(str(row), row, 0, row + 1, 1)] for row in range(20)]
    config = FileConfig(validation_fraction=0.2, test_fraction=0.2)
    raw = usable_boxes(RawData({"train": table(*cells)}), config, COLUMNS, None)
    found = []
    for split in raw.splits.values():
        for row in split.to_pylist():
            [cat] = row["objects"]
            assert Path(row["image"]["path"]).stem == cat["label"]
            found.append(cat["label"])
    assert sorted(found, key=int) == [str(row) for row in range(20)]
    assert {split: t.num_rows for split, t in raw.splits.items()} == {
        "train": 12, "validation": 4, "test": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([[], []], "No training image has an object"),
        ([[one(None, 1, 2, 3, 4)]], "have 0 classes; there must be from 1 to 10,000"),
        ([[one("cat", 50, 50, 60, 60)], []], "No training image has an object"),
        ([[one(str(n), 1, 2, 3, 4) for n in range(10_001)]], "have 10,001 classes"),
    ],
)
def test_data_without_objects_to_learn_is_refused(cells: list[Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        usable(table(*cells))


def test_cells_are_named_by_their_classes() -> None:
    cells = [[one("cat"), one("dog"), one("cat")], [], [one("dog")]]
    assert named_boxes(cells) == ["2 cat, 1 dog", "", "1 dog"]


def test_why_no_object_is_left_is_told(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("L", (9, 9)).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text("Car 0.00 0 -1.58 2 3 8 8\n")  # as KITTI has them
    raw = load_boxes(ImageBoxesConfig(path=str(tmp_path)))
    with pytest.raises(DataError, match=r"No training image has an object\. 3 left out: a line is"):
        usable_boxes(raw, NONE_ASIDE, COLUMNS, None)


NAMED = pa.list_(pa.struct([("label", pa.string()), ("bbox", pa.list_(pa.float64()))]))
IN_PIXELS = [[1.0, 2.0, 9.0, 8.0], [10.0, 4.0, 18.0, 9.0], [3.0, 1.0, 19.0, 10.0]]
"""Corners in images of 20 by 10 pixels."""


def with_bbox(*sides: list[float]) -> pa.Table:
    cells = [[{"label": "cat", "bbox": box}] for box in sides]
    found = table(*[[CAT]] * len(cells))
    return found.set_column(1, "objects", pa.array(cells, NAMED))


def sizes_of(sides: list[float]) -> list[float]:
    left, top, right, bottom = sides
    return [left, top, right - left, bottom - top]


def shares_of(sides: list[float]) -> list[float]:
    return [side / length for side, length in zip(sides, (20, 10, 20, 10), strict=True)]


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (sizes_of, []),
        (list, ["corners"]),
        (lambda sides: shares_of(sizes_of(sides)), ["shares"]),
        (shares_of, ["shares", "corners"]),
    ],
)
def test_boxes_called_bbox_tell_what_their_numbers_are(write: Any, said: list[str]) -> None:
    raw = usable(with_bbox(*map(write, IN_PIXELS)), test=with_bbox(write([2.0, 2.0, 4.0, 4.0])))
    found = [pytest.approx(("cat", *sides)) for sides in IN_PIXELS]
    assert [cell[0] for cell in boxes(raw)] == found
    assert boxes(raw, "test")[0][0] == pytest.approx(("cat", 2, 2, 4, 4))
    assert [note.read_as for note in raw.notes if note.column == "objects"] == said


def test_a_few_boxes_beyond_their_image_do_not_make_corners_of_sizes() -> None:
    sides = [[12.0, 6.0, 4.0, 2.0]] * 9 + [[2.0, 1.0, 19.0, 8.0]]
    raw = usable(with_bbox(*sides))
    assert boxes(raw)[0] == [("cat", 12, 6, 16, 8)]
    assert counted(raw) == {"a box reaches beyond its image, and is cut at the edge": 1}


def test_a_format_that_is_set_is_not_doubted() -> None:
    raw = RawData({"train": with_bbox(*IN_PIXELS)})
    columns = ObjectRows("image", "objects", "xywh")
    found = boxes(usable_boxes(raw, NONE_ASIDE, columns, None))
    assert found[0] == [("cat", 1, 2, 10, 10)]
