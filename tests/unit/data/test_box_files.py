"""Annotations of boxes as their formats define them, and the folders that people have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.data.boxes.coco import corners, read_coco
from engine.data.boxes.records import Annotations
from engine.data.boxes.voc import read_voc
from engine.data.boxes.yolo import read_yolo
from engine.data.image_index import ImageIndex
from engine.errors import DataError

WIDTH, HEIGHT = 64, 48
QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Boxes = list[tuple[str, int, int, int, int]]


def written(root: Path, name: str, text: str | bytes = "") -> Path:
    """Write a file below ``root``; returns its path from there."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Path(name)


def image(root: Path, name: str) -> Path:
    path = written(root, name)
    Image.new("L", (WIDTH, HEIGHT)).save(root / name)
    return path


def objects(found: Annotations, split: str = "train") -> dict[str, list[Any]]:
    """Class and box of the objects of each image, by its file name."""
    return {
        path.name: [(one["label"], *one["box"]) for one in own] for path, own in found.images[split]
    }


def reasons(found: Annotations) -> dict[str, int | None]:
    return {note.why.partition(" (the first")[0]: note.rows for note in found.tally.notes()}


def coco(root: Path, record: Any, name: str = "a.json", images: Sequence[str] = ()) -> Annotations:
    return read_coco(root, [written(root, name, json.dumps(record))], ImageIndex(map(Path, images)))


def voc_object(label: str, left: Any, top: Any, right: Any, bottom: Any) -> str:
    sides = (("xmin", left), ("ymin", top), ("xmax", right), ("ymax", bottom))
    box = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return f"<object><name>{escape(label)}</name><bndbox>{box}</bndbox></object>"


def voc(root: Path, files: dict[str, str], images: Sequence[str]) -> Annotations:
    paths = [
        written(root, name, f"<annotation><filename>{Path(name).stem}.jpg</filename>{text}"
                "</annotation>")
        for name, text in files.items()
    ]  # fmt: skip
    return read_voc(root, paths, ImageIndex(map(Path, images)))


@st.composite
def boxes(draw: st.DrawFn) -> Boxes:
    """Some boxes of whole pixels in an image, none of which begins at its edge."""
    found: Boxes = []
    for label in draw(st.lists(st.sampled_from(["cat", "dog & co", "été"]), min_size=1)):
        left, top = draw(st.integers(1, WIDTH - 2)), draw(st.integers(1, HEIGHT - 2))
        right, bottom = draw(st.integers(left + 1, WIDTH)), draw(st.integers(top + 1, HEIGHT))
        found.append((label, left, top, right, bottom))
    return found


@given(boxes())
@QUICK
def test_boxes_of_each_format_are_those_that_its_definition_gives(
    tmp_path: Path, expected: Boxes
) -> None:
    names = ["cat", "dog & co", "été"]
    record = {
        "images": [{"id": 7, "file_name": "1.jpg"}],
        "categories": [{"id": 10 * i, "name": name} for i, name in enumerate(names)],
        "annotations": [  # left, top, width, height
            {"image_id": 7, "category_id": 10 * names.index(n), "bbox": [x, y, r - x, b - y]}
            for n, x, y, r, b in expected
        ],
    }
    assert objects(coco(tmp_path, record, images=["1.jpg"])) == {"1.jpg": expected}
    # The first and the last pixel of the box, counted from 1.
    text = "".join(voc_object(n, x + 1, y + 1, r, b) for n, x, y, r, b in expected)
    assert objects(voc(tmp_path, {"1.xml": text}, ["1.jpg"])) == {"1.jpg": expected}
    # Number of the class, then the middle and the size as shares of the image.
    lines = [
        f"{names.index(n)} {(x + r) / 2 / WIDTH} {(y + b) / 2 / HEIGHT} "
        f"{(r - x) / WIDTH} {(b - y) / HEIGHT}"
        for n, x, y, r, b in expected
    ]
    label = written(tmp_path, "2.txt", "\n".join(lines))
    classes = written(tmp_path, "classes.txt", "\n".join(names))
    [own] = objects(read_yolo(tmp_path, [label, classes], [image(tmp_path, "2.png")])).values()
    assert [one[0] for one in own] == [one[0] for one in expected]
    for one, other in zip(own, expected, strict=True):
        assert one[1:] == pytest.approx(other[1:], abs=1e-9)


@pytest.mark.parametrize(
    ("box", "sides"),
    [
        ([1, 2, 3, 4], [1, 2, 4, 6]),
        ([0.5, 0.25, 0.5, 0.5], [0.5, 0.25, 1.0, 0.75]),
        (["1", "2", "3", "4"], [1, 2, 4, 6]),  # numbers in quotes
        ([-3, 0, 5, 5], [-3, 0, 2, 5]),  # cut at the edge by a later check
        ([1, 2, 3], []),
        ([1, 2, 3, 4, 5], []),
        ([1, 2, None, 4], []),
        (None, []),
        (7, []),
        ({}, []),
    ],
)
def test_a_box_of_coco_has_a_width_and_a_height(box: Any, sides: list[float]) -> None:
    assert corners(box) == sides


RECORD: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
    "categories": [{"id": 1, "name": "cat"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2]}],
}
BOX = ("cat", 1, 1, 3, 3)


IMAGES = ["a.jpg", "b.jpg"]


def test_an_image_without_objects_is_background(tmp_path: Path) -> None:
    found = coco(tmp_path, RECORD, images=IMAGES)
    assert objects(found) == {"a.jpg": [BOX], "b.jpg": []}
    assert (found.classes, reasons(found)) == (["cat"], {})


