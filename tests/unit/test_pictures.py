"""Small pictures of images: their records, the cells that show them, and sheets of classes."""

from __future__ import annotations

import base64
import io
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from rich.color import Color

from engine.config.tasks.augmentation import AugmentationConfig
from engine.reports.findings import DataCheck
from engine.reports.picture import Picture, PictureGroup, read_groups
from engine.runs.events import SamplePictures, Samples, decode, encode
from engine.runs.history import History
from engine.service import data_check
from engine.service.augmented_sheet import augmented
from engine.vision.augmentation.batch import Augmentation
from engine.vision.contact_sheet import MOST_CLASSES, Sheet
from engine.vision.fitted import ImageFitted
from engine.vision.pictures import picture, pictures_of
from tui.charts.half_blocks import half_blocks, picture_lines, rows_of
from tui.terminal.capabilities import shows_pictures
from tui.widgets.pictures.layout import rows_in
from tui.widgets.sample_contents import samples

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def picture_of(*rows: list[tuple[int, int, int]], **words: str) -> Picture:
    rgb = base64.b64encode(bytes(value for row in rows for pixel in row for value in pixel))
    return Picture(len(rows[0]), len(rows), rgb.decode(), **words)


def png(pixels: Any) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def fitted_on(size: int, channels: int, **counts: int) -> ImageFitted:
    return ImageFitted(
        image="image", label="label", classes=list(counts), counts=list(counts.values()),
        multi_label=False, channels=channels, size=size, resize="stretch",
        mean=[0.5] * channels, std=[0.5] * channels, sizes={},
    )  # fmt: skip


def cells(picture: Picture, width: int) -> list[list[tuple[str, object, object]]]:
    """The character and the two colours of each cell."""
    return [
        [
            (character, style.color and style.color.triplet, style.bgcolor.triplet)
            for text, style, _ in strip
            for character in text
        ]
        for strip in half_blocks(picture, width)
    ]


@pytest.mark.parametrize(
    ("width", "height", "rgb"),
    [(2, 1, "AAAA"), (0, 1, ""), (1, 1, "***"), (257, 1, "AAAA" * 257), ("1", 1, "AAAA")],
)
def test_a_picture_that_is_not_of_its_size_is_refused(width, height, rgb) -> None:
    with pytest.raises(ValueError, match=r"picture|base64"):
        Picture(width, height, rgb)


def test_groups_are_read_back_as_they_were_written() -> None:
    groups = [PictureGroup("cats", (picture_of([RED, BLUE], caption="a", size="9×8"),))]
    assert read_groups([asdict(group) for group in groups]) == groups
    with pytest.raises(TypeError):
        read_groups({"title": "cats"})


def test_a_cell_shows_the_pixel_above_as_its_letter_and_the_one_below_as_its_background() -> None:
    shown = picture_of([RED, GREEN], [BLUE, GREEN])
    assert rows_of(shown, 2) == 1
    first, second = cells(shown, 2)[0]
    assert first == ("▀", Color.from_rgb(*RED).triplet, Color.from_rgb(*BLUE).triplet)
    assert second == (" ", None, Color.from_rgb(*GREEN).triplet), "fewer bytes than two colours"


def test_a_smaller_picture_has_the_means_of_the_pixels() -> None:
    black = (0, 0, 0)
    quarters = picture_of(
        [RED, RED, WHITE, black], [RED, RED, black, WHITE],
        [BLUE, GREEN, GREEN, GREEN], [GREEN, BLUE, GREEN, GREEN],
    )  # fmt: skip
    ((_, red, mixed), (_, grey, green)) = cells(quarters, 2)[0]
    assert (red, green) == (RED, GREEN)
    assert (mixed, grey) == ((0, 127, 127), (127, 127, 127))


def test_an_image_becomes_a_picture_pixel_by_pixel() -> None:
    grey = np.array([[[0], [51]], [[102], [255]]], np.uint8)
    expected = bytes([0] * 3 + [51] * 3 + [102] * 3 + [255] * 3)
    assert picture(grey).pixels == expected
    assert picture(grey / np.float32(255)).pixels == expected, "shares of white"
    coloured = np.array([[RED, BLUE]], np.uint8)
    assert picture(coloured, caption="a").pixels == bytes([*RED, *BLUE])
    wide = picture(np.zeros((10, 200, 3), np.uint8), 64)
    assert (wide.width, wide.height) == (64, 3)


def test_pictures_are_of_the_shape_that_the_network_sees_and_name_their_own() -> None:
    white = png(np.full((4, 6, 3), 255))
    broken = {"bytes": white["bytes"][:-30], "path": "b.png"}
    records = [white | {"path": "folder/a.png"}, broken, {"bytes": b"none", "path": None}]
    found, cut, unread = pictures_of(records, fitted_on(4, 1, a=1))
    assert found is not None
    assert (found.width, found.height, set(found.pixels)) == (4, 4, {255})
    assert (found.name, found.size, found.words) == ("a.png", "6×4", "a.png  6×4 px")
    assert cut is unread is None


def shades(count: int, label: str) -> pa.Table:
    """Images of shades of grey by their row, with a label."""
    images = [png(np.full((2, 2), row)) for row in range(count)]
    stored = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.table({"image": pa.array(images, stored), "label": [label] * count})


def shade(shown: Picture) -> int:
    return shown.pixels[0]


