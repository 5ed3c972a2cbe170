"""Saved predictions of images name them, and do not repeat them."""

from __future__ import annotations

import pyarrow as pa

from engine.data.fitted import Fitted
from engine.service.image_names import with_image_names
from engine.vision.annotated_fitted import AnnotatedFitted

STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FITTED = AnnotatedFitted(
    image="photo", classes=["cat"], counts=[1], size=8, mean=[0.0], std=[1.0], sizes={}
)


def test_images_have_their_paths_or_numbers_and_a_note() -> None:
    photos = [{"bytes": b"..", "path": "a.png"}, {"bytes": b"..", "path": None}, None]
    table = pa.table({"id": [7, 8, 9], "photo": pa.array(photos, STORED)})
    named, notes = with_image_names(table, FITTED)
    assert named.to_pydict() == {"id": [7, 8, 9], "photo": ["a.png", "row 2", None]}
    [note] = notes
    assert (note.column, note.kind) == ("photo", "converted")
    assert note.why == "the file has the paths or numbers of images, not the images themselves"


def test_the_bytes_that_a_model_takes_for_images_are_numbered_and_others_stay() -> None:
    table = pa.table({"photo": [b"one", b"two"], "key": [b"k", b"l"]})
    named, _ = with_image_names(table, FITTED)
    assert named.to_pydict() == {"photo": ["row 1", "row 2"], "key": [b"k", b"l"]}


def test_masks_beside_the_images_have_names_too() -> None:
    table = pa.table({"photo": ["a.png"], "mask": pa.array([{"bytes": b"", "path": "m"}], STORED)})
    named, notes = with_image_names(table, FITTED)
    assert named.to_pydict() == {"photo": ["a.png"], "mask": ["m"]}
    assert [note.column for note in notes] == ["mask"]


def test_tables_without_images_stay_as_they_are() -> None:
    table = pa.table({"key": [b"k"], "text": ["t"]})
    assert with_image_names(table, Fitted()) == (table, [])
