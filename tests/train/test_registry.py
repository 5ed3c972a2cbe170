"""Every registered combination trains: found by walking the registries, not by a list here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine import train
from engine.artifacts.model_folder import load_exported
from engine.config.data.builtin import BUILTIN
from engine.config.data.registry import DATA
from engine.config.models.registry import MODELS
from engine.config.presets import Preset, list_presets, load_preset
from engine.config.run_config import RunConfig, fields_of
from engine.config.tasks.registry import TASKS
from engine.models.build import base_of
from engine.runs.directory import RunDirectory
from engine.runs.events import Finished
from engine.runs.follower import read_history
from engine.runs.status import State

Make = Callable[..., Any]

SMALL = {
    "task.max_new_tokens": 8,
    "model.hidden_size": 16,
    "model.num_hidden_layers": 1,
    "model.num_attention_heads": 2,
    "model.vocab_size": 300,
    "model.channels": [4, 4],
    "model.hidden": [8],
    "train.batch_size": 16,
    "train.max_steps": 2,
    "train.epochs": 1,
    "compute.device": "cpu",
    "compute.threads": 1,
}
"""Fields that shorten a run, if a combination has them."""

LONG = {"torchvision_detection": pytest.mark.slow}
COMBINATIONS = [
    pytest.param(task, model, data, id=f"{task}-{model}-{data}", marks=LONG.get(model, ()))
    for task in TASKS
    for model in TASKS[task].models
    for data, known in BUILTIN.items()
    if task in known.tasks and MODELS[model]().from_scratch
]
LOCAL = ("builtin",)
PRESETS = [preset for preset in list_presets() if preset.shipped]


def fewer_rows(task: str) -> dict[str, float]:
    """Fewer rows of the data, except of a series, which is cut into windows."""
    if TASKS[task].domain == "time series":
        return {}
    return {"max_samples": 400, "validation_fraction": 0.05, "test_fraction": 0.05}


def small(values: dict[str, Any]) -> RunConfig:
    known = fields_of(values)
    values["data"] |= fewer_rows(values["task"]["kind"])
    for name, value in SMALL.items():
        if name in known:
            section, key = name.split(".")
            values.setdefault(section, {})[key] = value
    return RunConfig.parse(values)


def assert_trained(run: RunDirectory) -> None:
    """The run made two updates, has metrics, and its model can be loaded."""
    history = read_history(run)
    assert run.status.state() is State.FINISHED
    assert isinstance(history.ending, Finished)
    assert history.ending.step == 2
    assert [value for value in history.ending.metrics.values() if value is not None]
    assert history.best is not None
    config = run.config.read()
    assert set(history.best.metrics) <= set(config.task.metric_names)
    _, _, network = load_exported(run.model, torch.device("cpu"))
    assert not network.training


def test_the_walk_finds_every_task_and_every_model() -> None:
    assert len(COMBINATIONS) >= 15
    tasks, models, data = (
        set(part) for part in zip(*(p.values for p in COMBINATIONS), strict=True)
    )
    new = {kind for kind in MODELS if MODELS[kind]().from_scratch}
    assert (tasks, models, data) == (set(TASKS), new, set(BUILTIN))
    assert set(MODELS) - new == {"foundation"}, "no weights of it are here; see test_foundation"


@pytest.mark.parametrize(("task", "model", "data"), COMBINATIONS)
def test_a_combination_trains_two_updates(task: str, model: str, data: str) -> None:
    values: dict[str, Any] = {
        "name": "walk",
        "task": {"kind": task},
        "model": {"kind": model},
        "data": {"kind": "builtin", "name": data},
    }
    assert_trained(train(small(values)))


def rows_in_a_file(folder: Path) -> dict[str, Any]:
    lines = [f"{number},{number * 7 % 10},{'ab'[number % 2]}" for number in range(60)]
    (folder / "rows.csv").write_text("x,y,label\n" + "\n".join(lines))
    return {"task": {"kind": "tabular_classification"}, "model": {"kind": "mlp"},
            "data": {"kind": "file", "path": str(folder / "rows.csv")}}  # fmt: skip


def images_in_folders(folder: Path) -> dict[str, Any]:
    for label in "ab":
        (folder / "images" / label).mkdir(parents=True)
        for number in range(20):
            pixels = np.full((8, 8, 3), number * 10 + (label == "b") * 40, np.uint8)
            Image.fromarray(pixels).save(folder / "images" / label / f"{number}.png")
    return {"task": {"kind": "image_classification"}, "model": {"kind": "cnn"},
            "data": {"kind": "image_folder", "path": str(folder / "images")}}  # fmt: skip


def images_with_masks(folder: Path) -> dict[str, Any]:
    for name in ("images", "masks"):
        (folder / "pairs" / name).mkdir(parents=True)
    for number in range(20):
        mask = np.zeros((32, 32), np.uint8)
        mask[number : number + 8, 4:20] = 1
        Image.fromarray(mask).save(folder / "pairs" / "masks" / f"{number}.png")
        Image.fromarray(mask * 200).save(folder / "pairs" / "images" / f"{number}.jpg")
    return {"task": {"kind": "semantic_segmentation"}, "model": {"kind": "unet"},
            "data": {"kind": "image_masks", "path": str(folder / "pairs")}}  # fmt: skip


def images_with_boxes(folder: Path) -> dict[str, Any]:
    (folder / "boxed").mkdir()
    for number in range(20):
        pixels = np.zeros((32, 32), np.uint8)
        pixels[number : number + 8, 4:20] = 200
        Image.fromarray(pixels).save(folder / "boxed" / f"{number}.png")
        line = f"0 {12 / 32} {(number + 4) / 32} 0.5 0.25\n"
        (folder / "boxed" / f"{number}.txt").write_text(line)
    return {"task": {"kind": "object_detection"}, "model": {"kind": "centernet"},
            "data": {"kind": "image_boxes", "path": str(folder / "boxed")}}  # fmt: skip


SOURCES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "file": rows_in_a_file,
    "image_folder": images_in_folders,
    "image_masks": images_with_masks,
    "image_boxes": images_with_boxes,
}


def test_every_source_that_needs_no_network_is_tried() -> None:
    assert set(DATA) == {*SOURCES, "builtin", "hub"}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_of_data_trains_two_updates(kind: str, tmp_path: Path) -> None:
    assert_trained(train(small(SOURCES[kind](tmp_path) | {"name": "walk"})))


def test_there_are_presets_that_need_nothing_but_the_program() -> None:
    alone = [preset for preset in PRESETS if load_preset(preset).data.kind in LOCAL]
    assert len(alone) >= 8
    assert {preset.task for preset in alone} == set(TASKS)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_trains_two_updates(preset: Preset) -> None:
    changes = ["train.max_steps=2", "train.epochs=1", "train.gradient_accumulation_steps=1",
               "train.batch_size=16", "compute.device=cpu",
               "compute.precision=float32", "compute.threads=1"]  # fmt: skip
    rows = [f"data.{name}={value}" for name, value in fewer_rows(preset.task).items()]
    if "task.max_new_tokens" in fields_of(load_preset(preset).values()):
        changes.append("task.max_new_tokens=8")
    config = load_preset(preset, changes + rows)
    if config.data.kind not in LOCAL:
        pytest.skip(f"its data is not part of the program ({config.data.kind})")
    if base_of(config.model):
        pytest.skip(f"its weights are not part of the program ({base_of(config.model)})")
    assert_trained(train(config))
