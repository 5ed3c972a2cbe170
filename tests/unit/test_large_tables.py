"""Tables larger than memory give the same rows, labels and batches as small ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from engine.batches import memory_mapped
from engine.batches.memory_mapped import MappedSource
from engine.batches.source import epoch_plan
from engine.config.data.columns import ColumnSetting
from engine.config.data.file import FileConfig
from engine.data import on_disk, splits
from engine.data.on_disk import evenly, filled, put_aside, selected
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.data.readers import files
from engine.data.splits import cut_splits
from engine.data.tables.columns import detect_columns
from engine.data.tables.features import encode_rows, fit_features
from engine.text.classes.labels import labels_of, named_column

CPU = torch.device("cpu")


def numbers(count: int) -> pa.Table:
    return pa.table({"row": np.arange(count), "half": np.arange(count) / 2})


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (on_disk, files):
        monkeypatch.setattr(module, "LARGE", 1 << 12)


def source(count: int) -> MappedSource:
    rows = np.arange(count)
    return MappedSource({"numeric": rows[:, None].astype(np.float32)}, rows, CPU)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_mapped, "_PIECE", 4)
    monkeypatch.setattr(memory_mapped, "_POOL", 3)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("count", [1, 2, 11, 12, 13, 100, 101, 120])
@pytest.mark.parametrize("batch_size", [1, 5, 10, 1000])
def test_an_epoch_has_every_row_once_in_batches_of_one_size(count: int, batch_size: int) -> None:
    made = source(count)
    plan = epoch_plan(made, batch_size, seed=3, epoch=1)
    batches = list(made.read(plan))
    rows = torch.cat([batch.targets for batch in batches])
    assert sorted(rows.tolist()) == list(range(count))
    sizes = [len(batch.targets) for batch in batches]
    # A single left-over row joins the batch before it, as with every source.
    assert sizes == [len(part) for part in super(MappedSource, made).plan(batch_size)]
    assert sizes == list(map(len, plan))
    assert torch.equal(torch.cat([b.inputs["numeric"][:, 0] for b in batches]).long(), rows)


@pytest.mark.usefixtures("small_pieces")
def test_epochs_differ_and_each_can_be_gone_on_with_from_anywhere() -> None:
    made = source(100)
    first, second = (epoch_plan(made, 7, seed=3, epoch=epoch) for epoch in (0, 1))
    assert torch.cat(list(first)).tolist() != torch.cat(list(second)).tolist()
    whole = [batch.targets.tolist() for batch in made.read(first)]
    again = epoch_plan(made, 7, seed=3, epoch=0)
    assert [batch.targets.tolist() for batch in made.read(again, 9)] == whole[9:]
    assert [rows.tolist() for rows in again[9:]] == whole[9:]
    assert again[-1].tolist() == whole[-1]


def test_rows_that_lie_together_are_read_in_one_part_of_an_epoch() -> None:
    count = 3 * memory_mapped._PIECE * memory_mapped._POOL
    order = torch.cat(list(epoch_plan(source(count), 4096, seed=0, epoch=0)))
    place = torch.empty(count, dtype=torch.int64)
    place[order] = torch.arange(count)
    parts = place // (memory_mapped._PIECE * memory_mapped._POOL)
    pieces = parts.view(-1, memory_mapped._PIECE)
    assert (pieces == pieces[:, :1]).all()
    assert len(pieces[:, 0].unique()) == 3
    assert (order[1:] - order[:-1] == 1).float().mean() < 0.01


def test_rows_in_order_are_not_shuffled() -> None:
    plan = source(25).plan(10)
    assert torch.cat(list(plan)).tolist() == list(range(25))


@pytest.mark.usefixtures("small_memory")
def test_marked_rows_come_from_the_disk_as_they_would_from_memory() -> None:
    table = pa.concat_tables([numbers(300), numbers(500)])
    chosen = np.arange(800) % 7 == 3
    assert selected(table, chosen).equals(table.filter(pa.array(chosen)))
    assert selected(numbers(3), np.array([True, False, True])).column("row").to_pylist() == [0, 2]
    assert selected(table, np.zeros(800, bool)).num_rows == 0
    assert put_aside(numbers(5)).equals(numbers(5))


@pytest.mark.parametrize(("count", "most"), [(10, 10), (10, 9), (10, 3), (1000, 7)])
def test_some_rows_are_spread_evenly(count: int, most: int) -> None:
    rows = np.array(evenly(numbers(count), most)["row"])
    assert len(rows) <= most
    assert rows[0] == 0
    assert len(np.unique(np.diff(rows))) == 1


@pytest.mark.parametrize("apart", [False, True])
def test_an_array_is_the_same_wherever_it_lies(apart: bool, home: Path) -> None:
    pieces = [np.arange(6).reshape(2, 3), np.ones((1, 3), int)]
    made = filled((3, 3), np.int64, iter(pieces), apart)
    assert np.array_equal(made, np.concatenate(pieces))
    assert isinstance(made, np.memmap) == apart
    assert filled((3, 0), np.int64, iter([np.empty((3, 0), int)]), apart).shape == (3, 0)
    left = list((home / "cache" / "tables").glob("*")) if apart else []
    assert not left


@pytest.mark.parametrize(
    "values",
    [
        ["a", " b ", "", None, "a"],
        [1.0, 2.5, float("nan"), None],
        [3, 1, None, 3],
        [True, False, None],
        ["a", "b"],
    ],
)
def test_labels_in_a_column_are_those_in_a_list(values: list[Any]) -> None:
    table = pa.table({"label": pa.chunked_array([pa.array(values), pa.array(values[:1])])})
    assert named_column(table, "label").to_pylist() == labels_of(table, "label")


def test_numbers_of_classes_have_their_names_in_a_column(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"label": datasets.ClassLabel(names=["no", "yes"])})
    rows = datasets.Dataset.from_dict({"label": [1, 0, -1, None]}, features)
    path = tmp_path / "rows.parquet"
    rows.to_parquet(path)
    assert named_column(pq.read_table(path), "label").to_pylist() == ["yes", "no", None, None]


def cut(count: int, **options: Any) -> RawData:
    config = FileConfig.model_validate({"kind": "file", "path": "x", **options})
    return cut_splits(RawData({TRAIN: numbers(count)}), config)


def rows_of(raw: RawData) -> dict[str, list[int]]:
    return {name: table["row"].to_pylist() for name, table in raw.splits.items()}


def test_many_rows_are_cut_by_chance_into_their_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "_MANY", 1000)
    monkeypatch.setattr(splits, "_AT_ONCE", 512)
    raw = cut(20_000, test_fraction=0.1, validation_fraction=0.2)
    made = rows_of(raw)
    assert sorted(row for part in made.values() for row in part) == list(range(20_000))
    shares = {name: len(part) / 20_000 for name, part in made.items()}
    assert shares == pytest.approx({TEST: 0.1, VALIDATION: 0.2, TRAIN: 0.7}, abs=0.02)
    assert all(part == sorted(part) for part in made.values())
    assert rows_of(cut(20_000, test_fraction=0.1, validation_fraction=0.2)) == made
    other = rows_of(cut(20_000, test_fraction=0.1, validation_fraction=0.2, split_seed=1))
    assert other[TEST] != made[TEST]
    assert any("rows (10%) were set aside for test" in note.why for note in raw.notes)


def test_of_many_rows_no_more_are_used_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "_MANY", 1000)
    made = rows_of(cut(20_000, max_samples=1500))
    assert 1300 < len(made[TRAIN]) <= 1500
    assert len(set(made[TRAIN]) & set(made[TEST])) == 0
    assert max(made[TRAIN]) > 19_000
    assert set(rows_of(cut(20_000, test_fraction=0, validation_fraction=0))) == {TRAIN}


@pytest.mark.usefixtures("small_memory")
def test_shards_that_are_large_together_lie_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = []
    monkeypatch.setattr(files, "put_aside", lambda table: aside.append(table) or put_aside(table))
    for number in range(4):
        pq.write_table(numbers(100 + number), tmp_path / f"rows-{number}.parquet")
    raw = files.load_files(FileConfig(path=str(tmp_path)))
    assert raw.train.num_rows == 406
    assert [table.num_rows for table in aside] == [102, 103]


@pytest.mark.parametrize("apart", [False, True])
def test_rows_are_encoded_alike_in_windows_and_at_once(
    apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    table = pa.table({
        "size": random.normal(size=90),
        "colour": np.array(["red", "green", "blue"])[random.integers(0, 3, 90)],
        "day": [f"2024-{i % 12 + 1:02d}-{i % 28 + 1:02d}" for i in range(90)],
        "grade": pa.array([1e9] * 45 + [2.5, None, 1e9] * 15),
    })  # fmt: skip
    columns = detect_columns(table, {"grade": ColumnSetting("categorical")})
    features = fit_features(table, columns, "auto")
    whole = encode_rows(features, table)
    monkeypatch.setattr("engine.data.tables.features.ENCODED", 7)
    parts = encode_rows(features, table, apart)
    for one, other in zip(whole, parts, strict=True):
        assert np.array_equal(one, other)
    assert (whole[1][:, -1] > 0).all(), "no category of the training rows is strange"


def test_a_counter_is_one_among_some_of_its_rows_too() -> None:
    table = pa.table({"nr": np.arange(0, 3000, 10), "x": np.arange(300) % 7})
    kinds = {column.name: column.reason for column in detect_columns(table, apart=10)}
    assert kinds == {"nr": "counts the rows", "x": ""}
