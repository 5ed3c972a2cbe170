"""Tables larger than memory are stored on the disk, in unnamed files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.config.run_config import RunConfig
from engine.data import on_disk
from engine.data.on_disk import Rows, end_to_end, mapped, table_of
from engine.data.readers import base
from engine.data.readers.base import read_file
from engine.data.readers.reading import ReadOptions
from engine.errors import DataError
from engine.pipelines.create import create_pipeline

TABLE = pa.table({
    "text": [f"text {number}" for number in range(1000)],
    "tags": [[number] * (number % 3) for number in range(1000)],
})  # fmt: skip
PIECES = pa.concat_tables([TABLE.slice(0, 300), TABLE.slice(300, 1), TABLE.slice(301)])
SHUFFLED = np.random.default_rng(0).permutation(1000)[:700]


def held() -> int:
    return int(pa.total_allocated_bytes())


@pytest.mark.parametrize("limit", [0, 1 << 30], ids=["on the disk", "in memory"])
@pytest.mark.parametrize(
    "rows",
    [SHUFFLED, np.sort(SHUFFLED), np.array([5, 999, 5]), np.array([], np.int64)],
    ids=["shuffled", "rising", "repeated", "none"],
)
def test_rows_come_as_they_are_asked_for(
    rows: Any, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_disk, "LARGE", limit)
    monkeypatch.setattr(on_disk, "WINDOW", 64)
    assert Rows(PIECES).take(rows).to_pydict() == TABLE.take(pa.array(rows)).to_pydict()


def test_many_rows_take_no_memory_and_leave_no_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_disk, "LARGE", 1000)
    before = held()
    taken = Rows(PIECES).take(SHUFFLED)
    assert held() == before
    assert taken.num_rows == 700
    assert list((home / "cache" / "tables").iterdir()) == []


def test_a_table_goes_to_the_disk_when_it_has_grown_too_large(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_disk, "LARGE", 1000)
    before = held()
    made = table_of(PIECES.to_batches(), TABLE.schema)
    assert held() == before
    assert made.to_pydict() == TABLE.to_pydict()
    assert list((home / "cache" / "tables").iterdir()) == []


@pytest.mark.parametrize("limit", [0, 1 << 30], ids=["on the disk", "in memory"])
def test_numbers_are_put_one_after_the_other(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_disk, "LARGE", limit)
    row = end_to_end([np.arange(3, dtype=np.int32), np.arange(2, dtype=np.int32)])
    assert row.tolist() == [0, 1, 2, 0, 1]
    assert isinstance(row, np.memmap) == (limit == 0)


def test_a_large_parquet_file_is_mapped_with_its_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = TABLE.replace_schema_metadata({"huggingface": "{}"})
    pq.write_table(noted, tmp_path / "rows.parquet", row_group_size=100)
    monkeypatch.setattr(base, "LARGE", 0)
    before = held()
    table = read_file(tmp_path / "rows.parquet", ReadOptions()).table
    assert held() == before
    assert table.to_pydict() == TABLE.to_pydict()
    assert table.schema.metadata[b"huggingface"] == b"{}"


def test_a_place_where_nothing_can_be_written_is_named(home: Path) -> None:
    home.mkdir()
    (home / "cache").write_text("in the way")
    with pytest.raises(DataError, match=r"Cannot write .*cache/tables.*DLTUI_HOME"):
        mapped(TABLE.to_batches(), TABLE.schema)


def test_a_task_sees_the_same_rows_wherever_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"text": [f"film {n}" for n in range(500)] + [""], "label": [n % 2 for n in range(501)]}
    pq.write_table(pa.table(rows), tmp_path / "films.parquet")
    config = RunConfig.parse({
        "task": {"kind": "text_classification"},
        "data": {"kind": "file", "path": str(tmp_path / "films.parquet")},
        "model": {"kind": "transformer"},
    })  # fmt: skip
    in_memory = create_pipeline(config).load()
    for module in (on_disk, base):
        monkeypatch.setattr(module, "LARGE", 0)
    on_the_disk = create_pipeline(config).load()
    for split, table in in_memory.splits.items():
        assert on_the_disk.splits[split].to_pydict() == table.to_pydict()