def test_of_two_images_with_one_id_the_first_has_the_objects(tmp_path: Path) -> None:
    same = [{"id": 1, "file_name": name} for name in IMAGES]
    found = coco(tmp_path, RECORD | {"images": same}, images=IMAGES)
    assert objects(found) == {"a.jpg": [BOX]}  # the other is no background: nothing is known of it
    assert reasons(found) == {"an image has the id of another": 1}


def test_captions_and_key_points_beside_the_boxes_of_coco_are_not_read(tmp_path: Path) -> None:
    persons = RECORD | {"categories": [{"id": 1, "name": "person"}]}
    captions = {name: RECORD[name] for name in ("images", "annotations")}
    names = ("instances_train", "person_keypoints_train", "captions_train")
    files = [
        written(tmp_path, f"annotations/{name}2017.json", json.dumps(record))
        for name, record in zip(names, (RECORD, persons, captions), strict=True)
    ]
    other = written(tmp_path, "tools/settings.json", "{}")
    found = read_coco(tmp_path, [*files, other], ImageIndex(map(Path, IMAGES)))
    assert (found.classes, objects(found)) == (["cat"], {"a.jpg": [BOX], "b.jpg": []})
    assert reasons(found) == {"a JSON file beside those called instances_… is not read": 2}


def test_splits_of_coco_share_their_classes_in_the_order_of_the_files(tmp_path: Path) -> None:
    more = [{"id": 4, "name": "dog"}, {"id": 1, "name": "cat"}]
    val = {
        "images": [{"id": 1, "file_name": "b.jpg"}],
        "categories": more,
        "annotations": [{"id": 1, "image_id": 1, "category_id": 4, "bbox": [0, 0, 1, 1]}],
    }
    train = RECORD | {"images": RECORD["images"][:1]}
    files = [
        written(tmp_path, f"{name}.json", json.dumps(record))
        for name, record in (("train", train), ("valid", val))
    ]
    found = read_coco(tmp_path, files, ImageIndex(map(Path, IMAGES)))
    assert found.classes == ["cat", "dog"]
    assert objects(found, "validation") == {"b.jpg": [("dog", 0, 0, 1, 1)]}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"images": []}, "no JSON file has images and annotations"),
        ([1, 2], "no JSON file has images and annotations"),
        ({"images": [], "annotations": []}, "has no categories, which name the classes"),
        ({"images": [], "annotations": [], "categories": [{"id": None}]}, "has no categories"),
    ],
)
def test_json_that_is_not_of_coco_is_refused(tmp_path: Path, record: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        coco(tmp_path, record)
    with pytest.raises(DataError, match=r"b\.json cannot be read"):
        read_coco(tmp_path, [written(tmp_path, "b.json", "{")], ImageIndex([]))


def test_parts_of_an_object_of_voc_are_not_objects(tmp_path: Path) -> None:
    head = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>"
    text = voc_object("person", 5, 6, 20, 30).replace("</object>", head)
    found = voc(tmp_path, {"1.xml": text}, ["1.jpg"])
    assert objects(found) == {"1.jpg": [("person", 4, 5, 20, 30)]}


def test_objects_of_voc_without_name_or_box_are_told_apart(tmp_path: Path) -> None:
    faulty = voc_object(" ", 1, 1, 2, 2) + voc_object("cat", "", 1, 2, 2)
    found = voc(tmp_path, {"1.xml": faulty + voc_object("dog", 2, 2, 3, 3)}, ["1.jpg"])
    assert objects(found) == {"1.jpg": [("cat",), ("dog", 1, 1, 3, 3)]}
    assert reasons(found) == {"an object has no name": 1}


LISTS = {"train": "1\n", "val": "2\n", "trainval": "1\n2\n3\n", "cat_train": "4 1\n"}


@pytest.mark.parametrize(
    ("lists", "splits", "left_out"),
    [
        ([], {"train": "1234"}, 0),
        (["train", "val"], {"train": "1", "validation": "2"}, 2),
        (["trainval"], {"train": "123"}, 1),
        (["train", "trainval", "val"], {"train": "13", "validation": "2"}, 1),
        (["val"], {"train": "134", "validation": "2"}, 0),  # no list says what to train on
        (["cat_train"], {"train": "1234"}, 0),  # images of a class, not of a split
    ],
)
def test_lists_of_voc_choose_the_images_of_each_split(
    tmp_path: Path, lists: list[str], splits: dict[str, str], left_out: int
) -> None:
    for name in lists:
        written(tmp_path, f"ImageSets/Main/{name}.txt", LISTS[name])
    names = "1234"
    found = voc(tmp_path, {f"{n}.xml": "" for n in names}, [f"{n}.jpg" for n in names])
    have = {split: "".join(path.stem for path, _ in own) for split, own in found.images.items()}
    assert {split: names for split, names in have.items() if names} == splits
    assert sum(count or 0 for count in reasons(found).values()) == left_out


def test_xml_that_is_no_annotation_is_passed_over_or_counted(tmp_path: Path) -> None:
    for name, text in (("1", "<annotation/>"), ("2", "<other/>"), ("3", "<annotation>")):
        written(tmp_path, f"{name}.xml", text)
    files = [Path(f"{name}.xml") for name in "123"]
    found = read_voc(tmp_path, files, ImageIndex([Path("1.jpg")]))
    assert objects(found) == {"1.jpg": []}
    assert reasons(found) == {"an XML file cannot be read": 1}
    with pytest.raises(DataError, match="no XML file annotates one of the images"):
        read_voc(tmp_path, files, ImageIndex([Path("9.jpg")]))
