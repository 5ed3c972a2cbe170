"""Text files whose lines name their classes as fastText reads them."""

from pathlib import Path

import pytest

from engine.config.data.image_folder import ImageFolderConfig
from engine.data.image_files import load_images
from engine.data.readers.base import read_file
from engine.data.readers.reading import ReadOptions
from engine.errors import DataError


def read(path: Path, text: str) -> list[dict[str, object]]:
    path.write_text(text)
    rows: list[dict[str, object]] = read_file(path, ReadOptions()).table.to_pylist()
    return rows


def test_a_label_of_fasttext_is_the_class_of_its_line(tmp_path: Path) -> None:
    lines = "__label__good it works\n\n__label__2 no , label__ in it\na line without one\n"
    assert read(tmp_path / "a.txt", lines) == [
        {"text": "it works", "label": "good"},
        {"text": "no , label__ in it", "label": "2"},
        {"text": "a line without one", "label": None},
    ]
    (note,) = read_file(tmp_path / "a.txt", ReadOptions()).notes
    assert (note.column, note.rows) == ("label", 3)


def test_a_line_with_several_labels_makes_all_classes_lists(tmp_path: Path) -> None:
    lines = "__label__a __label__b soup\n__label__b bread\nwater\n"
    labels = [row["label"] for row in read(tmp_path / "a.txt", lines)]
    assert labels == [["a", "b"], ["b"], []]


def test_other_texts_keep_every_line(tmp_path: Path) -> None:
    rows = read(tmp_path / "a.txt", "a __label__x line\n\nanother\n")
    assert rows == [{"text": "a __label__x line"}, {"text": ""}, {"text": "another"}]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("a.zip", "Unpack it"), ("a.tar", "data.kind=file"), ("a.csv", "data.kind=file")],
)
def test_a_file_in_place_of_a_folder_of_images_is_named_as_one(
    tmp_path: Path, name: str, remedy: str
) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=f"is a file, not a folder.*{remedy}"):
        load_images(ImageFolderConfig(path=str(tmp_path / name)))


def test_a_folder_of_tar_files_names_the_way_to_read_them(tmp_path: Path) -> None:
    (tmp_path / "0.tar").touch()
    with pytest.raises(DataError, match=r"has tar files.*data.kind=file"):
        load_images(ImageFolderConfig(path=str(tmp_path)))
