"""Update the tables of README.md beside this file from the measurements in ``results``.

    python tests/benchmarks/page.py

A table stands between ``<!-- results/NAME.json -->`` and ``<!-- end -->``. A missing
measurement is marked as such; only the results of a GPU may be missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu_page

HERE = Path(__file__).parent
README = HERE / "README.md"
_TABLE = re.compile(r"<!-- results/([\w-]+)\.json -->\n.*?<!-- end -->", re.DOTALL)


Results = dict[str, dict[str, Any]]


def speed(results: Results) -> str:
    """Updates a second of every loop, relative to the bare loop."""
    loops = list(next(iter(results.values()))["updates_per_second"])
    lines = [f"| updates a second, against the bare loop | {' | '.join(loops)} |"]
    lines.append("|---" * (len(loops) + 1) + "|")
    for row, result in results.items():
        cells = [f"{result['against_bare'][loop]:.2f}" for loop in loops]
        cells[loops.index("bare")] = f"{result['updates_per_second']['bare']:,.0f}/s"
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def around(results: Results) -> str:
    """Ratios of the overhead around the updates."""
    lines = ["| | | ratio |", "|---|---|---|"]
    for measure, result in results.items():
        lines += [f"| {measure} | {row} | {r['ratio']:.2f} |" for row, r in result["rows"].items()]
    return "\n".join(lines)


def to_accuracy(results: Results) -> str:
    """Time of the updates, and the accuracy after them."""
    updates = next(iter(results.values()))["updates"]
    lines = [f"| SST-2, {updates} updates | seconds | accuracy |", "|---|---|---|"]
    for loop, result in results.items():
        lines.append(f"| {loop} | {result['seconds']:.1f} | {result['accuracy']:.3f} |")
    return "\n".join(lines)


def forecasts(results: Results) -> str:
    """Whole programs: processor time, memory and error of each."""
    lines = ["| | processor seconds | peak of memory | sMAPE |", "|---|---|---|---|"]
    for row, result in results.items():
        for program in ("dltui", "neuralforecast", "torch"):
            figures = result[program]
            name = f"{row}: {program}" if program != "torch" else "import torch alone"
            error = f"{figures['smape']:.1f}" if "smape" in figures else ""
            lines.append(
                f"| {name} | {figures['cpu_s']:.1f} | {figures['peak_mib']:,.0f} MiB | {error} |"
            )
    return "\n".join(lines)


def tuning(results: Results) -> str:
    """Whole programs that tune to a loss: updates, loss, processor time and memory of each."""
    lines = ["| | updates | loss | processor seconds | peak of memory |", "|---" * 5 + "|"]
    for program, figures in results.items():
        lines.append(
            f"| {program} | {figures['updates']:.0f} | {figures['loss']:.2f} "
            f"| {figures['cpu_s']:.1f} | {figures['peak_mib']:,.0f} MiB |"
        )
    return "\n".join(lines)


TABLES: dict[str, Callable[[Results], str]] = {
    "speed": speed,
    "around": around,
    "to": to_accuracy,
    "forecasts": forecasts,
    "tuning": tuning,
    "gpu": gpu_page.tables,
}
"""Functions that make a table, by the first word of the results file's name."""


def page(text: str, folder: Path = HERE / "results") -> str:
    """The text with each table updated from its file in ``folder``."""

    def table(found: re.Match[str]) -> str:
        name = found[1]
        path = folder / f"{name}.json"
        missing = name == "gpu" and not path.exists()
        results = {} if missing else json.loads(path.read_text())
        made = TABLES[name.partition("-")[0]](results)
        return f"<!-- results/{name}.json -->\n{made}\n<!-- end -->"

    return _TABLE.sub(table, text)


if __name__ == "__main__":
    README.write_text(page(README.read_text()))
