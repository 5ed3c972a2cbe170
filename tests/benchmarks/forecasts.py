"""Whole programs that train N-HiTS on M4 hourly: processor seconds, peak memory and error.

    DLTUI_TEST_DATA=FOLDER python tests/benchmarks/forecasts.py --peer PYTHON [--rounds 3]

``PYTHON`` is the interpreter of an environment with neuralforecast. Both programs read the same
file, train the same sizes on as many windows in as many updates on one thread, evaluate every 500
updates, and forecast the test part; this one also fits bands, writes checkpoints, exports its model
and evaluates the season before. They take turns. Prints a table in Markdown and writes
``results/forecasts-cpu.json`` beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from page import forecasts
from speed import HERE, keep
from whole_program import measured

DATA = Path(os.environ.get("DLTUI_TEST_DATA", HERE.parents[2] / "shared" / "data"))
PEER = """
import sys
import pandas, torch
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MQLoss
from neuralforecast.models import NHITS
torch.set_num_threads(1)
table = pandas.read_parquet(sys.argv[1])
table = table.rename(columns={"series": "unique_id", "step": "ds", "value": "y"})
model = NHITS(
    h=48, input_size=336, mlp_units=[[256, 256]], n_pool_kernel_size=[2, 2, 1],
    n_freq_downsample=[4, 2, 1], loss=MQLoss(quantiles=[0.1, 0.5, 0.9]), scaler_type="standard",
    max_steps=int(sys.argv[2]), windows_batch_size=512, learning_rate=1e-3, val_check_steps=500,
    start_padding_enabled=True, accelerator="cpu", logger=False, enable_checkpointing=False,
    enable_progress_bar=False, random_seed=int(sys.argv[3]),
)
forecaster = NeuralForecast(models=[model], freq=1)
forecaster.fit(table[table.part == "train"].drop(columns="part"), val_size=48)
both = table[table.part == "test"].merge(forecaster.predict(), on=["unique_id", "ds"])
size = both.y.abs() + both["NHITS-median"].abs()
print("smape", (200 * (both.y - both["NHITS-median"]).abs() / size).mean())
"""
TORCH = "import torch"


def by_dltui(updates: int, seed: int, folder: str) -> dict[str, float]:
    """The figures of this program."""
    changes = [
        f"data.path={DATA / 'm4_hourly.parquet'}", f"train.max_steps={updates}", "name=run",
        f"train.seed={seed}", "compute.device=cpu", "compute.threads=1", "task.baseline_seconds=0",
    ]  # fmt: skip
    figures, _ = measured([sys.executable, "-m", "tui", "run", "m4-hourly-nhits", *changes], folder)
    [report] = Path(folder).glob("runs/*/report.json")
    return figures | {"smape": json.loads(report.read_text())["metrics"]["test"]["smape"]}


def by_peer(python: str, updates: int, seed: int, folder: str) -> dict[str, float]:
    """The figures of neuralforecast."""
    data = str(DATA / "m4_hourly.parquet")
    script = [python, "-W", "ignore", "-c", PEER]
    figures, output = measured([*script, data, str(updates), str(seed)], folder)
    [error] = [line for line in output.splitlines() if line.startswith("smape ")]
    return figures | {"smape": float(error.split()[1])}


def pair(python: str, updates: int, seed: int) -> dict[str, dict[str, float]]:
    """Both programs, one after the other, and a process that only imports torch."""
    with tempfile.TemporaryDirectory() as mine, tempfile.TemporaryDirectory() as theirs:
        return {
            "dltui": by_dltui(updates, seed, mine),
            "neuralforecast": by_peer(python, updates, seed, theirs),
            "torch": measured([sys.executable, "-c", TORCH], theirs)[0],
        }


def main() -> None:
    """Measure pairs and write their medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--peer", required=True, help="python of an environment with neuralforecast"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=1000)
    arguments = parser.parse_args()
    # A process begins with the peak of its parent, so this one imports torch only afterwards.
    pairs = [pair(arguments.peer, arguments.updates, seed) for seed in range(arguments.rounds)]
    found: dict[str, Any] = {
        name: {figure: median(each[name][figure] for each in pairs) for figure in pairs[0][name]}
        for name in pairs[0]
    }
    found["ratio"] = median(p["neuralforecast"]["cpu_s"] / p["dltui"]["cpu_s"] for p in pairs)
    from adapters import machine

    results = {f"N-HiTS, M4 hourly, {arguments.updates:,} updates": found | {"pairs": pairs}}
    print(forecasts(results))
    keep("forecasts-cpu", {"machine": machine("cpu") | {"threads": 1}}, results, list(results))


if __name__ == "__main__":
    main()
