"""Target metrics of adapters on real data: close to those of full fine-tuning."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import train
from engine.config.presets import find_preset, load_preset
from engine.runs.directory import RunDirectory
from engine.runs.events import Model, decode

pytestmark = [pytest.mark.slow, pytest.mark.data, pytest.mark.timeout(7200)]


def trained(preset: str, data: Path, encoder: Path) -> RunDirectory:
    places = [f"data.path={data}", f"model.path={encoder}"]
    return train(load_preset(find_preset(preset), places))


def accuracy(run: RunDirectory) -> float:
    report = run.report.read() or {}
    return float(report["metrics"]["validation"]["accuracy"])


def trainable_share(run: RunDirectory) -> float:
    events = map(decode, run.events.path.read_text().splitlines())
    (model,) = (event for event in events if isinstance(event, Model))
    return model.trainable / model.parameters


def test_lora_reaches_what_the_whole_network_does(real_data: Path, encoder: Path) -> None:
    adapter = trained("sst2-minilm-lora", real_data / "sst2", encoder)
    assert trainable_share(adapter) < 0.05
    whole = trained("sst2-minilm", real_data / "sst2", encoder)
    assert accuracy(adapter) >= accuracy(whole) - 0.015
