"""Notes on rows of conversations count them as their file does, whatever was left out or cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config.run_config import RunConfig
from engine.hardware.device import Compute
from engine.reports.note_table import notes_in
from engine.runs.events import Data, Event
from engine.tasks.create import create_task
from engine.training.material import prepare

CPU = Compute(torch.device("cpu"), torch.float32, 1)
LONG = "z " * 200


def _notes(path: Path, task: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    config = {
        "task": {"max_length": 100, **task},
        "data": {"kind": "file", "path": str(path), "validation_fraction": 0.4},
        "model": {"kind": "transformer", "hidden_size": 32, "vocab_size": 300},
    }
    told: list[Event] = []
    prepare(create_task(RunConfig.parse(config)), CPU, told.append)
    [summary] = [event.summary for event in told if isinstance(event, Data)]
    return [note.why for note in notes_in(summary) if "(the first is row" in note.why]


@pytest.mark.parametrize("long", [4, 9, 15])
@pytest.mark.parametrize("task", ["causal_lm", "preference"])
def test_the_first_row_of_a_note_is_the_row_of_the_file(
    tmp_path: Path, task: str, long: int
) -> None:
    answer = "completion" if task == "causal_lm" else "chosen"
    rows = [{"prompt": f"{n}?", answer: f"answer {n}", "rejected": "no"} for n in range(20)]
    rows[1][answer] = ""  # left out before the splits are cut
    rows[long][answer] = LONG
    [told] = _notes(tmp_path / "a.jsonl", {"kind": task}, rows)
    assert f"(the first is row {long + 1})" in told
