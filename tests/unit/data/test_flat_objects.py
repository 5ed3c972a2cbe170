"""Objects in tables of JSON and Parquet are a column for each of their values."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from engine.config.run_config import RunConfig
from engine.data.image_record import IMAGE_RECORD
from engine.data.raw import TRAIN, RawData
from engine.data.tables.flat_objects import flat_objects, flat_row, flat_table
from engine.pipelines.create import create_pipeline
from engine.pipelines.tabular import TabularPipeline
from engine.service.predict import table_of

ROWS = [
    {"id": 1, "user": {"age": 3, "place": {"lat": 0.5}}, "y": "a"},
    {"id": 2, "user": {"age": None, "place": None}, "y": "b"},
    {"id": 3, "user": None, "y": "a"},
]


def test_values_of_objects_are_columns_in_their_place() -> None:
    assert flat_table(pa.Table.from_pylist(ROWS)).to_pydict() == {
        "id": [1, 2, 3],
        "user.age": [3, None, None],
        "user.place.lat": [0.5, None, None],
        "y": ["a", "b", "a"],
    }


def test_a_note_names_the_columns_of_objects() -> None:
    [note] = flat_objects(RawData({TRAIN: pa.Table.from_pylist(ROWS)})).notes
    assert note.column == "user"
    assert note.why == "its objects are read as 2 columns: user.age, user.place.lat"


def test_images_names_that_are_taken_and_many_names_stay_as_they_are() -> None:
    many = pa.struct([(str(number), pa.int64()) for number in range(201)])
    table = pa.table({
        "image": pa.array([{"bytes": b"", "path": "x"}], IMAGE_RECORD),
        "user": pa.array([{"age": 3}]), "user.age": [4], "none": pa.array([{}], pa.struct([])),
        "many": pa.array([{"7": 1}], many),
    })  # fmt: skip
    raw = RawData({TRAIN: table})
    assert flat_objects(raw) is raw


def test_rows_by_hand_may_have_objects() -> None:
    assert flat_row(ROWS[0]) == {"id": 1, "user.age": 3, "user.place.lat": 0.5, "y": "a"}
    inputs = ("user.age", "user.place.lat")
    typed = table_of([{"user": {"age": 3, "place": {"lat": 0.5}}}], inputs)
    assert typed.to_pylist() == [{"user.age": 3, "user.place.lat": 0.5}]
    assert table_of([{"user.age": 3}], inputs)["user.age"].to_pylist() == [3]


@pytest.mark.parametrize("kind", ["tabular_classification", "tabular_regression"])
def test_tables_learn_from_objects_and_take_them_in_later_files(tmp_path: Path, kind: str) -> None:
    rows = [
        {"user": {"age": number * 0.37 % 5, "name": "ab"[number % 2]}, "y": number % 2}
        for number in range(40)
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = RunConfig.parse({
        "task": {"kind": kind, "target": "y"}, "model": {"kind": "mlp"},
        "data": {"kind": "file", "path": str(path), "columns": {"user.name": "categorical"}},
    })  # fmt: skip
    pipeline = create_pipeline(config)
    assert isinstance(pipeline, TabularPipeline)
    fitted = pipeline.fit(pipeline.load())
    names = pipeline.inputs(fitted)
    assert sorted(names) == ["user.age", "user.name"]
    later = pipeline.arranged(pa.Table.from_pylist(rows[:3]), names)
    assert set(names) <= set(later.column_names)
