"""Splits and classes of images by the names of their folders, without any file."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path, PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.image_layout import layout_of, named_split
from engine.errors import DataError

ROOT = Path("/data")
SPELLED = {
    "train": ["train", "Training", "train_set", "TRAIN_IMAGES", "01-train"],
    "validation": ["val", "valid", "Validation", "dev", "val_data"],
    "test": ["test", "Testing", "test-set", "TEST"],
}
CLASSES = ["cats", "dogs", "Katze", "été", "n02085620", "0", "trainer", "latest"]


def placed(*files: str) -> list[tuple[str, str]]:
    """Split and class of each file, or an empty split and the reason."""
    layout = layout_of(ROOT, map(PurePath, files))
    places = [layout.place(PurePath(file).parts[:-1]) for file in files]
    return [(place.split, place.label or place.reason) for place in places]


def noted(*files: str) -> list[str]:
    return [note.why for note in layout_of(ROOT, map(PurePath, files)).notes]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("train_2", "train"),
        ("training data", "train"),
        ("images-train", "train"),
        ("valid", "validation"),
        ("VAL", "validation"),
        ("dev_set", "validation"),
        ("test-split", "test"),
        ("testing_2024", "test"),
        ("trainset", ""),  # one word, which is none of them
        ("latest", ""),
        ("contest", ""),
        ("test.val", ""),  # two splits
        ("train_cats", ""),
        ("images", ""),
        ("2024", ""),
        ("", ""),
    ],
)
def test_a_name_stands_for_a_split_if_it_says_nothing_else(name: str, split: str) -> None:
    assert named_split(name) == split


SPLITS = st.sampled_from(
    [("train", "test"), ("train", "validation"), ("train", "validation", "test")]
)
LABELS = st.lists(st.sampled_from(CLASSES), min_size=2, max_size=4, unique=True)


@given(st.data(), SPLITS, LABELS, st.sampled_from(["", "archive", "v1/flowers"]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_splits_above_or_below_classes_are_told_by_their_names_within_any_archive(
    data: st.DataObject, splits: tuple[str, ...], labels: list[str], archive: str, above: bool
) -> None:
    names = {split: data.draw(st.sampled_from(SPELLED[split])) for split in splits}
    cells = list(product(splits, labels))
    paths = [
        PurePath(archive, *((names[split], label) if above else (label, names[split])), "1.png")
        for split, label in cells
    ]
    assert placed(*map(str, paths)) == cells


@given(st.lists(st.tuples(*[st.sampled_from(["train", "test", "a", "b", "val", ""])] * 3)))
@settings(max_examples=80, deadline=None)
def test_the_order_of_files_decides_nothing(parts: list[tuple[str, ...]]) -> None:
    files = [str(PurePath(*filter(None, own), "1.png")) for own in parts]
    mixed = random.Random(0).sample(files, len(files))

    def outcome(order: list[str]) -> dict[str, tuple[str, str]] | str:
        try:
            return dict(zip(order, placed(*order), strict=True))
        except DataError:
            return "a question"

    assert outcome(files) == outcome(mixed)


@given(st.lists(st.tuples(*[st.sampled_from(["train", "dogs", "a", "b", "set", ""])] * 3)))
@settings(max_examples=80, deadline=None)
def test_every_image_has_a_split_and_a_class_or_a_reason(parts: list[tuple[str, ...]]) -> None:
    files = [PurePath(*filter(None, own), "1.png") for own in parts]
    try:
        layout = layout_of(ROOT, files)
    except DataError:
        return
    for file in files:
        place = layout.place(file.parts[:-1])
        assert bool(place.reason) != bool(place.split and place.label)
        assert place.label in ("", *file.parts[:-1])


@pytest.mark.parametrize(
    ("files", "places"),
    [
        # Kaggle's archives repeat the folder of a split.
        (
            ["training_set/training_set/cats/1", "training_set/training_set/dogs/2",
             "test_set/test_set/cats/3"],
            [("train", "cats"), ("train", "dogs"), ("test", "cats")],
        ),
        # A folder around the classes, as in ImageNet's ILSVRC/Data.
        (
            ["train/images/a/1", "train/images/b/2", "val/images/a/3"],
            [("train", "a"), ("train", "b"), ("validation", "a")],
        ),
        # Deeper folders belong to the class above them.
        (
            ["train/a/x/1", "train/b/y/2", "test/a/x/3"],
            [("train", "a"), ("train", "b"), ("test", "a")],
        ),
        # Held-out images beside the classes, or beside a folder that holds them.
        (
            ["cats/1", "dogs/2", "test/cats/3"],
            [("train", "cats"), ("train", "dogs"), ("test", "cats")],
        ),
        (
            ["photos/cats/1", "photos/dogs/2", "test/cats/3", "test/dogs/4"],
            [("train", "cats"), ("train", "dogs"), ("test", "cats"), ("test", "dogs")],
        ),
        # No class has a folder for training: what is in no other split is trained on.
        (["a/1", "a/test/2", "b/test/3", "b/x/4"],
         [("train", "a"), ("test", "a"), ("test", "b"), ("train", "b")]),
        # One class alone, in splits.
        (["cats/train/1", "cats/test/2"], [("train", "cats"), ("test", "cats")]),
        (["fold1/a/1", "fold2/b/2"], [("train", "fold1"), ("train", "fold2")]),
    ],
)  # fmt: skip
def test_layouts_of_real_archives(files: list[str], places: list[tuple[str, str]]) -> None:
    assert placed(*files) == places


def test_images_outside_of_the_layout_have_their_reason() -> None:
    files = ["train/a/1", "train/b/2", "test/a/3", "test/4", "extra/a/5", "6"]
    assert placed(*files)[3:] == [
        ("", "it lies in no folder of a class"),
        ("", "the folder extra names no split"),
        ("", "it lies in no folder of a class"),
    ]


@pytest.mark.parametrize(
    ("files", "notes"),
    [
        (["a/1", "b/2"], []),
        (["train/a/1", "train/b/1", "val/a/2"], []),
        (["x/y/a/1", "x/y/b/2"], ["only the folder x/y has images: it is read"]),
        (["train/a/1", "train/b/2"], []),  # the name of the only folder says that it is all
        (
            ["train/a/1", "train/b/1", "val/a/2", "valid/b/3"],
            ["the folders val, valid are together read as validation"],
        ),
        (["train/1", "val/2"], ["not read as splits, but as classes: train, val"]),
        (
            ["wild/cat/1", "wild/dog/2", "home/cat/3"],
            ["classes are the first folders, such as wild; those in them (cat, dog) are not told "
             "apart"],
        ),
    ],
)  # fmt: skip
def test_only_what_is_surprising_is_noted(files: list[str], notes: list[str]) -> None:
    assert noted(*files) == notes


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["train/steam/1", "train/diesel/2", "bus/3"], "'train' can be a split or a class"),
        (["test/a/1", "test/b/2"], r"/data has images for test, but none to train on"),
        (["val/a/1", "test/a/2"], "has images for test and validation, but none to train on"),
        (["x/test/a/1", "x/val/b/2"], "/data/x has images for"),
        (["a/train/1", "a/test/2", "b/3"], "the class 'a' has folders of splits, 'b' has none"),
    ],
)
def test_layouts_that_may_be_read_in_two_ways_are_a_question(files: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        placed(*files)


def test_escape_sequences_in_names_do_not_reach_the_screen() -> None:
    [note] = noted("a\x1b[31m/x/1", "a\x1b[31m/y/2", "b/x/3")
    assert "\x1b" not in note
    assert "\x1b" not in placed("train/a/1", "train/b/2", "no\x1b[2J/a/3")[2][1]
