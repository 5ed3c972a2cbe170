"""Training images that were decoded to find mean and deviation are not decoded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from engine import RunConfig
from engine.batches.source import Source
from engine.tasks.create import create_task
from engine.vision import encoding
from engine.vision.decoded_rows import DecodedRows

CPU = torch.device("cpu")
SIZE = 8


def folder_of_images(folder: Path) -> list[Path]:
    """Twenty images of two classes, of the size that the network has."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, SIZE, SIZE, 3), np.uint8)
    files = [folder / "ab"[i % 2] / f"{i:02}.png" for i in range(20)]
    for file, own in zip(files, pixels, strict=True):
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(own).save(file)
    return files


def encoded_without_files(folder: Path) -> tuple[Source, Any]:
    """The training images, encoded after their files were overwritten with others."""
    config = RunConfig.parse({
        "task": {"kind": "image_classification", "image_size": SIZE},
        "data": {"kind": "image_folder", "path": str(folder)},
        "model": {"kind": "cnn"},
    })  # fmt: skip
    task = create_task(config)
    raw = task.pipeline.load()
    fitted = task.pipeline.learn(raw)
    for record in raw.train["image"].to_pylist():
        Image.new("RGB", (SIZE, SIZE)).save(record["path"])
    return task.encode(raw.train, fitted, CPU, lambda event: None), fitted


@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_measured_images_are_read_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    monkeypatch.setenv("DLTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(encoding, "_MEMORY_BYTES", memory)
    data = tmp_path / "data"
    data.mkdir()
    pixels = {str(file): np.asarray(Image.open(file)) for file in folder_of_images(data)}
    source, fitted = encoded_without_files(data)
    for batch in source.read(source.plan(4)):
        assert batch.rows is not None
        names = batch.rows["name"].to_pylist()
        expected = np.stack([pixels[name] / 255 for name in names])
        expected = (expected - fitted.mean) / fitted.std
        assert np.allclose(batch.inputs.permute(0, 2, 3, 1).numpy(), expected, atol=1e-5)


def test_decoded_rows_are_taken_once_and_of_their_own_table_alone() -> None:
    own, other = pa.table({"n": [1]}), pa.table({"n": [1]})
    decoded = DecodedRows()
    decoded.hold(own, {0: np.zeros((1, 1, 3), np.uint8)})
    assert not decoded.take(other)
    assert list(decoded.take(own)) == [0]
    assert not decoded.take(own)
