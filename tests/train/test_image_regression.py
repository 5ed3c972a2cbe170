"""Image regression from end to end: training, bands, prediction, export and reloading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
import transformers
from PIL import Image

from engine import RunConfig, train
from engine.artifacts.model_folder import load_exported
from engine.config.presets import find_preset, load_preset
from engine.runs.directory import RunDirectory
from engine.service import export, predict

CPU = torch.device("cpu")
SIDE = 24


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Images of several sizes and shapes with an age each."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    lines = ["file,age"]
    for number in range(48):
        draw = np.random.default_rng(number)
        age = int(draw.integers(10, 90))
        noise = draw.integers(-20, 20, (30 + number % 7, 40, 3))
        Image.fromarray((2 * age + noise).clip(0, 255).astype(np.uint8)).save(
            folder / f"{number}.png"
        )
        lines.append(f"{number}.png,{age}")
    (folder / "ages.csv").write_text("\n".join(lines))
    return folder


def configured(folder: Path, model: dict[str, Any], **changes: Any) -> RunConfig:
    return RunConfig.parse({
        "name": changes.pop("name", "ages"),
        "task": {"kind": "image_regression", "image_size": SIDE},
        "data": {"kind": "file", "path": str(folder / "ages.csv"),
                 "validation_fraction": 0.45},
        "model": model,
        "train": {"epochs": 2, "batch_size": 8, "learning_rate": 0.01},
        "compute": {"device": "cpu", "threads": 1},
    } | changes)  # fmt: skip


VIT = {"kind": "image_transformer", "patch_size": 8, "hidden_size": 16, "num_hidden_layers": 2}


def numbers(run: RunDirectory, folder: Path) -> list[float]:
    found = predict.answer(run.path.name, [str(folder / f"{n}.png") for n in range(5)])
    return [record["value"] for record in found["records"]]


def test_an_exported_transformer_gives_the_numbers_through_transformers_alone(
    photographs: Path,
) -> None:
    run = train(configured(photographs, VIT))
    theirs = transformers.AutoModelForImageClassification.from_pretrained(run.model).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(run.model)
    images = [Image.open(photographs / f"{number}.png") for number in range(5)]
    with torch.inference_mode():
        found = theirs(**processor(images, return_tensors="pt")).logits
    assert found.shape == (5, 1)
    assert found[:, 0].tolist() == pytest.approx(numbers(run, photographs), rel=1e-3)
    assert theirs.config.problem_type == "regression"
    assert theirs.config.id2label == {0: "age"}


def test_an_adapter_gives_the_numbers_through_peft_and_merged(
    photographs: Path, tmp_path: Path
) -> None:
    base = tmp_path / "vit"
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.ViTConfig(image_size=SIDE, patch_size=8, intermediate_size=32, **small)
    transformers.ViTForImageClassification(config).save_pretrained(base)
    model = {"kind": "image_transformer", "path": str(base)}
    run = train(configured(photographs, model, adapter={"method": "lora", "r": 4}))
    pixels = torch.rand(3, 3, SIDE, SIDE)
    auto = transformers.AutoModelForImageClassification
    with torch.inference_mode():
        ours = load_exported(run.model, CPU)[2](pixels)
        plain = auto.from_pretrained(base, num_labels=1, ignore_mismatched_sizes=True)
        through_peft = peft.PeftModel.from_pretrained(plain, run.model).eval()(pixels).logits
        target = tmp_path / "merged"
        export.answer(run.path.name, str(target), "merged")
        merged = auto.from_pretrained(target).eval()(pixels).logits
    assert ours.mean().item() == pytest.approx(50, abs=45), "in the units of the data"
    torch.testing.assert_close(through_peft, ours, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(merged, ours, atol=1e-3, rtol=1e-4)


def test_a_run_continues_from_numbers_that_were_learned(photographs: Path) -> None:
    first = train(configured(photographs, VIT))
    model = {"kind": "image_transformer", "path": str(first.model)}
    barely = {"max_steps": 1, "epochs": 1, "learning_rate": 1e-9}
    config = configured(photographs, model, name="again", train=barely)
    again = train(config)
    assert numbers(again, photographs) == pytest.approx(numbers(first, photographs), rel=1e-3)


def test_the_report_has_bands_a_baseline_and_the_largest_errors(photographs: Path) -> None:
    run = train(configured(photographs, {"kind": "cnn", "channels": [8]}))
    report = json.loads(run.report.path.read_text())
    assert {"r2", "rmse", "mae", "coverage"} <= report["metrics"]["test"].keys()
    assert report["baseline"]["name"] == "edges, colours and ridge regression"
    [record] = predict.answer(run.path.name, [str(photographs / "0.png")])["records"]
    assert record["value 0.05"] < record["value"] < record["value 0.95"]


@pytest.mark.slow
def test_the_diameter_of_discs_is_learned_with_the_shipped_preset() -> None:
    run = train(load_preset(find_preset("discs-cnn")))
    assert json.loads(run.report.path.read_text())["metrics"]["test"]["r2"] > 0.85
