"""Tar files of samples, as WebDataset writes them."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.config.data.file import FileConfig
from engine.data.readers import webdataset
from engine.data.readers.base import read_file
from engine.data.readers.files import load_files
from engine.data.readers.reading import ReadOptions
from engine.errors import DataError
from engine.vision.files.column import find_image


def photo(value: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(data, "png")
    return data.getvalue()


def shard(path: Path, members: dict[str, bytes], *links: str) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        for name in links:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(entry)
    return path


def samples(numbers: range) -> dict[str, bytes]:
    return {
        f"{i:03}.{suffix}": data
        for i in numbers
        for suffix, data in {
            "png": photo(i),
            "cls": str(i % 2).encode(),
            "txt": f"picture {i}\n".encode(),
            "json": json.dumps({"id": i, "place": "north"}).encode(),
        }.items()
    }


def test_members_of_a_sample_are_a_row(tmp_path: Path) -> None:
    table = read_file(shard(tmp_path / "a.tar", samples(range(3))), ReadOptions()).table
    assert find_image(table) == "image"
    assert [record["bytes"] for record in table["image"].to_pylist()] == [
        photo(0), photo(1), photo(2)
    ]  # fmt: skip
    assert table.drop_columns(["image"]).to_pylist() == [
        {"cls": i % 2, "txt": f"picture {i}", "id": i, "place": "north"} for i in range(3)
    ]


def test_images_come_in_the_order_of_their_samples_in_any_number_of_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webdataset, "_GATHERED", 200)
    table = read_file(shard(tmp_path / "a.tar", samples(range(9))), ReadOptions()).table
    assert table["image"].num_chunks > 1
    paths = [record["path"] for record in table["image"].to_pylist()]
    assert paths == [f"a.tar/{i:03}.png" for i in range(9)]


def test_folders_of_shards_are_splits_and_tables_beside_archives_come_first(
    tmp_path: Path,
) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        shard(tmp_path / split / "0.tar", samples(range(4)))
    splits = load_files(FileConfig(path=str(tmp_path))).splits
    assert {name: table.num_rows for name, table in splits.items()} == {"train": 4, "test": 4}
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    assert load_files(FileConfig(path=str(tmp_path))).train.column_names == ["a", "b"]


def test_a_photograph_and_its_mask_are_two_columns(tmp_path: Path) -> None:
    members = {"0.jpg": photo(1), "0.seg.png": photo(2), "0.txt": b"a"}
    table = read_file(shard(tmp_path / "a.tar", members), ReadOptions()).table
    assert sorted(table.column_names) == ["jpg", "seg.png", "txt"]


def test_what_is_not_read_is_counted(tmp_path: Path) -> None:
    members = samples(range(2)) | {"002.cls": b"\xff", "002.npy": b"", "003.json": b"{", "x": b""}
    reading = read_file(shard(tmp_path / "a.tar", members, "004.cls"), ReadOptions())
    assert {(skip.count, skip.example) for skip in reading.skips} == {
        (1, "002.cls"), (1, "002.npy"), (1, "003.json"), (1, "x"), (1, "004.cls"),
    }  # fmt: skip
    assert reading.table["cls"].to_pylist() == [0, 1, None, None]


def test_a_key_that_a_member_has_too_keeps_both(tmp_path: Path) -> None:
    members = {"0.json": b'{"txt": "of the object"}', "0.txt": b"of the member"}
    table = read_file(shard(tmp_path / "a.tar", members), ReadOptions()).table
    assert table.to_pylist() == [{"txt": "of the member", "json.txt": "of the object"}]


def test_an_image_that_is_too_large_names_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webdataset, "_LARGEST", 10)
    table = read_file(shard(tmp_path / "a.tar", samples(range(1))), ReadOptions()).table
    assert table["image"].to_pylist() == [{"bytes": None, "path": None}]


def test_other_and_damaged_archives_are_refused(tmp_path: Path) -> None:
    classes = shard(tmp_path / "a.tar", {"red/1.png": photo(1), "blue/1.png": photo(2)})
    with pytest.raises(DataError, match=r"no samples .* Unpack it"):
        read_file(classes, ReadOptions())
    whole = shard(tmp_path / "b.tar", samples(range(3)))
    data = bytearray(whole.read_bytes())
    (tmp_path / "cut.tar").write_bytes(data[:5000])
    data[4096:4106] = b"\xff" * 10  # the header of the third member
    (tmp_path / "harmed.tar").write_bytes(data)
    for name in ("cut.tar", "harmed.tar"):
        with pytest.raises(DataError, match=f"{name} is not a readable tar file"):
            read_file(tmp_path / name, ReadOptions())
