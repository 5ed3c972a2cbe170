"""Paths of images in lists: the folder in which each list's begin."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from engine.data.raw import RawData, RowsOfFile
from engine.errors import DataError
from engine.vision.files.list_paths import located


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def listed(
    root: Path, paths: list[str | None], name: str = "list.csv", split: str = "train"
) -> RawData:
    """A split whose rows come from one list below ``root``."""
    table = pa.table({"image": pa.array(paths, pa.string()), "label": ["a"] * len(paths)})
    files = (RowsOfFile(root / name, len(paths)),)
    return RawData({split: table} if split == "train" else {"train": table, split: table},
                   files={split: files})  # fmt: skip


def found(raw: RawData, root: Path, split: str = "train") -> list[str | None]:
    """Whole paths, as they are below ``root``."""
    paths = located(raw, "image", root).splits[split]["image"].to_pylist()
    return [path and str(Path(path).relative_to(root)) for path in paths]


@pytest.mark.parametrize(
    ("name", "images", "begin"),
    [
        ("list.csv", ["1.png"], ""),
        ("list.csv", ["images/1.png"], "images"),
        ("list.csv", ["train/1.png"], "train"),
        ("list.csv", ["images/train/1.png"], "images/train"),
        ("list.csv", ["train/images/1.png"], "train/images"),
        ("list.csv", ["train/1.png", "images/1.png"], "train"),  # called after the split
        ("list.csv", ["1.png", "train/1.png"], ""),  # its own folder first
        ("lists/list.csv", ["1.png"], ""),  # above it
        ("lists/more/list.csv", ["lists/1.png", "1.png"], "lists"),  # the nearest one above
        ("list.csv", ["test/1.png"], None),  # of another split
        ("list.csv", ["photos/1.png"], "photos"),  # of any name, where there is no other
        ("list.csv", ["aside/1.png", "images/1.png"], "images"),  # called after what it holds
        ("list.csv", ["photos/more/1.png"], None),  # not anywhere below
        ("list.csv", ["a/b/c/1.png"], None),
        ("list.csv", [], None),
    ],
)
def test_paths_begin_where_the_images_are(
    tmp_path: Path, name: str, images: list[str], begin: str | None
) -> None:
    put(tmp_path, name, *images)
    raw = located(listed(tmp_path, ["1.png", "2.png"], name), "image", tmp_path)
    own = (tmp_path / name).parent
    folder = own if begin is None else tmp_path / begin
    assert raw.train["image"].to_pylist() == [str(folder / "1.png"), str(folder / "2.png")]
    assert len(raw.notes) == (folder != own)
    assert all(note.kind == "converted" for note in raw.notes)


def test_images_above_the_root_are_never_taken(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "data/list.csv")
    raw = listed(tmp_path / "data", ["1.png"])
    assert found(raw, tmp_path / "data") == ["1.png"]
    assert located(raw, "image", tmp_path / "data").notes == ()


def test_a_list_beside_the_root_looks_in_its_own_folder_alone(tmp_path: Path) -> None:
    put(tmp_path, "other/list.csv", "data/1.png")
    raw = listed(tmp_path / "other", ["1.png"])
    paths = located(raw, "image", tmp_path / "data").train["image"].to_pylist()
    assert paths == [str(tmp_path / "other" / "1.png")]


def test_each_list_of_a_split_has_its_own_folder(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "b/images/2.png")
    table = pa.table({"image": ["1.png", "x.png", "2.png"]})
    files = (RowsOfFile(tmp_path / "a" / "l.csv", 2), RowsOfFile(tmp_path / "b" / "l.csv", 1))
    raw = RawData({"train": table}, files={"train": files})
    assert found(raw, tmp_path) == ["a/1.png", "a/x.png", "b/images/2.png"]


def test_the_validation_list_has_the_folder_of_its_split(tmp_path: Path) -> None:
    put(tmp_path, "train/1.png", "val/1.png")
    raw = listed(tmp_path, ["1.png"], split="validation")
    assert found(raw, tmp_path, "validation") == ["val/1.png"]


def test_missing_paths_stay_and_whole_ones_are_kept(tmp_path: Path) -> None:
    put(tmp_path, "elsewhere/1.png", "images/2.png")
    whole = str(tmp_path / "elsewhere" / "1.png")
    raw = located(listed(tmp_path, [None, whole, "2.png"]), "image", tmp_path)
    assert raw.train["image"].to_pylist()[:2] == [None, whole]


def test_backslashes_separate_folders_where_no_path_has_a_slash(tmp_path: Path) -> None:
    put(tmp_path, "cats/1.png", "dogs/2.png")
    raw = listed(tmp_path, ["cats\\1.png", None, "dogs\\2.png"])
    assert found(raw, tmp_path) == ["cats/1.png", None, "dogs/2.png"]
    [note] = located(raw, "image", tmp_path).notes
    assert (note.column, note.kind) == ("image", "converted")
    mixed = listed(tmp_path, ["cats\\1.png", "dogs/2.png"])
    assert found(mixed, tmp_path) == ["cats\\1.png", "dogs/2.png"]  # part of a name on Linux


def test_other_columns_and_other_splits_stay(tmp_path: Path) -> None:
    put(tmp_path, "images/1.png")
    raw = listed(tmp_path, ["1.png"])
    again = located(raw, "image", tmp_path)
    assert again.train["label"].equals(raw.train["label"])
    assert again.train.column_names == ["image", "label"]
    numbers = RawData({"train": pa.table({"image": [1, 2]})}, files=raw.files)
    assert located(numbers, "image", tmp_path).train.equals(numbers.train)


def test_a_list_without_the_column_is_named_with_what_it_has(tmp_path: Path) -> None:
    table = pa.table({"picture": ["1.png"], "label": ["a"]})
    files = {"train": (RowsOfFile(tmp_path / "l.csv", 1),)}
    with pytest.raises(DataError, match=r"l\.csv: there is no column 'image'.*picture, label"):
        located(RawData({"train": table}, files=files), "image", tmp_path)


@pytest.mark.parametrize(
    ("form", "image", "begin", "notes"),
    [
        ("/home/me/data/images/{}.png", "images/{}.png", "", 1),
        ("C:\\data\\images\\{}.png", "images/{}.png", "", 2),  # and backslashes
        ("/kaggle/input/birds/{}.png", "photos/{}.png", "photos", 1 + 1),
        ("../birds/{}.png", "images/{}.png", "images", 1 + 1),
    ],
)
def test_paths_of_another_machine_lose_their_beginning(
    tmp_path: Path, form: str, image: str, begin: str, notes: int
) -> None:
    put(tmp_path, *(image.format(n) for n in "12"))
    raw = listed(tmp_path, [form.format(n) for n in "12"])
    assert found(raw, tmp_path) == [image.format(n) for n in "12"]
    assert len(located(raw, "image", tmp_path).notes) == notes


def test_images_are_found_by_their_names_before_an_upload(tmp_path: Path) -> None:
    put(tmp_path, "photos/a.png", "photos/b-c.png")
    paths: list[str | None] = [
        "/data/upload/3/1a2b3c4d-a.png",
        None,
        "/data/upload/3/00ff00ff-b-c.png",
    ]
    raw = located(listed(tmp_path, paths), "image", tmp_path)
    expected = [str(tmp_path / "photos" / name) for name in ("a.png", "b-c.png")]
    assert raw.train["image"].drop_null().to_pylist() == expected
    assert any("before Label Studio" in note.why for note in raw.notes)
    put(tmp_path, "images/1a2b3c4d-a.png")  # the exported one goes before the original
    assert found(listed(tmp_path, paths[:1]), tmp_path) == ["images/1a2b3c4d-a.png"]


def test_paths_that_are_whole_and_right_are_kept(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "b/1.png")
    raw = listed(tmp_path / "b", [str(tmp_path / "a/1.png"), str(tmp_path / "a/2.png")])
    assert found(raw, tmp_path) == ["a/1.png", "a/2.png"]


def test_paths_are_whole_where_the_list_is_named_by_a_relative_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "photos/images/1.png")
    monkeypatch.chdir(tmp_path)
    raw = listed(Path("photos"), ["1.png"])
    paths = located(raw, "image", Path("photos")).train["image"].to_pylist()
    assert paths == [str(tmp_path / "photos" / "images" / "1.png")]
