"""Masks that are drawn from outlines and run lengths, or are called otherwise than images."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps
from pycocotools import mask as coco

from engine.config.data.image_boxes import ImageBoxesConfig
from engine.config.data.image_masks import ImageMasksConfig
from engine.config.run_config import RunConfig
from engine.data.boxes.coco_runs import numbers_in
from engine.data.boxes.load import load_boxes
from engine.data.mask_files import load_masks
from engine.data.outlines import Region, png_of
from engine.data.raw import RawData, Skip
from engine.errors import DataError
from engine.pipelines.create import create_pipeline
from tests.unit.test_mask_files import pairs, touch

WIDTH, HEIGHT = 20, 10
CAR: NDArray[np.uint8] = np.zeros((HEIGHT, WIDTH), np.uint8)
CAR[2:6, 3:9] = 1


def decoded(mask: dict[str, Any]) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(mask["bytes"])))


def images(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(root / name)


@pytest.mark.parametrize(("image", "mask"), [
    ("images/{}.png", "labels/{}_L.png"),
    ("train/{}.jpg", "train_masks/{}_mask.gif"),
    ("img/img_{}.jpg", "mask/mask_{}.png"),
    ("data/training/images/{}_training.tif", "data/training/manual_masks/{}_manual1.gif"),
    ("train/{}.png", "trainannot/{}.png"),
    ("benign/benign ({}).png", "benign/benign ({})_mask.png"),
])  # fmt: skip
def test_masks_are_found_by_what_their_names_share_with_the_images(
    tmp_path: Path, image: str, mask: str
) -> None:
    numbers = ("0001", "0002", "0012")
    touch(tmp_path, *(form.format(n) for n in numbers for form in (image, mask)))
    assert pairs(tmp_path) == [(image.format(n), mask.format(n)) for n in numbers]


def test_masks_of_an_image_each_keep_their_own(tmp_path: Path) -> None:
    """What the masks share at their ends is no end where the images have it too."""
    touch(tmp_path, "images/a_1.png", "images/b_1.png", "masks/a_1.png", "masks/b_1.png")
    assert pairs(tmp_path) == [("images/a_1.png", "masks/a_1.png"),
                               ("images/b_1.png", "masks/b_1.png")]  # fmt: skip


def test_masks_of_some_images_share_more_than_all_images(tmp_path: Path) -> None:
    touch(tmp_path, "images/x_1.png", "images/x_2.png", "images/y_3.png", "masks/x_1_L.png",
          "masks/x_2_L.png")  # fmt: skip
    assert pairs(tmp_path) == [("images/x_1.png", "masks/x_1_L.png"),
                               ("images/x_2.png", "masks/x_2_L.png")]  # fmt: skip


def test_of_the_masks_of_cityscapes_those_of_classes_are_read(tmp_path: Path) -> None:
    for split, name in (("train", "aachen_0"), ("val", "bonn_1")):
        folder = f"{split}/{name[:-2]}"
        touch(tmp_path, f"leftImg8bit/{folder}/{name}_leftImg8bit.png")
        for kind in ("labelIds", "color", "instanceIds"):
            touch(tmp_path, f"gtFine/{folder}/{name}_gtFine_{kind}.png")
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert pairs(tmp_path) == [("leftImg8bit/train/aachen/aachen_0_leftImg8bit.png",
                                "gtFine/train/aachen/aachen_0_gtFine_labelIds.png")]  # fmt: skip
    assert raw.splits["validation"].num_rows == 1
    [skip] = raw.skips
    assert isinstance(skip, Skip)
    assert (skip.reason, skip.count) == ("a mask of another kind than that of the classes", 4)


def coco_file(root: Path, segmentation: Any, **more: Any) -> dict[str, Any]:
    content = {
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
        "categories": [{"id": 3, "name": "car"}, {"id": 1, "name": "bus"}],
        "annotations": [{"image_id": 7, "category_id": 3, "segmentation": segmentation} | more],
    }
    images(root, "images/a.jpg", "images/b.jpg")
    (root / "instances_train.json").write_text(json.dumps(content))
    return content


def packed(mask: NDArray[np.uint8]) -> dict[str, Any]:
    found: dict[str, Any] = coco.encode(np.asfortranarray(mask))
    return {"size": found["size"], "counts": found["counts"].decode()}


def unpacked(mask: NDArray[np.uint8]) -> dict[str, Any]:
    flat = np.concatenate([[0], mask.T.reshape(-1), [0]])
    changes = np.flatnonzero(np.diff(flat.astype(int)))
    return {"size": [HEIGHT, WIDTH], "counts": np.diff([0, *changes, mask.size]).tolist()}


@pytest.mark.parametrize("outline", [
    [[3, 2, 9, 2, 9, 6, 3, 6]], packed(CAR), unpacked(CAR),
])  # fmt: skip
def test_outlines_of_coco_are_drawn(tmp_path: Path, outline: Any) -> None:
    coco_file(tmp_path, outline)
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    first, second = raw.train["mask"].to_pylist()
    assert np.array_equal(decoded(first), CAR)
    assert not decoded(second).any()
    assert any("drawn from outlines" in note.why for note in raw.notes)


def test_polygons_have_the_pixels_of_pycocotools(tmp_path: Path) -> None:
    """Those that reach beyond the image, too: a side from 10 to 20 has ten pixels."""
    draw = np.random.default_rng(0)
    for corners in (3, 4, 8):
        outline = draw.uniform(-5, 25, 2 * corners).tolist()
        coco_file(tmp_path, [outline])
        first, _ = load_masks(ImageMasksConfig(path=str(tmp_path))).train["mask"].to_pylist()
        expected = coco.decode(coco.frPyObjects([outline], HEIGHT, WIDTH))[..., 0]
        assert expected.any()
        assert np.array_equal(decoded(first), expected)


def test_outlines_of_other_tasks_are_not_drawn_over_those_of_instances(tmp_path: Path) -> None:
    """COCO's key points have the outlines of all people again, without what hides them."""
    content = coco_file(tmp_path, packed(CAR))
    (tmp_path / "person_keypoints_train.json").write_text(
        json.dumps(content | {"annotations": [
            {"image_id": 7, "category_id": 1, "segmentation": packed(1 - CAR)}
        ]})
    )  # fmt: skip
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert np.array_equal(decoded(raw.train["mask"][0].as_py()), CAR)
    assert any("beside those called instances_… is not read" in note.why for note in raw.notes)


