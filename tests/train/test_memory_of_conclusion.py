"""Memory that one phase of a conclusion needed goes back before the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import RunConfig
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.training import conclusion


def test_what_a_phase_needed_is_returned_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(conclusion, "return_freed_memory", lambda: order.append("returned"))
    for name in ("_final_evaluations", "_gallery", "export", "beside_baselines"):
        own = getattr(conclusion, name)

        def noted(*arguments: Any, name: str = name, own: Any = own) -> Any:
            order.append(name)
            return own(*arguments)

        monkeypatch.setattr(conclusion, name, noted)
    config = RunConfig.model_validate({
        "name": "phases",
        "task": {"kind": "forecasting", "window": 24, "horizon": 12},
        "data": {"kind": "builtin", "name": "seasons"},
        "model": {"kind": "dlinear"},
        "train": {"max_steps": 2},
    })  # fmt: skip
    train(config, RunDirectory.create(tmp_path, config))
    assert order == [
        "returned", "_final_evaluations", "returned", "_gallery", "export", "returned",
        "beside_baselines",
    ]  # fmt: skip
