"""The page beside an exported model says what the folder has and what the model reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.artifacts.model_card import write_card
from engine.config.run_config import RunConfig
from engine.data.image_levels import Levels
from engine.pipelines.text_classification import TextClassificationFitted
from engine.vision.fitted import ImageFitted

CONFIG = RunConfig.parse(
    {
        "task": {"kind": "text_classification"},
        "data": {"kind": "file", "path": "news.csv"},
        "model": {"kind": "transformer"},
    }
)


def page(folder: Path, text_pair: str = "", described: bool = True) -> str:
    fitted = TextClassificationFitted(
        text="body", text_pair=text_pair, label="topic", classes=["a", "b"], counts=[1, 1],
        multi_label=False, max_length=96,
    )  # fmt: skip
    write_card(folder, CONFIG, fitted, {}, described)
    return (folder / "README.md").read_text()


@pytest.mark.parametrize("exact", [True, False])
def test_preparation_of_images_is_described(tmp_path: Path, exact: bool) -> None:
    fitted = ImageFitted(
        image="image", label="label", classes=["a", "b"], counts=[1, 1], multi_label=False,
        channels=1, size=32, resize="crop", mean=[0.25], std=[0.125], sizes={},
        levels=Levels(integer=(0, 4095), exact=exact),
    )  # fmt: skip
    write_card(tmp_path, CONFIG, fitted, {}, True)
    text = (tmp_path / "README.md").read_text()
    assert (
        "It reads the middle square of an image, resized to 32×32 px: grey from 0 (black)" in text
    )
    assert "less 0.2500, divided by 0.1250." in text
    assert ("4,095 is white" in text) == exact


@pytest.mark.parametrize("described", [True, False])
def test_a_configuration_is_named_where_the_folder_has_it(tmp_path: Path, described: bool) -> None:
    text = page(tmp_path, described=described)
    assert ("config.toml" in text) == described
    assert "was trained with dltui." in text


def test_the_texts_are_named_in_their_order_with_the_longest_input(tmp_path: Path) -> None:
    assert "It reads the column `body`: up to 96 tokens." in page(tmp_path)
    both = page(tmp_path, text_pair="title")
    assert "It reads the column `body`, then `title`: up to 96 tokens." in both