def test_outlines_of_another_split_are_not_drawn_on_an_image_of_the_same_name(
    tmp_path: Path,
) -> None:
    for split, outline in (("train", packed(CAR)), ("valid", packed(1 - CAR))):
        coco_file(tmp_path / split, outline)
    valid = tmp_path / "valid"
    (valid / "instances_train.json").rename(valid / "a.json")
    (valid / "images/a.jpg").unlink()
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert np.array_equal(decoded(raw.train["mask"][0].as_py()), CAR)
    assert raw.splits["validation"].num_rows == 1
    assert any("is used for train alone" in note.why for note in raw.notes)


def test_ids_of_outlines_are_equal_however_numbers_are_written(tmp_path: Path) -> None:
    coco_file(tmp_path, packed(CAR), image_id=7.0, category_id="3")
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert np.array_equal(decoded(raw.train["mask"][0].as_py()), CAR)


def test_packed_counts_are_those_of_pycocotools() -> None:
    draw = np.random.default_rng(0)
    for size in ((5, 7), (40, 30), (300, 200)):
        mask = (draw.random(size) < 0.4).astype(np.uint8)
        whole: dict[str, Any] = coco.encode(np.asfortranarray(mask))
        runs = numbers_in(whole["counts"].decode())
        flat = np.repeat(np.arange(len(runs)) % 2, runs).reshape(size[::-1]).T
        assert np.array_equal(flat, mask)


def test_regions_are_drawn_over_each_other_in_their_order() -> None:
    square = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)]
    regions = [Region("a", [square]), Region("b", runs=[(0, 2), (4, 1)])]
    mask = decoded({"bytes": png_of(regions, (4, 4), ["background", "a", "b"])})
    assert mask[:, 0].tolist() == [2, 2, 1, 1]  # down the first column
    assert mask[0].tolist() == [2, 2, 1, 1]


def test_annotations_that_cannot_be_drawn_are_counted(tmp_path: Path) -> None:
    content = coco_file(tmp_path, [[3, 2, 8, 2, 8, 5]])
    content["annotations"] += [
        {"image_id": 7, "category_id": 99, "segmentation": [[1, 1, 2, 2, 3, 1]]},
        {"image_id": 7, "category_id": 1, "segmentation": [[1, 1]]},
        {"image_id": 7, "category_id": 1, "segmentation": {"counts": [3, -1]}},
    ]
    content["images"].append({"id": 9, "file_name": "lost.jpg"})
    (tmp_path / "instances_train.json").write_text(json.dumps(content))
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    counted = {note.why.partition(" (")[0]: note.rows for note in raw.notes}
    assert counted["an annotation without an outline or a class"] == 3
    assert counted["an image of the annotations is missing"] == 1


