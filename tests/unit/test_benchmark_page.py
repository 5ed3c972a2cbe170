"""The tables of the benchmarks contain the measured results, and mark missing ones."""

from __future__ import annotations

import importlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MARKED = "<!-- results/gpu.json -->\n<!-- end -->\n"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script that writes the tables, which is run from its own folder."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("page")


def written(folder: Path, parts: dict[str, list[dict[str, Any]]]) -> None:
    results = {
        "machine": {"card": "A card", "driver": "580.1", "torch": "2.11.0"},
        "parts": {name: {"seconds": 1.0, "rows": rows} for name, rows in parts.items()},
    }
    (folder / "gpu.json").write_text(json.dumps(results))


def test_the_readme_has_the_tables_of_the_results(page: Any) -> None:
    text = page.README.read_text()
    assert text.count("<!-- results/") > 3
    assert page.page(text) == text


def test_nothing_measured_on_a_gpu_reads_not_measured_in_every_row(
    page: Any, tmp_path: Path
) -> None:
    lines = page.page(MARKED, tmp_path).splitlines()
    rows = [
        line
        for above, line in pairwise(lines)
        if line.startswith("|") and above.startswith("|") and not line.startswith("|---")
    ]
    assert "Not measured on a GPU yet." in lines
    assert len(rows) > 25
    assert all("not measured" in row for row in rows)


def test_a_measured_row_has_its_figures_and_the_others_are_not_measured(
    page: Any, tmp_path: Path
) -> None:
    works = {"name": "forecasting", "ok": True, "resumed_at": 6, "seconds": 1.25}
    same = {"repeated_difference": 0.0, "resumed_difference": 2.5e-4}
    bits = {"name": "forecasting, deterministic on", **same}
    speed = {"name": "MLP", "updates_per_second": 1234.5}
    written(tmp_path, {"works": [works], "bits": [bits], "speed": [speed]})
    text = page.page(MARKED, tmp_path)
    assert "A card; driver 580.1, torch 2.11.0." in text
    assert "| forecasting | yes | 6 | 1.2 |" in text
    assert "| forecasting | not measured | not measured | yes | no, up to 2.5e-04 |" in text
    assert "| MLP | updates per second 1,234 |" in text
    assert "| causal lm | not measured |  |  |" in text


def test_errors_and_reasons_and_a_killed_part_are_shown(page: Any, tmp_path: Path) -> None:
    works = [
        {"name": "QLoRA", "skipped": "bitsandbytes is missing"},
        {"name": "LoRA", "error": "RuntimeError: a | b"},
        {"name": "works", "error": "killed after 100 s"},
    ]
    written(tmp_path, {"works": works, "bits": [{"name": "bits", "error": "killed after 55 s"}]})
    text = page.page(MARKED, tmp_path)
    assert "| QLoRA | skipped: bitsandbytes is missing |  |  |" in text
    assert "| LoRA | failed: RuntimeError: a \\| b |  |  |" in text
    assert "| works | failed: killed after 100 s |  |  |" in text
    assert "\nbits: failed: killed after 55 s\n" in text
