"""What cannot be learned of conversations is shown with its row: before a run and in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config.run_config import RunConfig
from engine.hardware.device import Compute
from engine.reports.note import Note
from engine.reports.note_table import notes_in
from engine.runs.events import Data, Event, Log
from engine.service import data_check
from engine.service.preview import preview
from engine.tasks.create import create_task
from engine.training.material import prepare

CPU = Compute(torch.device("cpu"), torch.float32, 1)
LONG = "far " * 90


def values_of(path: Path, rows: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    path.write_text("\n".join(map(json.dumps, rows)))
    return {
        "task": {"kind": kind, "max_length": 40, "chat_template": "roles"},
        "data": {"kind": "file", "path": str(path), "test_fraction": 0, "validation_fraction": 0},
        "model": {"kind": "transformer", "hidden_size": 8, "num_hidden_layers": 1,
                  "num_attention_heads": 1, "vocab_size": 300},
        "compute": {"device": "cpu", "threads": 1},
    }  # fmt: skip


@pytest.fixture(params=["causal_lm", "preference"])
def values(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The second row is left out when the data is read, and the third as its answer is too long."""
    answers = ["one", "", LONG, "two", "three"]
    if request.param == "causal_lm":
        rows = [{"prompt": "Say it.", "completion": text} for text in answers]
    else:
        rows = [{"prompt": "Say it.", "chosen": text, "rejected": "no"} for text in answers]
    return values_of(tmp_path / "rows.jsonl", rows, request.param)


def too_long(notes: list[Note]) -> Note:
    [found] = [note for note in notes if "task.max_length" in note.why]
    return found


def test_a_run_the_form_and_the_check_tell_the_same_row(values: dict[str, Any]) -> None:
    events: list[Event] = []
    prepare(create_task(RunConfig.parse(values)), CPU, events.append)
    [of_run] = [event.summary for event in events if isinstance(event, Data)]
    told = too_long(notes_in(of_run))
    assert told.why.startswith("train: 1 ")
    assert "(the first is row 3)" in told.why
    assert (told.rows, told.kind) == (1, "dropped")
    assert not [event for event in events if isinstance(event, Log) and event.level == "warning"]
    assert too_long(notes_in(preview(values)["summary"])) == told
    assert too_long(notes_in(data_check.answer(values)["data"])) == told
    assert any("empty" in note.why for note in notes_in(data_check.answer(values)["data"]))


def test_the_check_has_all_notes_of_the_form(tmp_path: Path) -> None:
    rows = [{"prompt": "Say it.", "completion": text} for text in ("one", "two", "three", "four")]
    values = values_of(tmp_path / "rows.jsonl", rows, "causal_lm")
    values["data"]["validation_fraction"] = 0.25
    shown = notes_in(preview(values)["summary"])
    assert any("metrics on validation are uncertain" in note.why for note in shown)
    assert notes_in(data_check.answer(values)["data"]) == shown


def test_the_check_tells_how_a_table_was_read(tmp_path: Path) -> None:
    """A decimal comma, and a row without a target."""
    path = tmp_path / "homes.csv"
    lines = [f"{size};{size},5" for size in range(40)]
    path.write_text("\n".join(["size;price", *lines, "41;"]))
    values = {
        "task": {"kind": "tabular_regression", "target": "price"}, "model": {"kind": "mlp"},
        "data": {"kind": "file", "path": str(path)},
    }  # fmt: skip
    shown = notes_in(preview(values)["summary"])
    assert {"dropped", "converted"} <= {note.kind for note in shown}
    assert notes_in(data_check.answer(values)["data"]) == shown


def test_findings_stand_where_nothing_can_be_learned(tmp_path: Path) -> None:
    path = tmp_path / "homes.csv"
    path.write_text("\n".join(["size,kind", *(f"{size // 2},flat" for size in range(40))]))
    values = {
        "task": {"kind": "tabular_classification", "target": "kind"}, "model": {"kind": "mlp"},
        "data": {"kind": "file", "path": str(path)},
    }  # fmt: skip
    answer = data_check.answer(values)
    assert "duplicates" in {finding["kind"] for finding in answer["findings"]}
    [note] = notes_in(answer["data"])
    assert "flat" in note.why
