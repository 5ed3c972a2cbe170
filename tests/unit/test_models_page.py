"""The table of docs/models.md says what each type of model did in each task."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "train"
REFUSAL = "model.path: /tmp/some/tiny lacks\nweights [1] | of its body"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script that writes the page, which is run from its own folder."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("models_page")


def outcome(task: str, kind: str, network: str, adapter: str = "", reason: str = "") -> Any:
    return {"task": task, "kind": kind, "network": network, "adapter": adapter, "reason": reason}


def page_of(script: Any, folder: Path, *outcomes: Any) -> list[str]:
    path = folder / "outcomes.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in outcomes))
    return str(script.page(script.read(path))).splitlines()


def test_each_type_has_a_row_with_what_it_did_in_each_task(script: Any, tmp_path: Path) -> None:
    lines = page_of(
        script,
        tmp_path,
        outcome("causal_lm", "gpt", "trains", "trains"),
        outcome("causal_lm", "opt", "refused", reason="opt is too bad"),
        outcome("seq2seq", "t5", "refused", reason="t5 is too bad"),
        outcome("text_classification", "gpt", "trains", "refused", "no layer"),
        outcome("token_classification", "bert", "refused", reason=REFUSAL),
        outcome("question_answering", "bert", "not tried", reason="no layer"),
        outcome("torchvision", "resnet", "trains", "fails", "too bad"),
    )
    assert "| gpt | no adapter [2](#notes) |  |  |  |  | yes |  |  |  |  |  |" in lines
    assert (
        "| bert |  |  |  | refused [1](#notes) | not tried [2](#notes) |  |  |  |  |  |  |" in lines
    )
    assert "| resnet | fails with adapter [4](#notes) |" in lines
    notes = lines[lines.index("## Notes") + 2 :]
    assert notes[0] == r"1. model.path: the model lacks weights \[1\] \| of its body"
    assert notes[1:4] == ["2. no layer", "3. … is too bad", "4. too bad"]
    assert "| text classes | 0 | 1 | 0 | 0 | 0 | 0 |" in lines
    assert "| images, torchvision | 0 | 0 | 0 | 0 | 1 | 0 |" in lines


def test_the_later_outcome_of_a_type_counts(script: Any, tmp_path: Path) -> None:
    failed = outcome("causal_lm", "gpt", "fails", reason="once")
    lines = page_of(script, tmp_path, failed, outcome("causal_lm", "gpt", "trains", "trains"))
    assert "| gpt |  |  |  |  |  | yes |  |  |  |  |  |" in lines
    assert "once" not in "\n".join(lines)
