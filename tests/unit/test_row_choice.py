"""Rows that the configuration leaves out or moves: by name, and duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from engine.config.data.image_folder import ImageFolderConfig
from engine.config.run_config import RunConfig
from engine.data.load import load_texts
from engine.data.raw import RawData
from engine.data.row_choice import traced
from engine.data.tables.row_hashes import fingerprint, row_hashes
from engine.errors import ConfigError, DataError
from engine.pipelines.create import create_pipeline

ROWS = 200


def table(path: Path, rows: list[tuple[object, ...]], head: str = "a,b,target") -> Path:
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def some(count: int = ROWS) -> list[tuple[object, ...]]:
    return [(i / 7, i % 5, "yes" if i % 3 else "no") for i in range(count)]


def loaded(path: Path, task: str = "tabular_classification", **data: Any) -> RawData:
    values = {
        "task": {"kind": task},
        "data": {"kind": "file", "path": str(path)} | data,
        "model": {"kind": "mlp" if task.startswith("tabular") else "dlinear"},
    }
    return create_pipeline(RunConfig.parse(values)).load()


def all_rows(raw: RawData) -> list[dict[str, Any]]:
    return [row for part in raw.splits.values() for row in part.to_pylist()]


def test_a_named_row_is_left_out_and_counted(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", some())
    name = f"train:18:{fingerprint({'a': 17 / 7, 'b': 2, 'target': 'yes'})}"
    raw = loaded(path, drop_rows=[name])
    kept = all_rows(raw)
    assert len(kept) == ROWS - 1
    assert not [row for row in kept if abs(row["a"] - 17 / 7) < 1e-9]
    assert "1 row named in data.drop_rows left out of train" in [note.why for note in raw.notes]


@pytest.mark.parametrize(
    ("name", "why"),
    [("train:18:00000000", "row 18 of train is another row by now"),
     ("train:9999:00000000", "row 9,999 of train does not exist"),
     ("test:1:00000000", "row 1 of test does not exist")],
)  # fmt: skip
def test_a_row_that_has_changed_is_refused(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        loaded(table(tmp_path / "t.csv", some()), drop_rows=[name])


def test_a_text_that_names_no_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.drop_rows: 17 names no row"):
        loaded(tmp_path / "t.csv", drop_rows=["17"])


def test_dropped_duplicates_leave_each_row_once(tmp_path: Path) -> None:
    raw = loaded(table(tmp_path / "t.csv", some() + some(50)), duplicates="drop")
    kept = [tuple(row.values()) for row in all_rows(raw)]
    assert len(kept) == len(set(kept)) == ROWS
    assert any(note.rows == 50 and note.change == "data.duplicates" for note in raw.notes)


def test_duplicates_of_a_training_row_are_dropped_from_a_test_file(tmp_path: Path) -> None:
    table(tmp_path / "train.csv", some())
    table(tmp_path / "test.csv", [*some(3), (1e6, 1, "no")])
    raw = loaded(tmp_path, duplicates="drop", validation_fraction=0.0)
    assert raw.splits["test"].to_pylist() == [{"a": 1e6, "b": 1, "target": "no"}]
    assert raw.train.num_rows == ROWS


def test_duplicates_are_compared_without_ignored_columns(tmp_path: Path) -> None:
    rows = [(i, *row) for i, row in enumerate(some() + some(50))]
    path = table(tmp_path / "t.csv", rows, "number,a,b,target")
    assert len(all_rows(loaded(path, duplicates="drop"))) == ROWS + 50
    ignoring = loaded(path, duplicates="drop", columns={"number": "ignored"})
    assert len(all_rows(ignoring)) == ROWS


def test_moved_duplicates_are_in_the_training_split_alone(tmp_path: Path) -> None:
    raw = loaded(table(tmp_path / "t.csv", some() + some()), duplicates="train")
    train = {tuple(row.values()) for row in raw.train.to_pylist()}
    others = [tuple(row.values()) for name in ("validation", "test") if name in raw.splits
              for row in raw.splits[name].to_pylist()]  # fmt: skip
    assert not train & set(others)
    assert len(all_rows(raw)) == 2 * ROWS


def test_a_series_refuses_to_lose_steps(tmp_path: Path) -> None:
    path = table(tmp_path / "s.csv", [(f"2024-01-{i + 1:02}", i) for i in range(30)], "day,value")
    with pytest.raises(DataError, match=r"data\.duplicates does not apply to series"):
        loaded(path, "forecasting", duplicates="drop")


def test_the_numbers_of_rows_survive_the_cut_of_splits(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", some())
    with traced() as trace:
        raw = loaded(path)
    for part in raw.splits.values():
        rows, numbers = trace.taken_off(part)
        assert rows.column_names == ["a", "b", "target"]
        assert np.allclose(rows["a"].to_numpy(), numbers / 7)
        assert trace.names(numbers)[0].number == numbers[0] + 1
    assert loaded(path).train.column_names == ["a", "b", "target"]


def test_equal_rows_have_equal_hashes_in_any_chunks() -> None:
    texts = pa.array(["x", None, "x", "y"])
    whole = pa.table({"t": texts, "n": [1.0, -0.0, 1.0, 2.0], "l": [[1], [], [1], [1]]})
    hashes = row_hashes(whole)
    assert hashes[0] == hashes[2]
    assert len(set(hashes.tolist())) == 3
    cut = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    assert row_hashes(cut).tolist() == hashes.tolist()


def test_rows_of_a_folder_that_was_moved_are_known_again(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for kind in ("cat", "dog"):
        (first / kind).mkdir(parents=True)
        for row in range(3):
            Image.new("L", (4, 4), 40 * row).save(first / kind / f"{row}.png")
    config = ImageFolderConfig(path=str(first))
    with traced() as trace:
        load_texts(config)
    name = str(trace.names(np.array([1]))[0])
    first.rename(second)
    moved = config.model_copy(update={"path": str(second), "drop_rows": (name,)})
    kept = load_texts(moved).train["image"].to_pylist()
    assert [Path(path).relative_to(second).as_posix() for path in kept] == [
        "cat/0.png", "cat/2.png", "dog/0.png", "dog/1.png", "dog/2.png",
    ]  # fmt: skip


def test_a_fingerprint_knows_a_number_that_is_read_as_text() -> None:
    assert fingerprint({"a": 0.5, "b": True}) == fingerprint({"b": "true", "a": "0.50"})
    assert fingerprint({"a": 0.5}) != fingerprint({"a": 0.51})


def test_texts_that_are_written_otherwise_are_no_duplicates() -> None:
    hashes = row_hashes(pa.table({"t": ["7", "007", "7.0", "7"]}))
    assert len(set(hashes.tolist())) == 3


def test_large_whole_numbers_are_told_apart() -> None:
    hashes = row_hashes(pa.table({"id": [2**60, 2**60 + 1, 5, 5]}))
    assert len(set(hashes.tolist())) == 3
    assert row_hashes(pa.table({"n": [5]}))[0] == row_hashes(pa.table({"n": [5.0]}))[0]