def test_outlines_of_yolo_are_drawn_as_pycocotools_has_them(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    images(tmp_path, "images/train/a.jpg", "images/train/b.jpg", "images/val/c.jpg")
    shares = draw.uniform(0, 1, 12)
    (tmp_path / "data.yaml").write_text("names: [bus, car]\ntrain: images/train\nval: images/val\n")
    for name, lines in {
        "train/a": f"1 {' '.join(map(str, shares))}\n0 0.5 0.5 0.1 0.1\n",
        "val/c": "0 0 0 1 0 1 1\n",
    }.items():  # fmt: skip
        file = tmp_path / "labels" / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(lines)
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    first, second = (decoded(mask) for mask in raw.train["mask"].to_pylist())
    outline = (shares.reshape(-1, 2) * (WIDTH, HEIGHT)).reshape(-1).tolist()
    expected = coco.decode(coco.frPyObjects([outline], HEIGHT, WIDTH))[..., 0]
    assert expected.any()
    assert np.array_equal(first, 2 * expected)  # background, bus, car
    assert not second.any()
    assert decoded(raw.splits["validation"]["mask"][0].as_py()).any()
    counted = {note.why.partition(" (")[0]: note.rows for note in raw.notes}
    assert counted["a box has no outline, and is not drawn"] == 1
    (tmp_path / "labels/train/a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (tmp_path / "labels/val/c.txt").unlink()
    with pytest.raises(DataError, match="has no folder of masks"):
        load_masks(ImageMasksConfig(path=str(tmp_path)))


def test_polygons_of_labelme_are_drawn_with_their_classes(tmp_path: Path) -> None:
    images(tmp_path, "a.jpg")
    shapes = [
        {"label": "car", "shape_type": "polygon", "points": [[3, 2], [8, 2], [8, 5], [3, 5]]},
        {"label": "bus", "shape_type": "rectangle", "points": [[15, 7], [18, 9]]},
        {"label": "bus", "shape_type": "point", "points": [[1, 1]]},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"shapes": shapes, "imagePath": "a.jpg"}))
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    mask = decoded(raw.train["mask"].to_pylist()[0])
    assert (mask[3, 4], mask[8, 16], mask[0, 0]) == (2, 1, 0)  # background, bus, car
    assert any(note.why.startswith("a shape without") and note.rows == 1 for note in raw.notes)


def test_circles_and_painted_masks_of_labelme_are_drawn(tmp_path: Path) -> None:
    """As LabelMe draws them: an ellipse of Pillow's, and a PNG between two pixels."""
    images(tmp_path, "a.jpg")
    patch = np.zeros((4, 6), bool)
    patch[1:, 2:] = True
    file = io.BytesIO()
    Image.fromarray(patch).save(file, "PNG")
    painted = {"label": "bus", "shape_type": "mask", "points": [[12, 5], [17, 8]],
               "mask": base64.b64encode(file.getvalue()).decode()}  # fmt: skip
    circle = {"label": "car", "shape_type": "circle", "points": [[5, 5], [5, 2]]}
    beyond = painted | {"points": [[18, 5], [23, 8]]}
    content = {"shapes": [circle, painted, beyond, painted | {"mask": "x"}], "imagePath": "a.jpg"}
    size = {"imageWidth": WIDTH, "imageHeight": HEIGHT}
    (tmp_path / "a.json").write_text(json.dumps(content | size))
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    round_ = Image.new("1", (WIDTH, HEIGHT))
    ImageDraw.Draw(round_).ellipse([2, 2, 8, 8], fill=1)
    expected[np.asarray(round_)] = 2  # background, bus, car
    expected[5:9, 12:18] = patch
    assert np.array_equal(decoded(raw.train["mask"].to_pylist()[0]), expected)
    assert any(note.why.startswith("a shape without") and note.rows == 2 for note in raw.notes)


def test_files_of_labelme_are_no_splits_by_their_names(tmp_path: Path) -> None:
    """A file is called as its image: only folders tell that one is held out."""
    names = ("test_1.jpg", "val_2.jpg", "held/test/c.jpg")
    images(tmp_path, *names)
    shape = {"label": "car", "points": [[3, 2], [8, 2], [8, 5], [3, 5]]}
    for name in names:
        content = {"shapes": [shape], "imagePath": Path(name).name}
        (tmp_path / name).with_suffix(".json").write_text(json.dumps(content))
    for loaded in (
        load_masks(ImageMasksConfig(path=str(tmp_path))),
        load_boxes(ImageBoxesConfig(path=str(tmp_path))),
    ):
        found = {split: sorted(Path(path).name for path in table["image"].to_pylist())
                 for split, table in loaded.splits.items()}  # fmt: skip
        assert found == {"train": ["test_1.jpg", "val_2.jpg"], "test": ["c.jpg"]}


