"""Adapters are listed from the small files beside their weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.files.paths import runs_folder
from engine.runs.adapters import list_adapters
from engine.runs.directory import RunDirectory

SAVED = {
    "base_model_name_or_path": "org/base",
    "peft_type": "LORA",
    "r": 4,
    "target_modules": ["value", "query"],
    "use_dora": False,
    "use_rslora": False,
}


def run_with(name: str, saved: Any, weights: int | None = 100) -> RunDirectory:
    values = {
        "name": name,
        "task": {"kind": "text_classification"},
        "data": {"kind": "builtin", "name": "docstrings"},
        "model": {"kind": "transformer", "path": "org/base"},
        "adapter": {"method": "lora"},
    }
    run = RunDirectory.create(runs_folder(), RunConfig.parse(values))
    run.model.mkdir()
    text = saved if isinstance(saved, str) else json.dumps(saved)
    (run.model / "adapter_config.json").write_text(text)
    if weights is not None:
        (run.model / "adapter_model.safetensors").write_bytes(bytes(weights))
    return run


def test_an_adapter_tells_base_method_rank_targets_and_size() -> None:
    run = run_with("one", SAVED)
    [adapter] = list_adapters(runs_folder())
    assert adapter.run.id == run.id
    assert (adapter.base, adapter.method, adapter.r) == ("org/base", "lora", 4)
    assert adapter.targets == ("query", "value")
    assert (adapter.size, adapter.problem) == (100, "")


@pytest.mark.parametrize("method", ["dora", "rslora"])
def test_the_relatives_of_lora_are_distinguished(method: str) -> None:
    run_with("one", SAVED | {f"use_{method}": True})
    assert [adapter.method for adapter in list_adapters(runs_folder())] == [method]


def test_adapters_of_a_base_stand_together_the_newest_first() -> None:
    for name, base in (("a", "x"), ("b", "y"), ("c", "x")):
        run_with(name, SAVED | {"base_model_name_or_path": base})
    found = [(adapter.base, adapter.run.name) for adapter in list_adapters(runs_folder())]
    assert found == [("x", "c"), ("x", "a"), ("y", "b")]


def test_runs_without_an_adapter_are_left_out() -> None:
    run = run_with("one", SAVED)
    (run.model / "adapter_config.json").unlink()
    assert list_adapters(runs_folder()) == []


@pytest.mark.parametrize(
    ("saved", "weights"), [("{", 100), ("[1]", 100), (SAVED, None)], ids=["cut", "list", "bare"]
)
def test_a_damaged_adapter_is_listed_with_its_problem(saved: Any, weights: int | None) -> None:
    run_with("good", SAVED)
    run_with("bad", saved, weights)
    problems = {adapter.run.name: adapter.problem for adapter in list_adapters(runs_folder())}
    assert not problems["good"]
    assert problems["bad"]


def test_a_pattern_is_shown_as_the_only_target() -> None:
    run_with("one", SAVED | {"target_modules": ".*query"})
    assert list_adapters(runs_folder())[0].targets == (".*query",)


def test_listing_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from engine.runs.adapters import list_adapters; "
        f"list_adapters(Path({str(tmp_path)!r})); "
        "sys.exit('torch' in sys.modules or 'peft' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
