"""The task of a plug-in for version 0.1 loads and fits its data itself, and serves as before."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from engine.config.tasks.base import TaskConfig
from engine.data.fitted import Fitted
from engine.data.raw import TRAIN, RawData
from engine.pipelines.create import create_pipeline
from engine.reports.data_summary import DataSummary
from engine.tasks.create import create_task
from engine.tasks.task import Task


class OldFitted(Fitted):
    rows: int


class OldTask(Task[OldFitted]):
    fitted_type = OldFitted

    def load(self) -> RawData:
        return RawData({TRAIN: pa.table({"x": [1, 2, 3]})})

    def fit(self, raw: RawData) -> OldFitted:
        return OldFitted(rows=raw.train.num_rows)

    def summarize(self, raw: RawData, fitted: OldFitted) -> DataSummary:
        return DataSummary(source="old", rows={TRAIN: fitted.rows}, columns=())

    def inputs(self, fitted: OldFitted) -> tuple[str, ...]:
        return ("x",)

    encode = build_network = loss = evaluator = predict = None  # type: ignore[assignment]


class OldConfig(TaskConfig):
    kind: str = "old"
    implementation = f"{__name__}:OldTask"


def test_the_methods_of_an_old_task_are_its_pipeline(tmp_path: Path) -> None:
    config: Any = SimpleNamespace(task=OldConfig())
    for pipeline in (create_pipeline(config), create_task(config).pipeline):
        raw = pipeline.load()
        fitted = pipeline.fitted_type.model_validate_json(pipeline.fit(raw).model_dump_json())
        assert fitted == OldFitted(rows=3)
        assert pipeline.summarize(raw, fitted).rows == {TRAIN: 3}
        assert pipeline.inputs(fitted) == ("x",)
        assert pipeline.from_file(raw.train, fitted, tmp_path) is raw.train
        assert not pipeline.reads_texts
