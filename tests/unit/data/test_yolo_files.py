"""YOLO's text files, which are found and named by their folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.data.boxes.records import Annotations
from engine.data.boxes.yolo import read_yolo
from engine.errors import DataError

WIDTH, HEIGHT = 64, 48


def written(root: Path, name: str, text: str = "") -> Path:
    """Write a file below ``root``; returns its path from there."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return Path(name)


def image(root: Path, name: str) -> Path:
    written(root, name)
    Image.new("L", (WIDTH, HEIGHT)).save(root / name)
    return Path(name)


def objects(found: Annotations) -> list[Any]:
    """Class and box of the objects of the only image."""
    [(_, own)] = found.images["train"]
    return [(one["label"], *one["box"]) for one in own]


def reasons(found: Annotations) -> dict[str, int | None]:
    return {note.why.partition(" (the first")[0]: note.rows for note in found.tally.notes()}


def read(root: Path, lines: str) -> Annotations:
    label = written(root, "1.txt", lines)
    return read_yolo(root, [label], [image(root, "1.png")])


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("3 0.5 0.5 1 1", ("3", 0, 0, WIDTH, HEIGHT)),
        ("3 0.25 0.5 0.5 0.5", ("3", 0, 12, 32, 36)),
        ("3.0\t0.75  0.75\t.5 .5", ("3", 32, 24, 64, 48)),  # as numpy.savetxt writes
        ("0 1.0 1.0 0.5 0.5", ("0", 48, 36, 80, 60)),  # cut at the edge by a later check
        # Outlines of three and four corners, in any order.
        ("1 0.5 0.25 1 0.75 0 0.5", ("1", 0, 12, 64, 36)),
        ("1 0 0 0.5 0 0.5 0.5 0 0.5", ("1", 0, 0, 32, 24)),
    ],
)
def test_a_line_is_a_class_and_shares_of_the_sides(tmp_path: Path, line: str, box: Any) -> None:
    assert objects(read(tmp_path, f"\n{line}\n\n")) == [pytest.approx(box)]


@pytest.mark.parametrize(
    "line",
    ["0", "0 0.5 0.5 0.1", "0 a b c d", "0,0.5,0.5,1,1", "1e999 0 0 1 1"],
)
def test_lines_of_another_form_are_counted_and_the_others_are_read(
    tmp_path: Path, line: str
) -> None:
    found = read(tmp_path, f"{line}\n1 0.5 0.5 1 1\n")
    assert objects(found) == [("1", 0, 0, WIDTH, HEIGHT)]
    assert reasons(found) == {"a line is not a class and four numbers": 1}


def test_lines_of_predictions_are_counted_with_what_they_have_more(tmp_path: Path) -> None:
    found = read(tmp_path, "0 0.5 0.5 0.1 0.1 0.9\n1 0.5 0.5 1 1\n")
    assert objects(found) == [("1", 0, 0, WIDTH, HEIGHT)]
    why = "a line has a number behind its box or outline, as predictions have their score"
    assert reasons(found) == {why: 1}


@pytest.mark.parametrize("code", ["1.5", "-1", "7"])
def test_classes_without_a_name_are_counted_where_names_are_known(
    tmp_path: Path, code: str
) -> None:
    label = written(tmp_path, "1.txt", f"{code} 0.5 0.5 1 1\n0 0.5 0.5 1 1\n")
    names = written(tmp_path, "classes.txt", "cat\ndog")
    found = read_yolo(tmp_path, [label, names], [image(tmp_path, "1.png")])
    assert objects(found) == [("cat", 0, 0, WIDTH, HEIGHT)]
    assert reasons(found) == {"an object's class is unknown": 1}


def test_an_image_that_cannot_be_read_is_kept_for_the_check_of_images(tmp_path: Path) -> None:
    label, damaged = written(tmp_path, "1.txt", "0 0.5 0.5 1 1"), written(tmp_path, "1.png", "x")
    assert objects(read_yolo(tmp_path, [label], [damaged])) == []


@pytest.mark.parametrize(
    ("labels", "images"),
    [
        ("labels/{}/7.txt", "images/{}/7.png"),  # as YOLO finds labels by paths of images
        ("{}/labels/7.txt", "{}/images/7.png"),  # as Roboflow writes them
        ("labels/train/{}/7.txt", "images/train/{}/7.png"),
    ],
)
def test_of_images_with_one_name_each_has_the_labels_of_its_folder(
    tmp_path: Path, labels: str, images: str
) -> None:
    cameras = ["cam1", "cam2", "cam3"]
    files = [
        written(tmp_path, labels.format(camera), f"{i} 0.5 0.5 1 1")
        for i, camera in enumerate(cameras)
    ]
    found = read_yolo(tmp_path, files, [image(tmp_path, images.format(c)) for c in cameras])
    whole = (0.0, 0.0, WIDTH, HEIGHT)
    assert {str(path.relative_to(tmp_path)): [(o["label"], *o["box"]) for o in own]
            for path, own in found.images["train"]} == {
        images.format(camera): [(str(i), *whole)] for i, camera in enumerate(cameras)
    }  # fmt: skip
    assert reasons(found) == {}


NUMBERED = {"names: {10: c, 2: b, 1: 01}": "01"}


@pytest.mark.parametrize(
    ("name", "text", "classes"),
    [
        ("data.yaml", "names: [cat, dog]", ["cat", "dog"]),
        ("data.yml", "names: {1: dog, 0: cat}", ["cat", "dog"]),
        ("data.yaml", "names: [no, 1.10]", ["no", "1.10"]),  # as written, not as YAML's types
        ("data.yaml", "names: {10: c, 2: b, 1: 01}", ["01", "b", "c"]),
        ("data.yaml", "nc: 2", []),
        ("data.yaml", "names: {cat: 0}", []),
        ("data.yaml", "", []),
        ("classes.txt", "cat\n\ndog\n", ["cat", "dog"]),
        ("obj.names", "  cat \ndog", ["cat", "dog"]),
    ],
)
def test_names_of_classes_of_yolo(tmp_path: Path, name: str, text: str, classes: list[str]) -> None:
    files = [written(tmp_path, "1.txt", "1 0.5 0.5 1 1"), written(tmp_path, name, text)]
    found = read_yolo(tmp_path, files, [image(tmp_path, "1.png")])
    assert found.classes == classes
    [(label, *_)] = objects(found)
    assert label == (NUMBERED.get(text) or (classes[1] if classes else "1"))


def test_damaged_yaml_is_refused_and_none_runs_code(tmp_path: Path) -> None:
    label, picture = written(tmp_path, "1.txt", ""), image(tmp_path, "1.png")
    with pytest.raises(DataError, match=r"data\.yaml cannot be read"):
        read_yolo(tmp_path, [label, written(tmp_path, "data.yaml", "names: [a")], [picture])
    code = f"names: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]"
    read_yolo(tmp_path, [label, written(tmp_path, "data.yaml", code)], [picture])
    assert not (tmp_path / "made").exists()
    with pytest.raises(DataError, match="has no annotations"):
        read_yolo(tmp_path, [], [picture])
