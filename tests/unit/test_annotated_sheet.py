"""The contact sheet of images with masks or boxes: painted, by class, stored and augmented."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from engine.config.run_config import RunConfig
from engine.reports.picture import Picture, PictureGroup, read_groups
from engine.runs.events import Samples
from engine.service import augmented_sheet, contact_sheet
from engine.vision.annotated.painting import class_colour
from tui.widgets.sample_contents import samples

MODELS = {"semantic_segmentation": "unet", "object_detection": "centernet"}
TASKS = list(MODELS)


def values(task: str, **augmentation: Any) -> dict[str, Any]:
    config = RunConfig.parse({
        "task": {"kind": task, "augmentation": augmentation},
        "data": {"kind": "builtin", "name": "shapes", "max_samples": 40},
        "model": {"kind": MODELS[task]},
    })  # fmt: skip
    return config.values()


def sheet(task: str, **options: Any) -> list[PictureGroup]:
    return read_groups(contact_sheet.answer(values(task), **options)["groups"])


def colours(picture: Picture) -> set[tuple[int, ...]]:
    return set(map(tuple, np.frombuffer(picture.pixels, np.uint8).reshape(-1, 3).tolist()))


def test_boxes_have_the_colour_of_their_heading() -> None:
    groups = sheet("object_detection", each=3)
    assert [group.title.partition(":")[0] for group in groups] == ["circle", "square", "triangle"]
    for number, group in enumerate(groups):
        assert group.colour == class_colour(number)
        assert "objects" in group.title
        assert len(group.pictures) == 3
        assert all(group.colour in colours(picture) for picture in group.pictures)


def test_the_first_class_of_masks_is_not_painted_and_said_so() -> None:
    first, *others = sheet("semantic_segmentation", each=2)
    assert first.title == "background: 40 masks, not painted"
    assert first.colour is None
    for number, group in enumerate(others, 1):
        assert group.colour == class_colour(number)
        assert {picture.caption for picture in group.pictures} == {group.title.partition(":")[0]}


@pytest.mark.parametrize("task", TASKS)
def test_another_seed_draws_other_images(task: str) -> None:
    drawn = [{one.name for group in sheet(task, each=2, seed=seed) for one in group.pictures}
             for seed in (0, 0, 1)]  # fmt: skip
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("task", TASKS)
def test_augmented_images_are_the_same_ones_changed_with_what_is_painted(task: str) -> None:
    stored = sheet(task, each=2)
    fields = values(task, flip="both", zoom=0.5)
    variants = [augmented_sheet.answer(fields, each=2, variant=number) for number in (0, 1)]
    assert all(answer["changed"] for answer in variants)
    first, second = (read_groups(answer["groups"]) for answer in variants)
    for plain, one, other in zip(stored, first, second, strict=True):
        assert [p.name for p in plain.pictures] == [p.name for p in one.pictures]
        assert [p.rgb for p in plain.pictures] != [p.rgb for p in one.pictures]
        assert [p.rgb for p in one.pictures] != [p.rgb for p in other.pictures]
        if task == "object_detection":  # an object that lies mostly outside has no box
            assert any(plain.colour in colours(picture) for picture in one.pictures)


@pytest.mark.parametrize("task", TASKS)
def test_without_augmentation_images_are_those_stored(task: str) -> None:
    answer = augmented_sheet.answer(values(task), each=1)
    assert not answer["changed"]
    assert read_groups(answer["groups"]) == sheet(task, each=1)


def test_samples_show_what_is_predicted_beside_the_truth() -> None:
    def picture(shade: int) -> Picture:
        rows = np.arange(shade, shade + 4, dtype=np.uint8)[:, None, None]
        rgb = np.broadcast_to(rows, (4, 4, 3)).tobytes()
        return Picture(4, 4, base64.b64encode(rgb).decode(), name="a.png")

    item = {"image": "a.png", "predicted": "a cat", "label": "a dog"}
    record = {name: getattr(picture(10), name) for name in Picture.__slots__}
    event = Samples(step=5, split="validation", items=[item], pictures=[record])
    lines = samples([event], pictures=[picture(200)], side=2)
    text = [line.plain.strip() for line in lines]
    assert "on the left predicted, beside it the truth" in text
    row = next(line for line in lines if "▀" in line.plain)
    assert row.plain == "▀▀▀▀  ▀▀▀▀"
    styles = [str(span.style) for span in row.spans]
    assert [style for style in styles if "10,10,10" in style or "#0A0A0A" in style]
    assert [style for style in styles if "200,200,200" in style or "#C8C8C8" in style]
    words = [line.plain for line in samples([event], pictures=[picture(200)], side=0)]
    assert not [line for line in words if "▀" in line]