def test_run_lengths_of_another_size_are_not_drawn(tmp_path: Path) -> None:
    """Their pixels would be others: each column of the image is longer or shorter."""
    content = coco_file(tmp_path, packed(CAR))
    smaller = packed(np.ascontiguousarray(CAR[1:]))
    content["annotations"].append({"image_id": 8, "category_id": 1, "segmentation": smaller})
    (tmp_path / "instances_train.json").write_text(json.dumps(content))
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    first, second = raw.train["mask"].to_pylist()
    assert np.array_equal(decoded(first), 2 * CAR)
    assert not decoded(second).any()
    counted = {note.why.partition(" (")[0]: note.rows for note in raw.notes}
    assert counted["run lengths are of an image of another size"] == 1


def load(path: Path, **task: Any) -> RawData:
    raw: RawData = create_pipeline(RunConfig.parse({
        "task": {"kind": "semantic_segmentation"} | task, "model": {"kind": "unet"},
        "data": {"kind": "file", "path": str(path)},
    })).load()  # fmt: skip
    return raw


def runs(mask: NDArray[np.uint8]) -> str:
    counts = unpacked(mask)["counts"]
    begins = np.cumsum(counts)
    pairs = [(begins[i - 1] + 1, counts[i]) for i in range(1, len(counts), 2)]
    return " ".join(f"{begin} {count}" for begin, count in pairs)


