"""Boxes as drawing tools and tables of one box a row have them, against what was drawn."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.errors import DataError
from engine.pipelines.create import create_pipeline

WIDTH, HEIGHT, IMAGES = 64, 48, 12
Drawn = list[tuple[str, int, int, int, int]]
"""Class, left, top, width and height of each object of an image."""


def drawn(number: int) -> Drawn:
    boxes = [("cat", 2 + number, 3, 10, 20), ("dog", 30, 5 + number, 25, 15)]
    return boxes[: 1 + number % 2]


EVERYTHING = {f"im{number}.jpg": drawn(number) for number in range(IMAGES)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in EVERYTHING:
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images" / name)
    return tmp_path


def load(path: Path, kind: str = "file", **task: Any) -> RawData:
    raw: RawData = create_pipeline(RunConfig.parse({
        "task": {"kind": "object_detection"} | task, "model": {"kind": "centernet"},
        "data": {"kind": kind, "path": str(path)},
    })).load()  # fmt: skip
    return raw


def read(raw: RawData) -> dict[str, list[tuple[Any, ...]]]:
    """Return label, left, top, width and height of the objects of each image."""
    found = {}
    for table in raw.splits.values():
        image = next(name for name in table.column_names if name != "objects")
        for row in table.to_pylist():
            boxes = []
            for one in row["objects"]:
                left, top, right, bottom = map(round, one["box"])
                boxes.append((one["label"], left, top, right - left, bottom - top))
            found[Path(row[image]["path"]).name] = boxes
    return found


def lines(header: str, form: str, **more: float) -> str:
    rows = [
        form.format(
            n=name, stem=name[:-4], c=label, x=x, y=y, w=w, h=h, r=x + w, b=y + h,
            xs=x / WIDTH, ys=y / HEIGHT, rs=(x + w) / WIDTH, bs=(y + h) / HEIGHT,
        )
        for name, boxes in EVERYTHING.items()
        for label, x, y, w, h in boxes
    ]  # fmt: skip
    return "".join(f"{row}\n" for row in ([header] if header else []) + rows)


@pytest.mark.parametrize(("header", "form"), [
    ("filename,width,height,class,xmin,ymin,xmax,ymax", "{n},64,48,{c},{x},{y},{r},{b}"),
    ("image_id,LabelName,XMin,XMax,YMin,YMax", "{stem},{c},{xs},{rs},{ys},{bs}"),
    ("image,label,x,y,width,height", "images/{n},{c},{x},{y},{w},{h}"),
    ("image_id,width,bbox,label", '{stem},64,"[{x}.0, {y}.0, {w}.0, {h}.0]",{c}'),
    ("", "images/{n},{x},{y},{r},{b},{c}"),
])  # fmt: skip
def test_one_box_a_row(folder: Path, header: str, form: str) -> None:
    (folder / "boxes.csv").write_text(lines(header, form))
    raw = load(folder / "boxes.csv")
    assert read(raw) == EVERYTHING
    [note] = [note for note in raw.notes if note.column == "objects"]
    assert note.why.startswith("18 rows with the boxes in ")
    assert note.why.endswith("are joined to 12 images")


def test_boxes_without_classes_are_of_one(folder: Path) -> None:
    (folder / "a.csv").write_text(lines("image_id,bbox", '{stem},"[{x}, {y}, {w}, {h}]"'))
    raw = load(folder / "a.csv")
    assert {label for boxes in read(raw).values() for label, *_ in boxes} == {"object"}
    assert any("all boxes are of one, object" in note.why for note in raw.notes)


def test_a_row_without_sides_is_an_image_without_objects(folder: Path) -> None:
    text = lines("image,x1,y1,x2,y2,class", "images/{n},{x},{y},{r},{b},{c}")
    Image.new("RGB", (9, 9)).save(folder / "images" / "empty.jpg")
    (folder / "a.csv").write_text(text + "images/empty.jpg,,,,,\n")
    assert read(load(folder / "a.csv"))["empty.jpg"] == []


@pytest.mark.parametrize("mark", ["IsGroupOf", "iscrowd"])
def test_boxes_around_several_objects_are_left_out_and_counted(folder: Path, mark: str) -> None:
    text = lines(f"image,x1,y1,x2,y2,class,{mark}", "images/{n},{x},{y},{r},{b},{c},0")
    (folder / "a.csv").write_text(text + "images/im0.jpg,1,1,40,40,cat,1\n")
    raw = load(folder / "a.csv")
    assert read(raw) == EVERYTHING
    assert [note.rows for note in raw.notes if "is a crowd" in note.why] == [1]


def test_sides_that_are_no_numbers_are_counted(folder: Path) -> None:
    text = lines("image,x1,y1,x2,y2,class", "images/{n},{x},{y},{r},{b},{c}")
    (folder / "a.csv").write_text(text + "images/im0.jpg,1,2,?,4,cat\n")
    raw = load(folder / "a.csv")
    assert read(raw) == EVERYTHING
    assert any("a box is not four numbers" in note.why for note in raw.notes)


def test_boxes_and_classes_side_by_side(folder: Path) -> None:
    rows = [
        {"image": f"images/{name}", "labels": [one[0] for one in boxes],
         "boxes": [[x, y, x + w, y + h] for _, x, y, w, h in boxes]}
        for name, boxes in EVERYTHING.items()
    ]  # fmt: skip
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read(load(folder / "a.jsonl")) == EVERYTHING


def test_labels_and_boxes_of_different_number_are_counted(folder: Path) -> None:
    rows = [
        {"image": f"images/{name}", "labels": ["cat"], "boxes": [[1, 2, 9, 9], [3, 3, 8, 8]]}
        for name in EVERYTHING
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    raw = load(folder / "a.jsonl")
    assert read(raw)["im0.jpg"] == [("cat", 1, 2, 8, 7)]
    counted = {note.why.partition(" (")[0]: note.rows for note in raw.notes}
    assert counted["an object has no class"] == IMAGES


def labelme(name: str, boxes: Drawn) -> dict[str, Any]:
    shapes = [
        {"label": label, "shape_type": "rectangle", "points": [[x + w, y + h], [x, y]]}
        for label, x, y, w, h in boxes
    ]
    size = {"imageHeight": HEIGHT, "imageWidth": WIDTH}
    return {"shapes": shapes, "imagePath": f"..\\{name}", "imageData": None} | size


def via(name: str, boxes: Drawn, attribute: Any = None) -> dict[str, Any]:
    regions = [
        {"shape_attributes": {"name": "rect", "x": x, "y": y, "width": w, "height": h},
         "region_attributes": {"type": label} if attribute is None else attribute}
        for label, x, y, w, h in boxes
    ]  # fmt: skip
    return {"filename": name, "size": 1, "regions": regions}


def label_studio(name: str, boxes: Drawn) -> dict[str, Any]:
    result = [
        {"original_width": WIDTH, "original_height": HEIGHT, "type": "rectanglelabels",
         "value": {"x": x / WIDTH * 100, "y": y / HEIGHT * 100, "width": w / WIDTH * 100,
                   "height": h / HEIGHT * 100, "rotation": 0, "rectanglelabels": [label]}}
        for label, x, y, w, h in boxes
    ]  # fmt: skip
    return {
        "data": {"image": f"/data/upload/3/1a2b3c4d-{name}"},
        "annotations": [{"result": result}],
    }


def short_task(name: str, boxes: Drawn) -> dict[str, Any]:
    """A task in the form ``JSON_MIN``."""
    task = label_studio(name, boxes)
    marks = [mark | mark["value"] for mark in task["annotations"][0]["result"]]
    return {"image": task["data"]["image"], "id": 3, "label": marks, "annotation_id": 7}


def createml(name: str, boxes: Drawn) -> dict[str, Any]:
    annotations = [
        {"label": label, "coordinates": {"x": x + w / 2, "y": y + h / 2, "width": w, "height": h}}
        for label, x, y, w, h in boxes
    ]
    return {"image": name, "annotations": annotations}


@pytest.mark.parametrize("content", [
    {f"{name}1": via(name, boxes) for name, boxes in EVERYTHING.items()},
    {"_via_settings": {}, "_via_img_metadata": {n: via(n, b) for n, b in EVERYTHING.items()}},
    [label_studio(name, boxes) for name, boxes in EVERYTHING.items()],
    [short_task(name, boxes) for name, boxes in EVERYTHING.items()],
    [createml(name, boxes) for name, boxes in EVERYTHING.items()],
])  # fmt: skip
def test_one_file_of_a_drawing_tool(folder: Path, content: Any) -> None:
    (folder / "export.json").write_text(json.dumps(content))
    assert read(load(folder, "image_boxes")) == EVERYTHING
    moved = (folder / "export.json").rename(folder / "images" / "export.json")
    with pytest.raises(DataError, match=r"Set data\.kind to image_boxes, and data\.path to"):
        load(moved)


def test_a_file_of_labelme_an_image(folder: Path) -> None:
    for name, boxes in EVERYTHING.items():
        path = folder / "labels" / f"{name[:-4]}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(labelme(name, boxes)))
    assert read(load(folder, "image_boxes")) == EVERYTHING


def test_what_is_no_rectangle_is_read_as_the_box_around_it_and_counted(folder: Path) -> None:
    shapes = [
        {"label": "cat", "shape_type": "polygon", "points": [[5, 6], [25, 8], [9, 30]]},
        {"label": "dog", "shape_type": "circle", "points": [[30, 20], [33, 24]]},
        {"label": "dog", "shape_type": "point", "points": [[1, 1]]},
    ]
    for name in EVERYTHING:
        record = labelme(name, []) | {"shapes": shapes}
        (folder / "images" / f"{name[:-4]}.json").write_text(json.dumps(record))
    raw = load(folder, "image_boxes")
    assert read(raw)["im0.jpg"] == [("cat", 5, 6, 20, 24), ("dog", 25, 15, 10, 10)]
    counted = {note.why.partition(" (")[0]: note.rows for note in raw.notes}
    assert counted["an outline is read as the box around it"] == 2 * IMAGES
    assert counted["a point or a line has no box"] == IMAGES


def test_a_rotated_box_of_label_studio_turns_in_pixels(folder: Path) -> None:
    tasks = [label_studio(name, [("cat", 30, 10, 10, 20)]) for name in EVERYTHING]
    for task in tasks:
        task["annotations"][0]["result"][0]["value"]["rotation"] = 90
    (folder / "a.json").write_text(json.dumps(tasks))
    # a quarter turn about the left upper corner: 20 to the left of it, 10 below
    assert read(load(folder, "image_boxes"))["im3.jpg"] == [("cat", 10, 10, 20, 10)]


def test_marks_of_label_studio_without_a_box_are_counted(folder: Path) -> None:
    tasks = [label_studio(name, boxes) for name, boxes in EVERYTHING.items()]
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    place = {"x": 25, "y": 50, "width": 10, "height": 20}
    ellipse = {"x": 50, "y": 50, "radiusX": 12.5, "radiusY": 25, "rotation": 90}
    tasks[0]["annotations"][0]["result"] = [
        size | {"id": "a", "type": "brushlabels", "value": {"rle": [1], "brushlabels": ["cat"]}},
        size | {"id": "b", "type": "keypointlabels",
                "value": {"x": 1, "y": 1, "width": 0.5, "keypointlabels": ["cat"]}},
        size | {"id": "c", "type": "rectangle", "value": place},
        size | {"id": "c", "type": "labels", "value": place | {"labels": ["dog"]}},
        size | {"id": "d", "value": ellipse | {"ellipselabels": ["cat"]}},
        {"id": "e", "type": "choices", "value": {"choices": ["day"]}},
    ]  # fmt: skip
    (folder / "a.json").write_text(json.dumps(tasks))
    raw = load(folder, "image_boxes")
    # The ellipse is 8 by 12 pixels from its middle, and the other way round when it is turned.
    assert read(raw)["im0.jpg"] == [("dog", 16, 24, 6, 10), ("cat", 32 - 12, 24 - 8, 24, 16)]
    counted = {note.why.partition(" (")[0]: note.rows for note in raw.notes}
    assert counted["a mark of Label Studio has no class, or no box around it"] == 2


def test_tasks_without_an_annotation_are_no_background(folder: Path) -> None:
    tasks = [label_studio(name, boxes) for name, boxes in EVERYTHING.items()]
    tasks[0]["annotations"] = []
    tasks[1]["annotations"][0]["was_cancelled"] = True
    tasks[2]["annotations"][0]["result"] = []
    (folder / "a.json").write_text(json.dumps(tasks))
    raw = load(folder, "image_boxes")
    assert {"im0.jpg", "im1.jpg"}.isdisjoint(read(raw))
    assert read(raw)["im2.jpg"] == []
    counted = {note.why.partition(" (")[0]: note.rows for note in raw.notes}
    assert counted["a task of Label Studio has no annotation that was kept"] == 2
    assert "an image that no annotation names is not used" not in counted


def test_sizes_that_a_table_states_are_held_against_its_images(folder: Path) -> None:
    text = lines("filename,width,height,class,xmin,ymin,xmax,ymax",
                 "{n},64,48,{c},{x},{y},{r},{b}")  # fmt: skip
    (folder / "a.csv").write_text(text.replace("im3.jpg,64,48", "im3.jpg,640,480"))
    raw = load(folder / "a.csv")
    assert read(raw) == EVERYTHING
    counted = {note.why.partition(" (")[0]: note.rows for note in raw.notes}
    other = "an image has another size than its annotations state: its boxes may be wrong"
    assert counted[other] == 1


def test_regions_without_any_class_are_of_one(folder: Path) -> None:
    content = {name: via(name, boxes, {}) for name, boxes in EVERYTHING.items()}
    (folder / "a.json").write_text(json.dumps(content))
    raw = load(folder, "image_boxes")
    assert {label for boxes in read(raw).values() for label, *_ in boxes} == {"object"}
    content["im1.jpg"] = via("im1.jpg", drawn(1))
    (folder / "a.json").write_text(json.dumps(content))
    raw = load(folder, "image_boxes")
    assert {name for name, boxes in read(raw).items() if boxes} == {"im1.jpg"}
    assert any("an object has no name (" in note.why for note in raw.notes)


def test_a_list_of_boxes_in_a_folder_is_named(folder: Path) -> None:
    (folder / "boxes.csv").write_text("image,x1,y1,x2,y2,class\n")
    with pytest.raises(DataError, match=r"If boxes\.csv lists boxes: data\.kind=file .*boxes\.csv"):
        load(folder, "image_boxes")
    (folder / "more.csv").write_text("image,x1,y1,x2,y2,class\n")
    with pytest.raises(DataError, match=rf"data\.path={re.escape(str(folder))}\.$"):
        load(folder, "image_boxes")
