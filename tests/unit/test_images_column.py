"""The image column in every format of data, without copies of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from engine.config.run_config import RunConfig
from engine.data.image_record import IMAGE_RECORD
from engine.data.images import decode
from engine.data.raw import TEST, TRAIN, RawData
from engine.errors import DataError
from engine.pipelines.image_classification import ImageClassificationPipeline
from engine.vision.files.column import Aside, find_image, images_of


def records(names: list[str | None]) -> pa.Array:
    return pa.array([{"bytes": b"x", "path": name} for name in names], IMAGE_RECORD)


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


def listed(folder: Path, shade: int, names: Sequence[str] = ("0.png", "1.png")) -> Path:
    """Write images of one shade and a list of them, each with its class."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2), shade).save(folder / name)
    rows = [f"{name},{'ab'[number % 2]}" for number, name in enumerate(names)]
    (folder / "list.csv").write_text("\n".join(["file_name,label", *rows]))
    return folder / "list.csv"


def loaded(**data: str) -> RawData:
    config = RunConfig.parse(
        {
            "task": {"kind": "image_classification"},
            "data": {"kind": "file", "validation_fraction": 0.0} | data,
            "model": {"kind": "cnn"},
        }
    )
    return ImageClassificationPipeline(config).load()


def shades(raw: RawData, split: str) -> list[int]:
    records = images_of(raw.splits[split], "file_name")
    return [int(decode(record, 2, 1).max()) for record in records]


def test_each_list_reads_the_images_of_its_own_folder(tmp_path: Path) -> None:
    raw = loaded(
        path=str(listed(tmp_path / "train", 10)), test_path=str(listed(tmp_path / "test", 200))
    )
    assert (shades(raw, TRAIN), shades(raw, TEST)) == ([10, 10], [200, 200])


def test_lists_in_one_folder_read_the_images_beside_them(tmp_path: Path) -> None:
    listed(tmp_path / "train" / "1", 10)
    listed(tmp_path / "train" / "2", 20)
    listed(tmp_path / "test", 200)
    for path in (tmp_path, tmp_path / "**" / "list.csv"):
        raw = loaded(path=str(path))
        assert (shades(raw, TRAIN), shades(raw, TEST)) == ([10, 10, 20, 20], [200, 200])


def test_images_that_a_list_lacks_are_not_taken_from_another_folder(tmp_path: Path) -> None:
    train = listed(tmp_path / "train", 10, ("0.png", "1.png", "2.png"))
    test = listed(tmp_path / "test", 200)
    test.write_text(test.read_text() + "\n2.png,a")
    raw = loaded(path=str(train), test_path=str(test))
    assert shades(raw, TEST) == [200, 200]
    assert [(skip.reason, skip.count) for skip in raw.skips] == [
        ("the image file does not exist", 1)
    ]


def test_lists_in_a_folder_of_their_own_find_the_images_above_it(tmp_path: Path) -> None:
    train = listed(tmp_path, 10, ("images/0.png", "images/1.png"))
    (tmp_path / "lists").mkdir()
    for name in ("train.csv", "test.csv"):
        (tmp_path / "lists" / name).write_text(train.read_text())
    train.unlink()
    raw = loaded(path=str(tmp_path))
    assert (shades(raw, TRAIN), shades(raw, TEST)) == ([10, 10], [10, 10])
    assert any(f"test.csv begin at {tmp_path}" in note.why for note in raw.notes)


@pytest.mark.parametrize("places", [("train", "test"), ("images/train", "images/test")])
def test_lists_above_the_folders_of_their_splits_read_these(
    tmp_path: Path, places: tuple[str, str]
) -> None:
    for place, shade, name in zip(places, (10, 200), ("train.csv", "test.csv"), strict=True):
        listed(tmp_path / place, shade).rename(tmp_path / name)
    raw = loaded(path=str(tmp_path))
    assert (shades(raw, TRAIN), shades(raw, TEST)) == ([10, 10], [200, 200])
    for place in places:
        assert any(note.why.endswith(f"begin at {tmp_path / place}") for note in raw.notes)


def test_a_list_never_reads_the_folder_of_another_split(tmp_path: Path) -> None:
    listed(tmp_path / "train", 10).rename(tmp_path / "train.csv")
    (tmp_path / "test.csv").write_text((tmp_path / "train.csv").read_text())
    lost = "no row of test can be used: the image file does not exist (2 rows)"
    assert lost in [note.why for note in loaded(path=str(tmp_path)).notes]


def test_backslashes_separate_folders_in_a_list_from_windows(tmp_path: Path) -> None:
    path = listed(tmp_path, 10, ("images/0.png", "images/1.png"))
    path.write_text(path.read_text().replace("/", "\\"))
    raw = loaded(path=str(path))
    assert shades(raw, TRAIN) == [10, 10]
    assert f"backslashes in the paths in {path} separate folders" in [
        note.why for note in raw.notes
    ]


def test_images_in_formats_that_are_not_read_are_named_and_counted(tmp_path: Path) -> None:
    path = listed(tmp_path, 10, ("0.png", "1.png", "2.png"))
    (tmp_path / "3.jxl").write_bytes(b"\0\0\0\x0cJXL \r\n" + bytes(40))
    path.write_text(path.read_text() + "\n3.jxl,a")
    assert [(skip.reason, skip.example) for skip in loaded(path=str(path)).skips] == [
        ("images in the format JPEG XL cannot be read", str(tmp_path / "3.jxl"))
    ]


def test_a_list_without_the_image_column_is_named(tmp_path: Path) -> None:
    train = listed(tmp_path / "train", 10)
    test = listed(tmp_path / "test", 200)
    test.write_text(test.read_text().replace("file_name", "picture"))
    with pytest.raises(DataError, match=r"test/list\.csv: there is no column 'file_name'"):
        loaded(path=str(train), test_path=str(test))


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
    large = pa.array([{"bytes": bytes(1000), "path": str(i)} for i in range(1000)], IMAGE_RECORD)
    aside = Aside({TRAIN: pa.table({"image": large})}, "image")
    before = pa.total_allocated_bytes()
    table = aside.back(aside.splits[TRAIN].take(pa.array(np.arange(0, 1000, 2))))
    assert pa.total_allocated_bytes() - before < 100_000
    assert images_of(table, "image")[1]["path"] == "2"


@pytest.mark.parametrize("beside", ["notes.txt", ""])
def test_a_folder_of_images_given_as_tables_names_its_data_source(
    tmp_path: Path, beside: str
) -> None:
    (tmp_path / "cats").mkdir()
    Image.new("L", (2, 2)).save(tmp_path / "cats" / "1.png")
    if beside:
        (tmp_path / beside).write_text("shot in June\n")
    config = RunConfig.parse(
        {
            "task": {"kind": "image_classification"},
            "data": {"kind": "file", "path": str(tmp_path)},
            "model": {"kind": "cnn"},
        }
    )
    with pytest.raises(DataError, match=r"holds images.*data\.kind to image_folder"):
        ImageClassificationPipeline(config).load()