def test_run_lengths_of_competitions_are_drawn(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{number}.png" for number in range(12)))
    bus = np.roll(CAR, 9, axis=1)
    rows = [f"{n},{runs(CAR)},car\n{n},{runs(bus)},bus\n" for n in range(11)]
    (tmp_path / "train.csv").write_text("id,EncodedPixels,class\n" + "".join(rows) + "11,,car\n")
    raw = load(tmp_path / "train.csv")
    found = {
        Path(row["id"]["path"]).stem: decoded(row["mask"])
        for table in raw.splits.values()
        for row in table.to_pylist()
    }
    assert np.array_equal(found["3"], 2 * CAR + bus)
    assert not found["11"].any()
    assert any(
        "23 rows, which" in note.why and "masks of 12 images" in note.why for note in raw.notes
    )


def along_rows(mask: NDArray[np.uint8]) -> str:
    return runs(np.ascontiguousarray(mask.T))


@pytest.mark.parametrize(("written", "way"), [(runs, "down the columns"),
                                              (along_rows, "along the rows")])  # fmt: skip
def test_run_lengths_tell_the_order_of_their_pixels(
    tmp_path: Path, written: Callable[[NDArray[np.uint8]], str], way: str
) -> None:
    images(tmp_path, *(f"{number}.png" for number in range(12)))
    rows = [f"{n}.png,{written(np.roll(CAR, n % 4, axis=1))}\n" for n in range(12)]
    (tmp_path / "train.csv").write_text("image,rle\n" + "".join(rows))
    raw = load(tmp_path / "train.csv")
    found = {
        int(Path(row["image"]["path"]).stem): decoded(row["mask"])
        for table in raw.splits.values()
        for row in table.to_pylist()
    }
    for number, mask in found.items():
        assert np.array_equal(mask, np.roll(CAR, number % 4, axis=1))
    assert any(f"which count pixels {way}" in note.why for note in raw.notes)


@pytest.mark.parametrize(("order", "expected"), [
    ("auto", CAR[:, :10]), ("columns", CAR[:, :10]), ("rows", CAR[:, :10].T),
])  # fmt: skip
def test_run_lengths_of_square_images_go_by_the_setting(
    tmp_path: Path, order: str, expected: NDArray[np.uint8]
) -> None:
    for number in range(12):
        Image.new("RGB", (10, 10)).save(tmp_path / f"{number}.png")
    columns = " ".join(f"{10 * x + 3} 4" for x in range(3, 9))
    rows = [f"{number}.png,{columns}\n" for number in range(12)]
    (tmp_path / "train.csv").write_text("image,rle\n" + "".join(rows))
    raw = load(tmp_path / "train.csv", run_order=order)
    assert np.array_equal(decoded(raw.train["mask"][0].as_py()), expected)
    doubts = [note for note in raw.notes if note.why.startswith("run lengths do not tell")]
    assert len(doubts) == (order == "auto")


def test_names_with_a_class_behind_them_are_taken_apart(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{number}.jpg" for number in range(12)))
    bus = np.roll(CAR, 9, axis=1)
    rows = [f"{n}.jpg_car,{runs(CAR)}\n{n}.jpg_bus,{runs(bus)}\n" for n in range(11)]
    rows += ["11.jpg_car,\n", "11.jpg_bus,-1\n"]
    (tmp_path / "train.csv").write_text("Image_Label,EncodedPixels\n" + "".join(rows))
    raw = load(tmp_path / "train.csv")
    found = {
        Path(row["Image"]["path"]).stem: decoded(row["mask"])
        for table in raw.splits.values()
        for row in table.to_pylist()
    }
    assert len(found) == 12
    assert np.array_equal(found["3"], 2 * CAR + bus)
    assert not found["11"].any()


def test_run_lengths_that_cannot_be_of_their_image_are_counted(tmp_path: Path) -> None:
    images(tmp_path, *(f"{number}.png" for number in range(12)))
    rows = [f"{number}.png,{runs(CAR)}\n" for number in range(12)]
    rows += [f"0.png,{WIDTH * HEIGHT} 2\n", "0.png,10 5 12 3\n", "1.png,10 5 3 2\n"]
    (tmp_path / "train.csv").write_text("image,rle\n" + "".join(rows))
    raw = load(tmp_path / "train.csv")
    counted = {note.why.partition(" (")[0]: note.rows for note in raw.notes}
    assert counted["run lengths reach beyond their image"] == 1
    assert counted["run lengths overlap, or count from the run before them"] == 2
    assert all(np.array_equal(decoded(mask), CAR) for mask in raw.train["mask"].to_pylist())


def test_run_lengths_that_cannot_be_drawn_are_counted(tmp_path: Path) -> None:
    images(tmp_path, *(f"{number}.png" for number in range(12)), "t.png")
    rows = [f"{number},{runs(CAR)},car\n" for number in range(12)] + [f"3,{runs(CAR)},\n"]
    (tmp_path / "train.csv").write_text("id,rle,class\n" + "".join(rows))
    (tmp_path / "test.csv").write_text(f"id,rle,class\nt,{runs(CAR)},bus\nt,1 2 3,car\n")
    notes = load(tmp_path).notes
    counted = {note.why.partition(" (")[0]: note.rows for note in notes}
    assert counted["run lengths have a class that the training rows have not"] == 2
    assert counted["a cell does not hold run lengths"] == 1


def test_two_numbers_in_a_cell_are_no_run_lengths_beside_masks(tmp_path: Path) -> None:
    images(tmp_path, *(f"{number}.png" for number in range(12)))
    for number in range(12):
        Image.fromarray(CAR).save(tmp_path / f"{number}_mask.png")
    rows = [f"{number}.png,{number}_mask.png,20 10\n" for number in range(12)]
    (tmp_path / "a.csv").write_text("image,mask,size\n" + "".join(rows))
    raw = load(tmp_path / "a.csv")
    assert not any("run lengths" in note.why for note in raw.notes)
    (tmp_path / "b.csv").write_text("image,size\n0.png,big\n1.png,small\n")
    with pytest.raises(DataError, match=r"Which column holds the masks\?"):
        load(tmp_path / "b.csv")


@pytest.mark.parametrize("orientation", [1, 5, 6, 7, 8])
def test_outlines_on_stored_pixels_are_turned_like_the_image(
    tmp_path: Path, orientation: int
) -> None:
    """As tools write them that pass over the note of the camera; other sizes are a doubt."""
    coco_file(tmp_path, packed(CAR))
    file = tmp_path / "instances_train.json"
    content = json.loads(file.read_text())
    content["images"][0] |= {"width": WIDTH, "height": HEIGHT}
    content["images"][1] |= {"width": 99, "height": HEIGHT}
    file.write_text(json.dumps(content))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "images" / "a.jpg"
    Image.fromarray(CAR * np.uint8(255)).save(path, exif=exif, quality=100)
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    shown = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    assert np.array_equal(decoded(raw.train["mask"][0].as_py()), shown > 127)
    notes = {note.why.partition(" (the first")[0]: note.rows for note in raw.notes[1:]}
    turned = {"outlines on an image that its camera has turned are turned like it": 1}
    doubt = {"an image has another size than its annotations state: its mask may be wrong": 1}
    assert notes == ({} if orientation == 1 else turned) | doubt
