"""The form tells what a run costs as far as it is known before the estimate."""

from __future__ import annotations

import pytest

from engine.config.presets import find_preset, load_preset
from tui.format.known_at_once import length_of, needs_in_words

DOWNLOAD = "a download unless it is on this machine"


@pytest.mark.parametrize(
    ("changes", "length"),
    [
        ([], "20 epochs, batches of 64"),
        (["train.epochs=1"], "1 epoch, batches of 64"),
        (["train.max_steps=1200"], "1,200 updates, batches of 64"),
        (["train.max_minutes=30"], "20 epochs, 30 min at most, batches of 64"),
        (["train.batch_size=8"], "20 epochs, batches of 8"),
    ],
)
def test_the_length_of_a_run(changes: list[str], length: str) -> None:
    assert length_of(load_preset(find_preset("digits-cnn")).override(changes)) == length


def test_what_the_data_decides_is_left_open() -> None:
    assert length_of(load_preset(find_preset("table-classification"))) == ""


@pytest.mark.parametrize(
    ("preset", "needs"),
    [
        ("digits-cnn", ""),
        ("imdb-distilbert", "needs a download unless it is on this machine"),
        (
            "alpaca-smollm3-lora",
            "needs a download unless it is on this machine, a GPU for its size",
        ),
    ],
)
def test_what_a_run_needs(preset: str, needs: str) -> None:
    assert needs_in_words(load_preset(find_preset(preset))) == needs
