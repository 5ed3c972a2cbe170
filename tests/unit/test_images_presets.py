"""The shipped presets on images can be loaded, and keep their settings."""

from __future__ import annotations

import pytest

from engine.config.presets import list_presets, load_preset
from engine.config.run_config import RunConfig

VISION = [preset for preset in list_presets() if preset.task == "image_classification"]


def test_there_are_presets_for_scratch_and_for_transfer() -> None:
    assert {"digits-cnn", "cifar10-cnn", "cifar10-resnet18"} <= {preset.name for preset in VISION}


@pytest.mark.parametrize("preset", VISION, ids=lambda preset: preset.name)
def test_a_preset_says_what_it_does_and_comes_back_unchanged(preset: object) -> None:
    config = load_preset(preset)  # type: ignore[arg-type]
    assert config.title
    assert RunConfig.parse(config.changes() | {"name": config.name}) == config
