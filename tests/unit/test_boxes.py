"""The formats of boxes: the same objects from each, and a count of what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.config.data.image_boxes import ImageBoxesConfig
from engine.data.boxes.coco import around
from engine.data.boxes.load import load_boxes
from engine.data.boxes.records import Tally, box_classes, checked_box
from engine.data.raw import RawData
from engine.errors import DataError
from engine.vision.annotated.box_columns import ObjectColumn
from engine.vision.annotated.box_rows import ObjectRows, usable_boxes

WIDTH, HEIGHT = 40, 20


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(path)


def coco(root: Path) -> None:
    """Two images, as COCO has them: a list a split, and a folder of images a split."""
    for split, name in (("train", "1.jpg"), ("val", "2.jpg")):
        image(root / f"{split}2017" / name)
        objects = [{"id": 5, "image_id": 9, "category_id": 7, "bbox": [4, 5, 20, 10]}]
        record = {
            "images": [{"id": 9, "file_name": name}],
            "annotations": objects if split == "train" else [],
            "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
        }
        file = root / "annotations" / f"instances_{split}2017.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(record))


def yolo(root: Path) -> None:
    for split, name in (("train", "1.jpg"), ("val", "2.jpg")):
        image(root / "images" / split / name)
        (root / "labels" / split).mkdir(parents=True)
    # The middle of 4 … 24 is 14, that of 5 … 15 is 10.
    line = f"1 {14 / WIDTH} {10 / HEIGHT} {20 / WIDTH} {10 / HEIGHT}\n"
    (root / "labels" / "train" / "1.txt").write_text(line)
    (root / "labels" / "val" / "2.txt").write_text("")
    (root / "data.yaml").write_text("names: {0: cat, 1: dog}\n")


def voc_file(name: str, *boxes: tuple[str, int, int, int, int]) -> str:
    objects = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for label, left, top, right, bottom in boxes
    )
    return f"<annotation><filename>{name}</filename>{objects}</annotation>"


def voc(root: Path) -> None:
    for name in ("1", "2"):
        image(root / "JPEGImages" / f"{name}.jpg")
    annotations, sets = root / "Annotations", root / "ImageSets" / "Main"
    annotations.mkdir()
    sets.mkdir(parents=True)
    # VOC counts pixels from 1, and the last one belongs to the box.
    (annotations / "1.xml").write_text(voc_file("1.jpg", ("dog", 5, 6, 24, 15)))
    (annotations / "2.xml").write_text(voc_file("2.jpg"))
    (sets / "train.txt").write_text("1\n")
    (sets / "val.txt").write_text("2\n")


def loaded(root: Path, **options: Any) -> RawData:
    return load_boxes(ImageBoxesConfig(path=str(root), **options))


def counted(raw: RawData) -> dict[str, int | None]:
    return {note.why.partition(" (the first")[0]: note.rows for note in raw.notes}


@pytest.mark.parametrize("write", [coco, yolo, voc])
def test_each_format_has_the_same_objects(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    raw = loaded(tmp_path)
    [row] = raw.train.to_pylist()
    assert Path(row["image"]).name == "1.jpg"
    [one] = row["objects"]
    assert one["label"] == "dog"
    assert one["box"] == pytest.approx([4, 5, 24, 15])
    [other] = raw.splits["validation"].to_pylist()
    assert other["objects"] == []
    assert box_classes(raw.train) in (["cat", "dog"], [])


def test_faults_of_coco_are_counted_by_their_kind(tmp_path: Path) -> None:
    coco(tmp_path)
    file = tmp_path / "annotations" / "instances_train2017.json"
    record = json.loads(file.read_text())
    record["images"].append({"id": 10, "file_name": "gone.jpg"})
    record["annotations"] += [
        {"id": 6, "image_id": 9, "category_id": 99, "bbox": [0, 0, 2, 2]},
        {"id": 7, "image_id": 77, "category_id": 3, "bbox": [0, 0, 2, 2]},
        {"id": 8, "image_id": 9, "category_id": 3, "bbox": [0, 0, 2, 2], "iscrowd": 1},
    ]
    file.write_text(json.dumps(record))
    raw = loaded(tmp_path)
    assert counted(raw) == {
        "an object's category is unknown": 1,
        "a region is a crowd, not a single object": 1,
        "an image of the annotations is missing": 1,
        "an object's image is not in the annotations": 1,
    }
    assert len(raw.train["objects"][0].as_py()) == 1


def test_faults_of_yolo_are_counted_by_their_kind(tmp_path: Path) -> None:
    yolo(tmp_path)
    labels = tmp_path / "labels" / "train"
    with (labels / "1.txt").open("a") as file:
        file.write("9 0.5 0.5 0.1 0.1\n0 0.5 0.5\n")
    (labels / "gone.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    image(tmp_path / "images" / "train" / "3.jpg")
    raw = loaded(tmp_path)
    assert counted(raw) == {
        "an object's class is unknown": 1,
        "a line is not a class and four numbers": 1,
        "an image of the annotations is missing": 1,
        "an image without annotations is background": 1,
    }
    assert [len(cell) for cell in raw.train["objects"].to_pylist()] == [1, 0]


def test_outlines_of_yolo_are_read_as_the_boxes_around_them(tmp_path: Path) -> None:
    yolo(tmp_path)
    corners = [(14, 5), (24, 8), (9, 15), (4, 10)]
    outline = " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in corners)
    lines = [f"1 {outline}", "0 0.5 0.5 0.1 0.1 0.9", f"1 {outline} 0.5"]
    (tmp_path / "labels" / "train" / "1.txt").write_text("\n".join(lines))
    raw = loaded(tmp_path)
    assert counted(raw) == {
        "an outline is read as the box around it": 1,
        "a line has a number behind its box or outline, as predictions have their score": 2,
    }
    (one,) = raw.train["objects"][0].as_py()
    assert (one["label"], one["box"]) == ("dog", pytest.approx([4, 5, 24, 15]))


def test_difficult_objects_of_voc_are_used_and_counted(tmp_path: Path) -> None:
    voc(tmp_path)
    file = tmp_path / "Annotations" / "1.xml"
    text = voc_file("1.jpg", ("dog", 4, 6, 24, 15), ("cat", 3, 3, 9, 9))
    file.write_text(text.replace("</name>", "</name><difficult>1</difficult>", 1))
    raw = loaded(tmp_path)
    assert counted(raw) == {"an object marked as difficult is used like any other": 1}
    assert len(raw.train["objects"][0].as_py()) == 2


def test_voc_that_counts_from_0_is_read_so(tmp_path: Path) -> None:
    voc(tmp_path)
    file = tmp_path / "Annotations" / "1.xml"
    file.write_text(voc_file("1.jpg", ("dog", 0, 6, 24, 15), ("cat", 3, 3, 9, 9)))
    boxes = [one["box"] for one in loaded(tmp_path).train["objects"][0].as_py()]
    assert boxes == [[0, 6, 24, 15], [3, 3, 9, 9]]


def test_a_box_of_voc_that_begins_before_its_image_does_not_tell_the_first_pixel(
    tmp_path: Path,
) -> None:
    voc(tmp_path)
    file = tmp_path / "Annotations" / "1.xml"
    file.write_text(
        voc_file("1.jpg", ("dog", -3, 6, 24, 15), ("cat", 3, 3, 9, 9), ("cat", 0, 0, 0, 0))
    )
    raw = usable(tmp_path)
    assert [one["box"] for one in raw.train["objects"][0].as_py()] == [[0, 5, 24, 15], [2, 2, 9, 9]]
    assert counted(raw) == {
        "a box reaches beyond its image, and is cut at the edge": 1,
        "a box lies outside of its image": 1,
    }


@pytest.mark.parametrize("box", [{}, {"bbox": []}, {"bbox": None}, {"bbox": [0, 0, 0, 0]}])
@pytest.mark.parametrize(
    "outline",
    [
        [[4, 5, 24, 5, 10, 10], [6, 6, 7, 15, 9, 9]],
        # Columns 4 to 23, rows 5 to 14 of an image that is 20 high.
        {"size": [HEIGHT, WIDTH], "counts": [85, *[10, 10] * 19, 10, 325]},
    ],
)
def test_an_outline_of_coco_without_a_box_has_the_box_around_it(
    tmp_path: Path, box: Any, outline: Any
) -> None:
    coco(tmp_path)
    file = tmp_path / "annotations" / "instances_train2017.json"
    record = json.loads(file.read_text())
    record["annotations"] = [{"id": 6, "image_id": 9, "category_id": 3, "segmentation": outline}]
    record["annotations"][0] |= box
    file.write_text(json.dumps(record))
    raw = loaded(tmp_path)
    assert [one["box"] for one in raw.train["objects"][0].as_py()] == [[4, 5, 24, 15]]
    assert counted(raw) == {"an outline without a box is read as the box around it": 1}


@pytest.mark.parametrize(
    "outline",
    [7, [7], [["x", "y"]], {"counts": 7}, {"counts": [1, -1], "size": [2, 2]}, {"counts": "1"}],
)
def test_outlines_that_are_none_have_no_box(outline: Any) -> None:
    assert around(outline) == []


def test_entities_in_xml_are_not_expanded(tmp_path: Path) -> None:
    voc(tmp_path)
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">]><annotation>&b;</annotation>'
    (tmp_path / "Annotations" / "3.xml").write_text(bomb)
    assert counted(loaded(tmp_path)) == {"an XML file has a DOCTYPE, which annotations have not": 1}


def test_images_of_one_name_are_found_by_their_split(tmp_path: Path) -> None:
    coco(tmp_path)
    image(tmp_path / "val2017" / "1.jpg")
    [row] = loaded(tmp_path).train.to_pylist()
    assert Path(row["image"]).parent.name == "train2017"


def test_a_folder_without_annotations_is_refused(tmp_path: Path) -> None:
    image(tmp_path / "1.jpg")
    with pytest.raises(DataError, match="has no annotations"):
        loaded(tmp_path)
    with pytest.raises(DataError, match="no JSON file has images and annotations"):
        loaded(tmp_path, format="coco")


def test_boxes_are_checked_against_their_image() -> None:
    tally = Tally()

    def box(*sides: object) -> Any:
        found = checked_box("a", sides, (WIDTH, HEIGHT), tally, "x.png")
        return None if found is None else found.record()["box"]

    assert box(1, 2, 3, 4) == [1, 2, 3, 4]
    assert box(-3, 0, 10, HEIGHT) == [0, 0, 10, HEIGHT]  # cut
    assert box(0, 0, WIDTH + 0.4, 5) == [0, 0, WIDTH, 5]  # by rounding alone
    assert box(5, 5, 5, 9) is None
    assert box(WIDTH, 0, WIDTH + 5, 5) is None
    assert box(0, 0, float("nan"), 5) is None
    assert box(0, 0, 5) is None
    assert [(note.why.partition(" (")[0], note.rows, note.kind) for note in tally.notes()] == [
        ("a box reaches beyond its image, and is cut at the edge", 1, "converted"),
        ("a box has no area", 1, "dropped"),
        ("a box lies outside of its image", 1, "dropped"),
        ("a box is not four numbers", 2, "dropped"),
    ]


@pytest.mark.parametrize("wrong", [[1], {"a": 1}, None, 1.5])
def test_ids_of_coco_that_are_none_are_counted(tmp_path: Path, wrong: Any) -> None:
    coco(tmp_path)
    file = tmp_path / "annotations" / "instances_train2017.json"
    record = json.loads(file.read_text())
    box = {"bbox": [0, 0, 2, 2]}
    record["annotations"] += [
        {"id": 6, "image_id": 9, "category_id": wrong, **box},
        {"id": 7, "image_id": wrong, "category_id": 3, **box},
    ]
    file.write_text(json.dumps(record))
    raw = loaded(tmp_path)
    assert counted(raw) == {
        "an object's category is unknown": 1,
        "an object's image is not in the annotations": 1,
    }
    assert len(raw.train["objects"][0].as_py()) == 1


@pytest.mark.parametrize("code", ["nan", "inf", "-inf", "1e400", "cat"])
def test_classes_of_yolo_that_are_no_numbers_are_counted(tmp_path: Path, code: str) -> None:
    yolo(tmp_path)
    with (tmp_path / "labels" / "train" / "1.txt").open("a") as file:
        file.write(f"{code} 0.5 0.5 0.1 0.1\n")
    raw = loaded(tmp_path)
    assert counted(raw) == {"a line is not a class and four numbers": 1}
    assert len(raw.train["objects"][0].as_py()) == 1


INSIDE = [-1, -0.4, 0, 3, 10.5, 19.7, 20, 20.3, 21, 40, 40.2, 41]
SIDE = st.one_of(st.sampled_from(INSIDE), st.floats(-60, 60), st.sampled_from(["3", None, "x"]))


@given(st.tuples(SIDE, SIDE, SIDE, SIDE))
@example((0, HEIGHT, 10, HEIGHT + 9))
@example((WIDTH, 0, WIDTH + 9, 10))
@example((-9, 0, 0, 10))
@example((0, 0, WIDTH + 1, HEIGHT))
@settings(max_examples=100, deadline=None)
def test_a_box_lies_in_its_image_or_is_counted(sides: tuple[Any, ...]) -> None:
    tally = Tally()
    box = checked_box("cat", sides, (WIDTH, HEIGHT), tally, "a.jpg")
    kinds = [note.kind for note in tally.notes()]
    if box is None:
        assert kinds == ["dropped"]
        return
    left, top, right, bottom = map(float, sides)
    assert 0 <= box.left < box.right <= WIDTH
    assert 0 <= box.top < box.bottom <= HEIGHT
    # It is the part of the given box that is in the image.
    assert box.record()["box"] == [
        max(0, left),
        max(0, top),
        min(WIDTH, right),
        min(HEIGHT, bottom),
    ]
    beyond = max(-left, -top, right - WIDTH, bottom - HEIGHT)
    assert kinds == ["converted"] * (beyond > 0.5)


def test_reasons_are_counted_with_their_first_place() -> None:
    tally = Tally()
    for place in ("b.jpg", "a.jpg", "c.jpg"):
        tally.add("no area", place)
    tally.add("no area", "d.jpg", "converted")
    assert [(note.why, note.rows, note.kind) for note in tally.notes()] == [
        ("no area (the first: b.jpg)", 3, "dropped"),
        ("no area (the first: d.jpg)", 1, "converted"),
    ]


LISTS = pa.struct([("bbox", pa.list_(pa.list_(pa.float64()))), ("category", pa.list_(pa.int64()))])
OBJECTS = pa.list_(pa.struct([("label", pa.string()), ("box", pa.list_(pa.float64()))]))


@pytest.mark.parametrize(
    ("kind", "cell", "objects"),
    [
        (LISTS, {"bbox": [[1, 2, 3, 4]], "category": [5]}, [("5", [1, 2, 4, 6])]),
        # One label or one box too many is not left out silently.
        (LISTS, {"bbox": [[1, 2, 3, 4]], "category": [5, 6]}, [("5", [1, 2, 4, 6]), ("6", ())]),
        (LISTS, {"bbox": [[1, 2, 3, 4]], "category": []}, [(None, [1, 2, 4, 6])]),
        (LISTS, {"bbox": [None, [1]], "category": [5, 6]}, [("5", ()), ("6", [])]),
        (LISTS, {"bbox": None, "category": None}, []),
        (LISTS, None, []),
        (OBJECTS, [{"label": "cat", "box": [1, 2, 3, 4]}, None], [("cat", [1, 2, 3, 4])]),
        (OBJECTS, [{"label": None, "box": None}], [(None, ())]),
    ],
)
def test_objects_of_a_cell_are_labels_and_sides(
    kind: pa.DataType, cell: Any, objects: list[Any]
) -> None:
    table = pa.table({"objects": pa.array([cell], kind)})
    found = ObjectColumn(table, "objects", "auto").objects(table["objects"][0].as_py())
    assert [(label, list(sides)) for label, sides in found] == [
        (label, list(sides)) for label, sides in objects
    ]


CROWDS = pa.struct([*LISTS, ("is_crowd", pa.list_(pa.bool_()))])
MARKED = pa.list_(pa.struct([*OBJECTS.value_type, ("iscrowd", pa.int64())]))


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        (CROWDS, {"bbox": [[1, 2, 3, 4]] * 2, "category": [5, 6], "is_crowd": [False, True]}),
        (MARKED, [{"label": "5", "box": [1, 2, 4, 6], "iscrowd": 0},
                  {"label": "6", "box": [1, 2, 4, 6], "iscrowd": 1}]),
    ],
)  # fmt: skip
def test_boxes_around_several_objects_are_told_from_objects(kind: pa.DataType, cell: Any) -> None:
    column = ObjectColumn(pa.table({"objects": pa.array([cell], kind)}), "objects", "auto")
    assert (column.objects(cell), column.crowds(cell)) == ([("5", [1, 2, 4, 6])], 1)


@pytest.mark.parametrize(("format", "right"), [("auto", 4), ("xyxy", 3), ("xywh", 4)])
def test_boxes_called_bbox_have_widths_unless_it_is_set(format: Any, right: float) -> None:
    cell = {"bbox": [[1, 2, 3, 4]], "category": [0]}
    table = pa.table({"objects": pa.array([cell], LISTS)})
    [(_, sides)] = ObjectColumn(table, "objects", format).objects(cell)
    assert sides[2] == right


def usable(root: Path) -> RawData:
    config = ImageBoxesConfig(path=str(root), validation_fraction=0, test_fraction=0)
    return usable_boxes(load_boxes(config), config, ObjectRows("image", "objects", "auto"), root)


@pytest.mark.parametrize(("width", "count"), [(WIDTH, 0), (2 * WIDTH, 1), (0, 0), ("wide", 0)])
@pytest.mark.parametrize("format", ["coco", "voc"])
def test_images_of_another_size_than_their_annotations_state_are_counted(
    tmp_path: Path, format: str, width: Any, count: int
) -> None:
    if format == "coco":
        coco(tmp_path)
        file = tmp_path / "annotations" / "instances_train2017.json"
        record = json.loads(file.read_text())
        record["images"][0] |= {"width": width, "height": HEIGHT}
        file.write_text(json.dumps(record))
    else:
        voc(tmp_path)
        file = tmp_path / "Annotations" / "1.xml"
        size = f"<size><width>{width}</width><height>{HEIGHT}</height></size>"
        file.write_text(file.read_text().replace("<object>", f"{size}<object>"))
    raw = usable(tmp_path)
    reason = "an image has another size than its annotations state: its boxes may be wrong"
    assert counted(raw).get(reason, 0) == count
    assert raw.train.column_names == ["image", "objects"]


def test_the_most_frequent_reason_is_named_where_no_object_is_left(tmp_path: Path) -> None:
    coco(tmp_path)
    file = tmp_path / "annotations" / "instances_train2017.json"
    file.write_text(file.read_text().replace('"category_id": 7', '"category_id": 77'))
    with pytest.raises(DataError, match=r"1 left out: an object's category is unknown"):
        usable(tmp_path)


def test_ids_of_categories_may_be_texts(tmp_path: Path) -> None:
    coco(tmp_path)
    file = tmp_path / "annotations" / "instances_train2017.json"
    text = file.read_text().replace('"id": 7', '"id": "seven"')
    file.write_text(text.replace('"category_id": 7', '"category_id": "seven"'))
    assert [one["label"] for one in loaded(tmp_path).train["objects"][0].as_py()] == ["dog"]
