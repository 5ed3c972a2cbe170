"""Segmentation and detection as runs: adapters, exports, predictions of files, and how good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from engine import RunConfig, train
from engine.artifacts.model_folder import load_exported
from engine.config.presets import list_presets, load_preset
from engine.data.builtin.shapes import shapes
from engine.reports.picture import read_pictures
from engine.runs.directory import RunDirectory
from engine.runs.events import Log, SamplePictures, Samples
from engine.runs.follower import read_history
from engine.service import export, predict, saved_predictions

CPU = torch.device("cpu")
DATA = {"kind": "builtin", "name": "shapes", "max_samples": 40, "validation_fraction": 0.02,
        "test_fraction": 0.02}  # fmt: skip
SEGFORMER = {"kind": "segmentation_transformer", "hidden_size": 8, "num_hidden_layers": 1}
RT_DETR = {"kind": "detection_transformer", "hidden_size": 16, "num_attention_heads": 2,
           "num_hidden_layers": 1}  # fmt: skip
MODELS = {"semantic_segmentation": SEGFORMER, "object_detection": RT_DETR}
CLASSES = {
    "semantic_segmentation": transformers.SegformerForSemanticSegmentation,
    "object_detection": transformers.RTDetrForObjectDetection,
}


def run(task: str, model: dict[str, Any], **sections: Any) -> RunDirectory:
    values = {
        "name": "annotated", "task": {"kind": task}, "model": model, "data": DATA,
        "train": {"max_steps": 2, "batch_size": 8, "learning_rate": 1e-3},
        "compute": {"device": "cpu", "threads": 1},
    }  # fmt: skip
    return train(RunConfig.parse(values | sections))


def warnings_of(run: RunDirectory) -> list[str]:
    logs = [event for event in run.events.newest(Log) if isinstance(event, Log)]
    return [log.message for log in logs if log.level == "warning"]


@pytest.mark.parametrize(
    "task", ["semantic_segmentation", pytest.param("object_detection", marks=pytest.mark.slow)]
)
def test_a_transformer_is_exported_adapted_and_merged(task: str, tmp_path: Path) -> None:
    whole = run(task, MODELS[task])
    assert warnings_of(whole) == []
    plain = CLASSES[task].from_pretrained(whole.model)
    assert list(plain.config.id2label.values())[-1] == "triangle"
    noted = json.loads((whole.model / "preprocessor_config.json").read_text())
    assert hasattr(transformers, noted["image_processor_type"])
    assert noted["size"] == {"height": 64, "width": 64}
    adapted = run(
        task, {"kind": MODELS[task]["kind"], "path": str(whole.model)},
        adapter={"method": "lora", "r": 2},
    )  # fmt: skip
    assert warnings_of(adapted) == []
    answer = export.answer(adapted.id, str(tmp_path / "merged"), "merged")
    assert answer["difference"] < 1e-4
    merged = CLASSES[task].from_pretrained(tmp_path / "merged").eval()
    _, _, network = load_exported(adapted.model, CPU)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = network(images) if task == "object_detection" else {"logits": network(images)}
        theirs = merged(pixel_values=images).logits
    if task == "semantic_segmentation":
        theirs = torch.nn.functional.interpolate(theirs, size=(64, 64), mode="bilinear")
    torch.testing.assert_close(ours["logits"], theirs, atol=1e-4, rtol=1e-4)


def test_samples_of_both_tasks_tell_what_was_found_and_what_is_there() -> None:
    masks = run("semantic_segmentation", {"kind": "unet", "channels": [4]})
    boxes = run("object_detection", {"kind": "centernet", "channels": [4, 4]})
    for own, name in ((masks, "mean IoU"), (boxes, "outcome")):
        sample = own.events.last(Samples)
        assert isinstance(sample, Samples)
        assert {"image", "predicted", "label", name} == set(sample.items[0])
        assert any(kind in sample.items[0]["label"] for kind in ("circle", "square", "triangle"))
        # Predictions are painted at each evaluation, the truth once.
        true = own.events.last(SamplePictures)
        assert isinstance(true, SamplePictures)
        names = [item["image"] for item in sample.items]
        for records in (sample.pictures, true.pictures):
            assert [one.name for one in read_pictures(records)] == names
        assert sample.pictures[0]["rgb"] != true.pictures[0]["rgb"]


def test_results_of_both_tasks_have_intervals_and_a_verdict() -> None:
    masks = run("semantic_segmentation", {"kind": "unet", "channels": [4]})
    boxes = run("object_detection", {"kind": "centernet", "channels": [4, 4]})
    for own, metric, name in ((masks, "miou", "every pixel"), (boxes, "map", "most frequent")):
        report = own.report.read() or {}
        [(split, intervals)] = report["intervals"].items()
        low, high = intervals[metric]
        assert low <= high
        assert split in report["metrics"]
        assert name in report["verdict"]["text"]


@pytest.mark.parametrize(
    ("task", "model", "part"),
    [
        ("semantic_segmentation", {"kind": "unet", "channels": [4]}, "segments"),
        ("object_detection", {"kind": "centernet", "channels": [4, 4]}, "objects"),
    ],
)
@pytest.mark.parametrize("form", ["onnx", pytest.param("program", marks=pytest.mark.slow)])
def test_small_networks_predict_files_and_are_exported(
    task: str, model: dict[str, Any], part: str, form: str, tmp_path: Path
) -> None:
    own = run(task, model)
    assert export.answer(own.id, str(tmp_path / "model"), form)["difference"] < 1e-4
    _, fitted, _ = load_exported(own.model, CPU)
    assert fitted.image == "image"  # type: ignore[attr-defined]
    picture = shapes().train["image"][0].as_py()["bytes"]
    (tmp_path / "new.png").write_bytes(picture)
    (tmp_path / "list.csv").write_text("image\nnew.png\nnew.png\n")
    found = predict.predict_file(own.id, str(tmp_path / "list.csv"))
    assert [record["width"] for record in found.records] == [64, 64]
    assert part in found.records[0]
    answer = predict.answer(own.id, [str(tmp_path / "new.png")])
    assert answer["records"][0]["image"].endswith("new.png, 64×64 px")
    [whole] = predict.answer(own.id, [str(tmp_path / "new.png")], presented=False)["records"]
    assert (whole["image"], whole["width"]) == (str(tmp_path / "new.png"), 64)
    saved_predictions.answer(own.id, str(tmp_path / "out.jsonl"), rows=[str(tmp_path / "new.png")])
    assert json.loads((tmp_path / "out.jsonl").read_text()) == whole


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("name", "metric"), [("shapes-unet", "miou"), ("shapes-centernet", "map50")]
)
def test_drawn_shapes_are_found_in_minutes(name: str, metric: str) -> None:
    preset = next(preset for preset in list_presets() if preset.name == name)
    finished = train(load_preset(preset, ["compute.device=cpu"]))
    ending = read_history(finished).ending
    report = finished.report.read()
    assert ending is not None
    assert report is not None
    assert report["metrics"]["test"][metric] >= 0.9
    assert report["seconds"] <= 300
