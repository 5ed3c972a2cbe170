"""Translations in two files, side by side."""

import gzip
from pathlib import Path

import pytest

from engine.config.data.file import FileConfig
from engine.config.run_config import RunConfig
from engine.data.readers.base import read_file
from engine.data.readers.files import load_files
from engine.data.readers.reading import ReadOptions
from engine.errors import DataError
from engine.pipelines.create import create_pipeline


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


def test_two_files_that_differ_in_their_language_are_one_table(tmp_path: Path) -> None:
    write(tmp_path, train_en="a dog\n\na cat\n", train_de="ein Hund\r\n\r\neine Katze\r\n")
    write(tmp_path, val_en="b\n", val_de="c\n", README="text", train_ids="1\n2\n3\n")
    task = {"kind": "seq2seq", "source": "en", "target": "de"}
    data = {"kind": "file", "path": str(tmp_path)}
    model = {"kind": "transformer", "hidden_size": 8, "num_attention_heads": 2}
    raw = create_pipeline(RunConfig.parse({"task": task, "data": data, "model": model})).load()
    assert {("a dog", "ein Hund"), ("b", "c"), ("a cat", "eine Katze")} == {
        (row["en"], row["de"]) for table in raw.splits.values() for row in table.to_pylist()
    }
    assert raw.splits["validation"].to_pylist() == [{"de": "c", "en": "b"}]


def test_either_file_brings_the_other_packed_or_not(tmp_path: Path) -> None:
    for name, text in (("corpus.de-en.de.gz", "eins\nzwei"), ("corpus.de-en.en.gz", "one\ntwo")):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
        wanted = tmp_path / name
    reading = read_file(wanted, ReadOptions())
    assert reading.table.to_pydict() == {"de": ["eins", "zwei"], "en": ["one", "two"]}
    assert "read side by side" in reading.notes[0].why


def test_files_of_different_length_are_refused(tmp_path: Path) -> None:
    write(tmp_path, a_en="one\ntwo\n", a_fr="un\n")
    with pytest.raises(DataError, match=r"a\.en has 2 lines and a\.fr 1 line: line by line"):
        read_file(tmp_path / "a.fr", ReadOptions())


def test_an_image_and_its_copy_of_another_format_are_no_translations(tmp_path: Path) -> None:
    write(tmp_path, a_jpg="x", a_png="y")
    with pytest.raises(DataError, match=r"no way to read the file a\.jpg"):
        read_file(tmp_path / "a.jpg", ReadOptions())
    with pytest.raises(DataError, match="holds no data files"):
        load_files(FileConfig(path=str(tmp_path)))


def test_a_third_language_leaves_the_pair_open(tmp_path: Path) -> None:
    write(tmp_path, a_en="one\n", a_fr="un\n", a_de="eins\n")
    with pytest.raises(DataError, match=r"no way to read the file a\.fr"):
        read_file(tmp_path / "a.fr", ReadOptions())
