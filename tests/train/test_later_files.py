"""A later file is read like the data that a model was trained on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine import RunConfig, train
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.service import predict
from tests.unit.data.workbooks import save, sheet

Made = Callable[..., RunDirectory]


@pytest.fixture
def forecast(tmp_path: Path) -> Made:
    """Trains briefly on a series in a file."""

    def made(rows: str, **data: str) -> RunDirectory:
        path = tmp_path / "series.csv"
        path.write_text(rows)
        config = RunConfig.parse({
            "task": {"kind": "forecasting", "window": 6, "horizon": 2, "targets": ["sales"]},
            "data": {"kind": "file", "path": str(path)} | data,
            "model": {"kind": "dlinear"},
            "train": {"epochs": 1},
            "compute": {"device": "cpu", "threads": 1},
        })  # fmt: skip
        return train(config, RunDirectory.create(runs_folder(), config))

    return made


def test_a_series_is_continued_from_the_file_that_it_was_learned_from(forecast: Made) -> None:
    years = "".join(f"{1900 + i},{i % 7 + 0.5}\n" for i in range(80))
    run = forecast(f"year,sales\n{years}")
    records = predict.answer(run.id, file=run.config.read().data.path)["records"]  # type: ignore[attr-defined]
    assert [record["year"] for record in records] == [1980, 1981]


def test_gaps_and_the_rows_of_the_future_are_no_mistakes_in_a_later_file(forecast: Made) -> None:
    days = [f"2023-{1 + i // 28:02}-{1 + i % 28:02},{i % 7 + 0.5}" for i in range(84)]
    run = forecast("day,sales\n" + "\n".join(days[:27]) + "\n")
    path = Path(run.config.read().data.path)  # type: ignore[attr-defined]
    later = [*days[:9], f"{days[9].split(',')[0]},n/a", *days[10:20]]
    later += [f"{day.split(',')[0]}," for day in days[20:22]]
    path.write_text("day,sales\n" + "\n".join(later) + "\n")
    records = predict.answer(run.id, file=str(path))["records"]
    assert [record["day"] for record in records] == ["2023-01-21", "2023-01-22"]


@pytest.mark.parametrize("header", ["", "column_1,column_2\n"])
def test_a_file_without_header_is_read_like_the_training_data(tmp_path: Path, header: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("".join(f"{i % 9 + 0.5},{i % 2}\n" for i in range(60)))
    run = trained_on(path, {})
    assert run.config.read().data.header == "auto"  # type: ignore[attr-defined]
    new = tmp_path / "new.csv"
    new.write_text(header.replace(",column_2", "") + "1.5\n3.5\n4.5\n")
    assert len(predict.answer(run.id, file=str(new))["records"]) == 3


def test_a_later_file_may_have_another_delimiter_and_the_same_format(tmp_path: Path) -> None:
    path = tmp_path / "rows.dat"
    path.write_text("a;b;y\n" + "".join(f"{i % 9},{i % 5};{i};{i % 2}\n" for i in range(60)))
    run = trained_on(path, {"delimiter": ";", "format": "csv"}, target="y")
    for name, text in (("u.dat", "a;b\n1,5;2\n"), ("u.csv", "a,b\n1,2\n")):
        new = tmp_path / name
        new.write_text(text)
        assert len(predict.answer(run.id, file=str(new))["records"]) == 1


def test_numbers_of_formats_that_have_such_need_no_decimal_comma(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = [f"{i * 37 % 900},{i:03}5;1.{i + 100},25;{'ab'[i % 2]};{i % 2}" for i in range(60)]
    path.write_text("a;b;c;y\n" + "\n".join(rows) + "\n")
    run = trained_on(path, {}, target="y")
    (tmp_path / "comma.csv").write_text("a;b;c\n435,941;1.102,25;a\n2,5;1.150,25;b\n")
    new = [{"a": 435.941, "b": 1102.25, "c": "a"}, {"a": 2.5, "b": 1150.25, "c": "b"}]
    (tmp_path / "new.json").write_text(json.dumps(new))
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, new)))
    declared = "@relation r\n@attribute a real\n@attribute b real\n@attribute c {a,b}\n@data\n"
    (tmp_path / "new.arff").write_text(declared + "435.941,1102.25,a\n2.5,1150.25,b\n")
    cells: list[list[Any]] = [["a", "b", "c"], *[list(row.values()) for row in new]]
    save(tmp_path / "new.xlsx", {"x": sheet(cells)})
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        connection.execute("CREATE TABLE t (a, b, c)")
        connection.executemany("INSERT INTO t VALUES (:a, :b, :c)", new)
        connection.commit()
    written = predict.answer(run.id, file=str(tmp_path / "comma.csv"))
    assert not written["notes"]
    for name in ("new.json", "new.jsonl", "new.arff", "new.xlsx", "new.db"):
        found = predict.answer(run.id, file=str(tmp_path / name))
        assert (found["records"], found["notes"]) == (written["records"], []), name


def trained_on(path: Path, data: dict[str, str], **task: str) -> RunDirectory:
    config = RunConfig.parse({
        "task": {"kind": "tabular_classification"} | task,
        "data": {"kind": "file", "path": str(path)} | data,
        "model": {"kind": "mlp", "hidden": [4]},
        "train": {"epochs": 1},
        "compute": {"device": "cpu", "threads": 1},
    })  # fmt: skip
    return train(config, RunDirectory.create(runs_folder(), config))