def test_a_sheet_has_images_of_each_class() -> None:
    table = pa.concat_tables([shades(30, "dark"), shades(2, "few")])
    fitted = fitted_on(2, 1, dark=30, few=2)
    dark, few = Sheet(table, fitted, 4).groups()
    assert (dark.title, few.title) == ("dark: 30 images", "few: 2 images")
    assert [one.caption for one in dark.pictures] == ["dark"] * 4
    assert list(map(shade, few.pictures)) == [0, 1]
    assert len(set(map(shade, dark.pictures))) == 4
    assert Sheet(table, fitted, 4).groups() == [dark, few], "the same seed draws the same images"
    assert Sheet(table, fitted, 4, seed=1).groups()[0] != dark


def test_of_many_classes_the_most_frequent_ones_are_shown() -> None:
    names = [f"class {place:02}" for place in range(MOST_CLASSES + 3)]
    counts = {name: 1 + (place >= 3) for place, name in enumerate(names)}
    groups = Sheet(shades(0, ""), fitted_on(2, 1, **counts), 1).groups()
    assert [group.title.partition(":")[0] for group in groups] == names[3:]


def test_augmented_images_are_those_that_a_training_sees() -> None:
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (3, 3, 3), dtype=np.uint8) for _ in range(16)]
    flip = Augmentation(AugmentationConfig(flip="horizontal"))
    changed = augmented(images, flip, 0)
    mirrored = [(one == other[:, ::-1]).all() for one, other in zip(changed, images, strict=True)]
    same = [(one == other).all() for one, other in zip(changed, images, strict=True)]
    assert 0 < sum(mirrored) < len(images)
    assert sum(mirrored) + sum(same) == len(images)
    assert np.array_equal(augmented(images, flip, 0), changed)
    assert not np.array_equal(augmented(images, flip, 1), changed)
    whole = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255
    expected = flip(whole, torch.Generator().manual_seed(1)).permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(np.stack(augmented(images, flip, 1)) - expected).max() < 1


def test_pictures_stand_side_by_side_as_far_as_there_is_room() -> None:
    square = picture_of(*[[RED] * 4] * 4)
    groups = [PictureGroup("first", (square,) * 3), PictureGroup("", (square,))]
    title, two, one, last = rows_in(groups, 17, 8, True)
    assert (title.top, title.height, title.title) == (0, 1, "first")
    assert [(row.top, row.height, row.first) for row in (two, one, last)] == [
        (1, 5, 0), (6, 5, 2), (11, 5, 3),
    ]  # fmt: skip
    assert [len(row.pictures) for row in (two, one, last)] == [2, 1, 1]
    words = rows_in(groups, 17, 8, False)
    assert [(row.top, row.height) for row in words] == [(place, 1) for place in range(5)]


@pytest.mark.parametrize(
    ("colours", "shown"), [("truecolor", True), ("256", True), ("standard", False), (None, False)]
)
def test_sixteen_colours_do_not_show_pictures(colours, shown) -> None:
    assert shows_pictures(colours) is shown


def test_samples_stand_beside_their_images() -> None:
    shown = picture_of([RED, RED], [BLUE, BLUE], name="a.png")
    items = [{"image": "a.png", "predicted": "cat"}, {"image": "b.png", "predicted": "dog"}]
    event = Samples(step=3, split="validation", items=items)
    pictures = [shown, shown]
    rows = samples([event], None, 0, pictures, 2)[2:]
    lines = [line.plain for row in rows for line in row.wrap(40)]
    assert lines[:3] == ["▀▀  image        a.png", "    predicted    cat", ""]
    assert lines[3:5] == ["image        b.png", "predicted    dog"]
    words = [line.plain for line in samples([event], None, 0, pictures, 0)][2:]
    assert words[:2] == ["image        a.png", "predicted    cat"]


def test_the_colours_of_a_picture_in_a_text_are_those_of_its_cells() -> None:
    (line,) = picture_lines(picture_of([RED, GREEN], [BLUE, GREEN]), 2)
    parts = [(text, style) for text, style in line.render() if style]
    assert line.plain == "▀ "
    (_, first), (_, second) = ((text, style) for text, style in parts if text)
    assert first.foreground.rgb == RED
    assert first.background.rgb == BLUE
    assert second.background.rgb == GREEN


def test_pictures_of_samples_are_found_by_their_names_and_damaged_ones_left_out() -> None:
    history = History()
    good = asdict(picture_of([RED], name="a.png"))
    event = SamplePictures(pictures=[good, good | {"width": 9}, {"name": "c"}, None])
    history.apply(decode(encode(event)))
    assert history.sample_pictures == [picture_of([RED], name="a.png")]
    history.apply(SamplePictures(pictures=None))
    assert history.sample_pictures == []


def test_findings_on_images_have_the_images_and_those_that_they_resemble(tmp_path) -> None:
    draw = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 3)):
        for label in ("cat", "dog"):
            (tmp_path / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
                Image.fromarray(pixels).save(tmp_path / split / label / f"{number:02}.png")
    twin = Image.open(tmp_path / "train" / "cat" / "03.png")
    twin.save(tmp_path / "test" / "dog" / "copy.png", compress_level=0)
    config = {
        "task": {"kind": "image_classification"},
        "data": {"kind": "image_folder", "path": str(tmp_path)}, "model": {"kind": "cnn"},
    }  # fmt: skip
    check = DataCheck.from_record(data_check.answer(config, pictures=True))
    (finding,) = (one for one in check.findings if one.kind.startswith("near"))
    (row,) = finding.rows
    own, other = row.pictures
    assert (own.caption, other.caption) == ("copy.png", "like 03.png")
    assert own.pixels == other.pixels == twin.tobytes()
    without = DataCheck.from_record(data_check.answer(config))
    assert not any(row.pictures for finding in without.findings for row in finding.rows)
