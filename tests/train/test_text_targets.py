"""Target metrics of shipped presets on real text data: the median of three seeds."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import pytest

from engine import train
from engine.config.presets import find_preset, load_preset

SEEDS = (0, 1, 2)
pytestmark = [pytest.mark.slow, pytest.mark.data, pytest.mark.timeout(7200)]


def metrics_of(preset: str, split: str, *assignments: str) -> dict[str, Any]:
    report = train(load_preset(find_preset(preset), list(assignments))).report.read() or {}
    metrics: dict[str, Any] = report["metrics"][split]
    return metrics


def median_of(metric: str, preset: str, split: str, *assignments: str) -> float:
    return median(
        metrics_of(preset, split, f"train.seed={seed}", *assignments)[metric] for seed in SEEDS
    )


def test_sentiment_by_a_trained_encoder(real_data: Path, encoder: Path) -> None:
    data, model = f"data.path={real_data / 'sst2'}", f"model.path={encoder}"
    assert median_of("accuracy", "sst2-minilm", "validation", data, model) >= 0.875


def test_sentiment_from_scratch(real_data: Path) -> None:
    data = f"data.path={real_data / 'sst2'}"
    assert median_of("accuracy", "sst2-scratch", "validation", data) >= 0.76


def test_names_in_tweets(real_data: Path, encoder: Path) -> None:
    data, model = f"data.path={real_data / 'wnut17'}", f"model.path={encoder}"
    assert median_of("f1", "wnut17-minilm", "test", data, model) >= 0.30


def test_answers_on_paragraphs_never_seen(real_data: Path, encoder: Path) -> None:
    places = (f"data.path={real_data / 'xquad.en.json'}", f"model.path={encoder}")
    still = ("train.max_steps=1", "train.learning_rate=1e-12")
    untrained = metrics_of("xquad-minilm", "test", *places, *still)["f1"]
    assert median_of("f1", "xquad-minilm", "test", *places) >= untrained + 0.1
