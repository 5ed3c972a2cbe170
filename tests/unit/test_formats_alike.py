"""A table means the same in whatever format it is written, trained on or predicted from."""

from __future__ import annotations

import json
import random
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.config.run_config import RunConfig
from engine.data.readers.later import read_later
from engine.data.readers.reading import ReadOptions
from engine.data.tables.features import encode_rows
from engine.pipelines.create import create_pipeline
from engine.pipelines.tables.fitted import TabularFitted
from engine.pipelines.tabular import TabularPipeline

ROWS = 120
FORMATS = ("csv", "tsv", "jsonl", "parquet")
START = datetime(2023, 1, 1)


def table() -> dict[str, list[Any]]:
    """Return columns of all types, by name."""
    draw = random.Random(18)
    makes = {
        "whole": lambda: draw.choice([None, 3, 4, 50, 1000]),
        "number": lambda: round(draw.gauss(0, 3), 3),
        "small": lambda: draw.choice([1e-7, 2.5e12, 0.1]),
        "truth": lambda: draw.choice([True, False, None]),
        "day": lambda: date(2023, 1, 1) + timedelta(draw.randrange(400)),
        "moment": lambda: START + timedelta(minutes=draw.randrange(400_000)),
        "clock": lambda: time(draw.randrange(24), draw.randrange(60)),
        "zone": lambda: draw.choice(["01", "02", "010"]),
        "name": lambda: draw.choice(["red", "Blue", "NA", "x,y", 'q"q']),
        "number_of_account": lambda: draw.choice([2**53 + 1, 2**53, 12]),
        "y": lambda: round(draw.random(), 3),
    }
    return {name: [make() for _ in range(ROWS)] for name, make in makes.items()}


def write(folder: Path, format: str) -> Path:
    """Write the table as the usual libraries do."""
    path, rows = folder / f"rows.{format}", table()
    if format == "parquet":
        pq.write_table(pa.table(rows), path)
    elif format == "jsonl":
        lines = (dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True))
        path.write_text("".join(json.dumps(line, default=str) + "\n" for line in lines))
    else:
        frame = pd.DataFrame(rows).astype({"whole": "Int64"})
        frame.to_csv(path, index=False, sep="," if format == "csv" else "\t")
    return path


@pytest.mark.parametrize("trained", FORMATS)
def test_rows_encode_alike_from_every_format(tmp_path: Path, trained: str) -> None:
    pipeline = create_pipeline(RunConfig.parse({
        "task": {"kind": "tabular_regression", "target": "y"},
        "data": {"kind": "file", "path": str(write(tmp_path, trained))},
        "model": {"kind": "mlp"},
    }))  # fmt: skip
    assert isinstance(pipeline, TabularPipeline)
    fitted = pipeline.learn(pipeline.load())
    assert isinstance(fitted, TabularFitted)
    names = pipeline.inputs(fitted)
    assert set(names) == set(table()) - {"y"}
    encoded = []
    for format in (trained, *FORMATS):
        options = ReadOptions(as_written=pipeline.reads_texts)
        read = read_later(write(tmp_path, format), options, "", fitted.file_format, names).table
        assert list(pipeline.unfit(read, fitted)) == []
        encoded.append(encode_rows(fitted.features, read))
    for numbers, codes in encoded[1:]:
        np.testing.assert_allclose(numbers, encoded[0][0], atol=1e-5)
        np.testing.assert_array_equal(codes, encoded[0][1])


def test_truth_values_in_words_and_as_numbers_in_several_files_are_one_column(
    tmp_path: Path,
) -> None:
    for name, (true, false) in {"a": ("True", "False"), "b": ("1", "0")}.items():
        rows = [f"{true if place % 3 else false},{place % 7},x{place % 2}" for place in range(40)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["vip,x,y", *rows]) + "\n")
    pipeline = create_pipeline(RunConfig.parse({
        "task": {"kind": "tabular_classification", "target": "y"},
        "data": {"kind": "file", "path": str(tmp_path)}, "model": {"kind": "mlp"},
    }))  # fmt: skip
    raw = pipeline.load()
    fitted = pipeline.learn(raw)
    assert isinstance(fitted, TabularFitted)
    told = {note.why for note in pipeline.summarize(raw, fitted).notes if note.column == "vip"}
    assert told == {"true is read as 1, false as 0"}
    rows = pa.table({"vip": ["True", "1", "false", "0"], "x": ["0"] * 4})
    numbers, _ = encode_rows(fitted.features, rows)
    place = [column.name for column in fitted.features.columns].index("vip")
    assert numbers[0, place] == numbers[1, place] > numbers[2, place] == numbers[3, place]
