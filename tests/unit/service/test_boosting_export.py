"""Gradient boosting of a table's run, kept when it ends and exported; no network is trained."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from engine.artifacts.model_folder import write_exported, write_manifest
from engine.baselines import gradient_boosting
from engine.config.run_config import RunConfig
from engine.errors import RunError, TrainingError
from engine.files import atomic
from engine.files.paths import runs_folder
from engine.runs.boosting import BOOSTING
from engine.runs.directory import RunDirectory
from engine.service import export, predict, saved_predictions
from engine.service.model_source import exported_model
from engine.tasks.create import create_task
from engine.training.baselines import beside_baselines
from engine.training.material import Material

CLASSES, NUMBERS = "tabular_classification", "tabular_regression"
ROWS = 240


@dataclass
class Ended:
    """A run that ended, but for its network, and its data."""

    run: RunDirectory
    material: Material
    task: Any
    data: Path

    def export(self, target: Path, dtype: str = "") -> dict[str, Any]:
        return export.answer(self.run.id, str(target), "boosting", dtype)


def write_rows(path: Path, kind: str, seed: int = 0) -> None:
    random = np.random.default_rng(seed)
    x, colour = random.normal(size=ROWS).round(3), random.choice(["red", "green", "blue"], ROWS)
    y = x + (colour == "red") + 0.3 * random.normal(size=ROWS)
    target = np.where(y > 0, "yes", "no") if kind == CLASSES else y.round(3)
    table = pa.table({"id": [f"R{i}" for i in range(ROWS)], "x": x, "colour": colour, "y": target})
    pyarrow.csv.write_csv(table, path)


@pytest.fixture
def ended(
    home: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Ended:
    """Prepare the data, fit the baseline and keep it, as at the end of a training."""
    kind = getattr(request, "param", NUMBERS)
    data = tmp_path / "data.csv"
    write_rows(data, kind)
    monkeypatch.setattr(gradient_boosting, "_MAX_ROUNDS", 10)
    config = RunConfig.parse({
        "name": "rows", "task": {"kind": kind, "target": "y"}, "model": {"kind": "mlp"},
        "data": {"kind": "file", "path": str(data), "validation_fraction": 0.2,
                 "test_fraction": 0.2},
    })  # fmt: skip
    task = create_task(config)
    raw = task.pipeline.load()
    fitted: Any = task.pipeline.learn(raw)
    if kind == CLASSES:
        fitted = fitted.model_copy(update={"temperature": 3.0})  # of a network
    run = RunDirectory.create(runs_folder(), config)
    write_exported(run.model, task, fitted, lambda folder: None)
    material = Material(raw, fitted)
    report = beside_baselines(task, material, None, run.path / BOOSTING)
    atomic.write_json(run.report.path, {"metrics": {"test": {}}} | report)
    return Ended(run, material, task, data)


@pytest.mark.parametrize("ended", [CLASSES, NUMBERS], indirect=True)
def test_the_exported_folder_predicts_the_figures_of_the_results(
    ended: Ended, tmp_path: Path
) -> None:
    target = tmp_path / "boosting"
    answer = ended.export(target)
    known = ended.run.report.read()["baseline"]["metrics"]  # type: ignore[index]
    test = ended.material.raw.splits["test"]
    pyarrow.csv.write_csv(test, tmp_path / "test.csv")
    saved = saved_predictions.answer(str(target), str(tmp_path / "out.csv"),
                                     str(tmp_path / "test.csv"))  # fmt: skip
    assert saved["rows"] == test.num_rows
    out = pyarrow.csv.read_csv(tmp_path / "out.csv")
    truth = np.array(out["y"].to_pylist())
    if "accuracy" in known:
        assert (truth == np.array(out["label"].to_pylist())).mean() == known["accuracy"]
        chances = np.where(truth == "yes", out["score yes"].to_numpy(), out["score no"].to_numpy())
        assert -np.log(chances).mean() == pytest.approx(known["loss"], rel=1e-5)
    else:
        errors = out["value"].to_numpy() - truth
        assert np.sqrt((errors**2).mean()) == pytest.approx(known["rmse"], rel=1e-5)
        inside = (out["value 0.05"].to_numpy() < truth) & (truth < out["value 0.95"].to_numpy())
        assert 0.75 < inside.mean() <= 1
    name, value = next(iter(known.items()))
    assert answer["notes"] == [
        f"Its figures on the 48 test rows are those of the results ({name} {value:.4g})."
    ]
    assert answer["command"].startswith(f"dltui predict {target} --file")
    assert "not a pickle" in (target / "README.md").read_text()
    assert {path.suffix for path in target.iterdir()} <= {".json", ".md", ".safetensors", ".toml"}


def test_changed_and_missing_data_are_said(ended: Ended, tmp_path: Path) -> None:
    write_rows(ended.data, NUMBERS, seed=1)
    [note] = ended.export(tmp_path / "changed")["notes"]
    assert "now, not" in note
    assert "has changed since the training" in note
    ended.data.unlink()
    [note] = ended.export(tmp_path / "alone")["notes"]
    assert "cannot be read now" in note
    rows = [{"x": 1.0, "colour": "red"}, {"x": None, "colour": "mauve"}]
    with_data, without = (
        predict.answer(str(tmp_path / name), rows)["records"] for name in ("changed", "alone")
    )
    assert [list(record) for record in without] == [["value"], ["value"]]  # no bands
    assert [record["value"] for record in with_data] == [record["value"] for record in without]


def test_columns_of_a_new_file_are_checked_as_for_a_network(ended: Ended, tmp_path: Path) -> None:
    target = tmp_path / "boosting"
    ended.export(target)
    (tmp_path / "new.csv").write_text("x,colour\nmany,red\n1.5,mauve\n2,red\n")
    notes = predict.answer(str(target), file=str(tmp_path / "new.csv"))["notes"]
    assert {note["column"] for note in notes} == {"x", "colour"}
    (tmp_path / "less.csv").write_text("x\n1\n")
    with pytest.raises(Exception, match="has no column colour"):
        predict.answer(str(target), file=str(tmp_path / "less.csv"))


def test_a_run_without_trees_or_with_damaged_ones_is_refused(ended: Ended, tmp_path: Path) -> None:
    target = tmp_path / "boosting"
    with pytest.raises(TrainingError, match="--dtype"):
        ended.export(target, "float16")
    file = ended.run.path / BOOSTING
    whole = file.read_bytes()
    file.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    with pytest.raises(RunError, match="has changed since it was written"):
        ended.export(target)
    report = json.loads(ended.run.report.path.read_text())
    del report["baseline"]["sha256"]
    ended.run.report.path.write_text(json.dumps(report))
    file.write_bytes(whole[:100])
    with pytest.raises(RunError, match="cannot be read"):
        ended.export(target)
    file.unlink()
    with pytest.raises(RunError, match="keeps no gradient boosting"):
        ended.export(target)
    assert not target.exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".boosting")]


def test_a_folder_from_elsewhere_whose_parts_do_not_suit_each_other_is_refused(
    ended: Ended, tmp_path: Path
) -> None:
    target = tmp_path / "boosting"
    ended.export(target)
    state = json.loads((target / "fitted.json").read_text())
    state["features"]["numeric"].pop()
    (target / "fitted.json").write_text(json.dumps(state))
    with pytest.raises(RunError, match=r"fitted\.json has changed"):
        predict.answer(str(target), ["1"])
    write_manifest(target)
    with pytest.raises(RunError, match="is for other columns or classes"):
        predict.answer(str(target), ["1"])
    (target / "manifest.json").write_text("[]")
    with pytest.raises(RunError, match="is not an object"):
        predict.answer(str(target), ["1"])


def test_a_path_names_a_folder_and_a_name_a_run_first(
    ended: Ended, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended.export(tmp_path / "rows")
    assert exported_model("rows") == ended.run.model
    assert exported_model("./rows") == tmp_path / "rows"
    assert exported_model(str(tmp_path / "rows")) == tmp_path / "rows"
    (tmp_path / "rows").rename(tmp_path / "other")
    assert exported_model("other") == tmp_path / "other"
    with pytest.raises(RunError, match="There is no run"):
        exported_model("nothing")
    with pytest.raises(RunError, match=r"manifest\.json is missing"):
        exported_model("./nothing")
