"""The image column, however the data holds it, and no image copied on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from engine.data.raw import TEST, TRAIN
from engine.errors import DataError
from engine.vision.column import RECORD, Aside, find_image, images_of


def records(names: list[str | None]) -> pa.Array:
    return pa.array([{"bytes": b"x", "path": name} for name in names], RECORD)


@pytest.mark.parametrize(
    "column",
    [
        records(["a", "b"]),
        pa.array([b"a", b"b"]),
        pa.array([b"a", b"b"], pa.large_binary()),
        pa.array(["a.png", "b.JPG"]),
    ],
)
def test_a_column_of_images_is_found_by_its_content(column: pa.Array) -> None:
    table = pa.table({"id": ["x", "y"], "what": column, "label": [0, 1]})
    assert find_image(table) == "what"


def test_the_usual_name_wins_among_several() -> None:
    table = pa.table({"mask": records(["a"]), "image": records(["b"])})
    assert find_image(table) == "image"


def test_a_table_without_images_says_what_it_has() -> None:
    with pytest.raises(DataError, match=r"there is age.*task\.image"):
        find_image(pa.table({"age": [1]}))


def test_paths_in_a_table_begin_beside_its_file() -> None:
    images = images_of(pa.table({"image": ["a.png", None]}), "image", folder=Path("/data"))
    assert [image["path"] for image in images] == ["/data/a.png", None]


def test_images_without_a_name_are_called_by_their_row() -> None:
    table = pa.table({"image": pa.chunked_array([records(["a", None]), records([None])])})
    assert images_of(table, "image", "train row").names() == ["a", "train row 2", "train row 3"]


def test_rows_find_their_images_again_over_chunks_and_splits() -> None:
    train = pa.chunked_array([records(["a", "b"]), records(["c", "d"])])
    test = pa.chunked_array([records(["e"])])
    aside = Aside({TRAIN: pa.table({"image": train}), TEST: pa.table({"image": test})}, "image")
    chosen = aside.back(aside.splits[TRAIN].take(pa.array([3, 0])))
    assert images_of(chosen, "image").names() == ["a", "d"]
    assert images_of(aside.back(aside.splits[TEST]), "image").names() == ["e"]


def test_rows_that_are_cut_for_another_split_are_not_called_training_rows() -> None:
    nameless = pa.table({"image": records([None, None])})
    aside = Aside({TRAIN: nameless, TEST: nameless}, "image")
    cut = aside.back(aside.splits[TRAIN].slice(1))
    assert images_of(cut, "image").names() == ["row 2"]
    kept = aside.back(aside.splits[TEST])
    assert images_of(kept, "image").names() == ["test row 1", "test row 2"]


def test_no_image_is_copied() -> None:
    large = pa.array([{"bytes": bytes(1000), "path": str(i)} for i in range(1000)], RECORD)
    aside = Aside({TRAIN: pa.table({"image": large})}, "image")
    before = pa.total_allocated_bytes()
    table = aside.back(aside.splits[TRAIN].take(pa.array(np.arange(0, 1000, 2))))
    assert pa.total_allocated_bytes() - before < 100_000
    assert images_of(table, "image")[1]["path"] == "2"
