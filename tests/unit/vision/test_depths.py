"""Images of other kinds of values than the training images: what is said of them."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from engine.config.tasks.image_classification import ImageClassificationConfig
from engine.data.images import decode
from engine.data.raw import RawData
from engine.vision.depths import notes_on_depths, notes_on_splits
from engine.vision.fitted import ImageFitted
from engine.vision.fitting import measure

RAMP = np.arange(64, dtype=np.float64).reshape(8, 8) / 63  # from black to white
GREY, COLOUR = RAMP * 255, np.stack([RAMP, RAMP, RAMP / 2], 2) * 255


def stored(values: Any, kind: Any = np.uint8, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(values.astype(kind)).save(file, form)
    return file.getvalue()


EIGHT = stored(GREY)
TWELVE = stored(RAMP * 4095, np.uint16)
SIXTEEN = stored(RAMP * 65535, np.uint16)
SHARES = stored(RAMP, np.float32, "TIFF")
HUNDREDS = stored(RAMP * 255, np.float32, "TIFF")


def table(*images: bytes) -> pa.Table:
    return pa.table({"image": [{"bytes": one, "path": None} for one in images]})


def fitted(*images: bytes) -> ImageFitted:
    found = measure(table(*images), "image", ImageClassificationConfig(), None)
    return ImageFitted(
        image="image", label="label", classes=["a", "b"], counts=[1, 1], multi_label=False,
        resize="crop", **found,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("trained", "later", "said", "kind"),
    [
        ([EIGHT], TWELVE, "to 4,095.*65,535 as white; no training.*: they are dark", "doubt"),
        ([EIGHT], SIXTEEN, "65,535 as white; no training image was of that kind$", "converted"),
        ([EIGHT], SHARES, "floating.*from 0 to 1, are.* 1 as white; no training", "converted"),
        ([EIGHT], HUNDREDS, "from 0 to 255, are.* 1 as white.*beyond is black or white", "doubt"),
        ([TWELVE], EIGHT, "eight bits have 255 as white; all training images have more", "doubt"),
        ([TWELVE], SIXTEEN, "to 65,535, are .* 4,095 as white: what lies beyond is", "doubt"),
        ([TWELVE], HUNDREDS, "from 0 to 255, are.* 1 as white; no training.*beyond", "doubt"),
        ([SIXTEEN], TWELVE, "to 4,095, are .* 65,535 as white: they are dark", "doubt"),
        ([EIGHT], stored(COLOUR), "in colour are read as grey", "converted"),
        ([TWELVE, EIGHT], stored(RAMP * 5000, np.uint16), "to 5,000, are .*beyond", "doubt"),
    ],
)  # fmt: skip
def test_images_without_a_scale_of_their_kind_are_named(
    trained: list[bytes], later: bytes, said: str, kind: str
) -> None:
    [note] = notes_on_depths(table(later), fitted(*trained))
    assert (note.column, note.kind) == ("image", kind)
    assert re.search(said, note.why), note.why


@pytest.mark.parametrize(
    ("trained", "later"),
    [
        ([EIGHT], EIGHT),
        ([TWELVE], TWELVE),
        ([TWELVE], stored(RAMP * 1200, np.uint16)),  # a dark one
        ([SIXTEEN, EIGHT], EIGHT),
        ([SHARES], SHARES),
        ([stored(COLOUR)], EIGHT),
        ([EIGHT], b"damaged"),
    ],
)
def test_nothing_is_said_of_images_like_those_of_the_training(
    trained: list[bytes], later: bytes
) -> None:
    assert list(notes_on_depths(table(later), fitted(*trained))) == []


def test_what_is_said_to_be_dark_is_dark() -> None:
    own = fitted(EIGHT)
    assert decode(TWELVE, 8, 1, levels=own.levels).max() == round(255 * 4095 / 65535)


def test_splits_that_are_not_trained_on_are_looked_at_too() -> None:
    raw = RawData({"train": table(EIGHT), "validation": table(EIGHT), "test": table(TWELVE)})
    [note] = notes_on_splits(raw, fitted(EIGHT))
    assert note.column == "test"
    assert note.why.startswith("test: images of more than eight bits, with values from 0 to 4,095")


def test_runs_from_before_kinds_were_recorded_say_what_they_can() -> None:
    before = {name: value for name, value in fitted(TWELVE).model_dump().items()
              if name not in ("depths", "see_through")}  # fmt: skip
    assert list(notes_on_depths(table(EIGHT), ImageFitted(**before))) == []
    [note] = notes_on_depths(table(SIXTEEN), ImageFitted(**before))
    assert "beyond" in note.why
    assert list(notes_on_depths(table(SIXTEEN), ImageFitted(**before | {"levels": None}))) == []


def test_images_with_an_opacity_are_counted() -> None:
    clear = Image.fromarray(GREY.astype(np.uint8)).convert("LA")
    file = io.BytesIO()
    clear.save(file, "PNG")
    assert fitted(EIGHT, file.getvalue()).see_through == 1
