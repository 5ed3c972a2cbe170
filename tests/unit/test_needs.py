"""What an experiment needs beside the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.config.needs import needs_of
from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig

PRESETS = [
    ("digits-cnn", ()),
    ("adult-mlp", ("file",)),
    ("cifar10-cnn", ("download",)),
    ("alpaca-qwen3-lora", ("download",)),
    ("capybara-llama3-lora", ("download", "GPU")),
    ("capybara-mistral-qlora", ("download", "GPU")),
    ("food101-resnet50", ("download",)),
]


@pytest.mark.parametrize(("name", "needs"), PRESETS)
def test_presets_need(name: str, needs: tuple[str, ...]) -> None:
    assert needs_of(load_preset(find_preset(name))) == needs


def config(**sections: Any) -> RunConfig:
    values = {
        "task": {"kind": "text_classification"},
        "data": {"kind": "file", "path": "/data/a.csv"},
        "model": {"kind": "transformer"},
    }
    return RunConfig.parse(values | sections)


def test_weights_in_a_folder_need_no_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    model = {"kind": "transformer", "path": "weights"}
    assert needs_of(config(model=model)) == ()
    assert needs_of(config(model=model | {"path": "owner/name"})) == ("download",)


def test_quantized_weights_need_a_gpu() -> None:
    adapter = {"method": "lora", "quantization": "nf4"}
    model = {"kind": "transformer", "path": "owner/name"}
    assert needs_of(config(model=model, adapter=adapter)) == ("download", "GPU")


@pytest.mark.parametrize(
    ("name", "large"),
    [("a-0.6B", False), ("a-1b-it", True), ("a-30B-A3B", True), ("mit-b2", False)],
)
def test_the_size_is_read_from_the_name(name: str, large: bool) -> None:
    model = {"kind": "transformer", "path": f"owner/{name}"}
    assert ("GPU" in needs_of(config(model=model))) == large
