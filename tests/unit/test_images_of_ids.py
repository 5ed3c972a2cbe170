"""Lists of images as competitions hand them out: ids without a suffix, a column for each class."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.errors import DataError
from engine.pipelines.create import create_pipeline


def pipeline(path: Path, kind: str = "file", **task: Any) -> Any:
    return create_pipeline(RunConfig.parse({
        "task": {"kind": "image_classification"} | task, "model": {"kind": "cnn"},
        "data": {"kind": kind, "path": str(path)},
    }))  # fmt: skip


def load(path: Path, **task: Any) -> RawData:
    raw: RawData = pipeline(path, **task).load()
    return raw


def images(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (4, 4), "red").save(folder / name)


def labels(raw: RawData) -> dict[str, Any]:
    label = "labels" if "labels" in raw.train.column_names else "breed"
    return {
        Path(row["id"]["path"]).name: row[label]
        for table in raw.splits.values()
        for row in table.to_pylist()
    }


def listed(path: Path, header: str, *rows: str) -> None:
    path.write_text(header + "\n" + "".join(row + "\n" for row in rows))


def test_ids_name_images_wherever_they_lie(tmp_path: Path) -> None:
    images(tmp_path / "train", *(f"{i:03}.jpg" for i in range(20)))
    images(tmp_path / "test", "000.jpg")
    listed(tmp_path / "a.csv", "id,breed", *(f"{i:03},{'ab'[i % 2]}" for i in range(20)), "999,a")
    raw = load(tmp_path / "a.csv")
    assert labels(raw) == {f"{i:03}.jpg": "ab"[i % 2] for i in range(20)}
    paths = [row["id"]["path"] for table in raw.splits.values() for row in table.to_pylist()]
    assert str(tmp_path / "train" / "000.jpg") in paths
    assert [(skip.reason, skip.count) for skip in raw.skips] == [
        ("the image file does not exist", 1)
    ]
    [note] = [note for note in raw.notes if note.column == "id"]
    assert "without their suffix" in note.why


def test_ids_of_one_split_never_take_images_of_another(tmp_path: Path) -> None:
    images(tmp_path / "train", *(f"{i}.jpg" for i in range(20)))
    images(tmp_path / "test", "0.jpg")
    listed(tmp_path / "train.csv", "id,breed", *(f"{i},{'ab'[i % 2]}" for i in range(20)))
    listed(tmp_path / "test.csv", "id,breed", "0,a", "1,b")
    raw = load(tmp_path)
    [row] = raw.splits["test"].to_pylist()
    assert row["id"]["path"] == str(tmp_path / "test" / "0.jpg")
    assert [(skip.reason, skip.count) for skip in raw.skips] == [
        ("the image file does not exist", 1)
    ]


def test_rows_to_predict_from_have_ids_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images(tmp_path, *(f"{i}.png" for i in range(20)))
    listed(tmp_path / "a.csv", "id,breed", *(f"{i},{'ab'[i % 2]}" for i in range(20)))
    data = pipeline(tmp_path / "a.csv")
    fitted = data.fit(data.load())
    table = data.from_file(pa.table({"id": ["7", "8"]}), fitted, tmp_path)
    assert [row["id"]["path"] for row in table.to_pylist()] == [
        str(tmp_path / "7.png"), str(tmp_path / "8.png"),
    ]  # fmt: skip
    monkeypatch.chdir(tmp_path.parent)
    table = data.from_file(pa.table({"id": ["7"]}), fitted, Path(tmp_path.name))
    assert [row["id"]["path"] for row in table.to_pylist()] == [str(tmp_path / "7.png")]


def test_a_text_that_names_no_image_is_no_column_of_images(tmp_path: Path) -> None:
    images(tmp_path, "x.png", "y.png")
    listed(tmp_path / "a.csv", "id,breed", *(f"{i},{'ab'[i % 2]}" for i in range(20)))
    with pytest.raises(DataError, match="No column holds images"):
        load(tmp_path / "a.csv")


@pytest.mark.parametrize(("off", "on"), [("0", "1"), ("0.0", "1.0"), ("-1", "1")])
def test_a_column_for_each_class_is_the_class(tmp_path: Path, off: str, on: str) -> None:
    images(tmp_path, *(f"{i}.jpg" for i in range(21)))
    rows = [",".join([f"{i}", *(on if i % 3 == k else off for k in range(3))]) for i in range(21)]
    listed(tmp_path / "a.csv", "id,ant,bee,cat", *rows)
    raw = load(tmp_path / "a.csv")
    assert labels(raw) == {f"{i}.jpg": ("ant", "bee", "cat")[i % 3] for i in range(21)}
    assert "classes, one a row" in next(n.why for n in raw.notes if n.column == "labels")


def test_columns_of_attributes_are_several_labels(tmp_path: Path) -> None:
    images(tmp_path / "img_align", *(f"{i}.jpg" for i in range(20)))
    rows = [f"{i}.jpg,{1 if i % 2 else -1},{1 if i % 3 else -1},-1" for i in range(20)]
    listed(tmp_path / "a.csv", "id,bald,young,hat", *rows)
    found = labels(load(tmp_path / "a.csv"))
    assert (found["1.jpg"], found["3.jpg"], found["0.jpg"]) == (["bald", "young"], ["bald"], [])


def test_the_list_of_the_classes_is_named_not_that_to_hand_in(tmp_path: Path) -> None:
    images(tmp_path / "images", "1.jpg", "2.jpg")
    listed(tmp_path / "sample_submission.csv", "id,ant", "3,0.5")
    listed(tmp_path / "train.csv", "id,ant", "1,0")
    with pytest.raises(DataError, match=r"but a list, train\.csv.*data\.path=\S+train\.csv"):
        pipeline(tmp_path, "image_folder").load()


def test_flags_behind_blanks_are_labels_as_roboflow_writes_them(tmp_path: Path) -> None:
    for split, count in (("train", 8), ("valid", 2), ("test", 2)):
        images(tmp_path / split, *(f"{i}.jpg" for i in range(count)))
        rows = [f"{i}.jpg, {i % 2}, {int(i % 3 == 0)}, 0" for i in range(count)]
        listed(tmp_path / split / "_classes.csv", "filename, cat, dog, bird", *rows)
    raw = load(tmp_path)
    assert raw.train["labels"].to_pylist() == [
        ["cat"] * (i % 2) + ["dog"] * (i % 3 == 0) for i in range(8)
    ]
    assert raw.splits["validation"].num_rows == 2


def test_the_fault_of_a_list_is_told_before_the_images_beside_it(tmp_path: Path) -> None:
    images(tmp_path, "0.jpg", "1.jpg")
    listed(tmp_path / "a.csv", "image,colour,shape", "0.jpg,red,round", "1.jpg,blue,long")
    beside = r"Which column holds the classes\?.*If the images are meant.*data\.kind=image_folder"
    with pytest.raises(DataError, match=beside):
        load(tmp_path)
    (tmp_path / "a.csv").unlink()
    with pytest.raises(DataError, match=r"local files are tables\. Set data\.kind to image_folder"):
        load(tmp_path)
