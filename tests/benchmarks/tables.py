"""The shipped presets of tables against gradient boosting, over ten tables and three seeds.

    DLTUI_TEST_DATA=FOLDER python tests/benchmarks/tables.py [--rows N] [--seeds N]

Presets are changed in data and target alone; the seed is that of the splits (70/15/15) and of the
training. Boosting is scikit-learn's HistGradientBoosting on the network's own inputs and splits,
with its defaults and with random settings, of which the best on the validation split counts.
Scores are those of the test split. Finished cells are kept in ``results/tables.json`` and not
computed again;
prints tables in Markdown. One thread: an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from engine import train
from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.data.tables.schema import Features
from engine.tasks.create import create_task

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results" / "tables.json"
METHODS = ("tabm", "hgb", "trials")
_MAX_CODES = 255


@dataclass(frozen=True)
class Table:
    """A table, its target, and the columns that are left out."""

    file: str
    target: str
    classes: bool
    ignored: tuple[str, ...] = ()


TABLES = {
    "German credit": Table("tables/credit_german.csv", "class", True),
    "abalone": Table("tables/abalone.csv", "Rings", False),
    "spambase": Table("tables/spambase.csv", "58", True),
    "California housing": Table("tables/california_housing.csv", "median_house_value", False),
    "elevators": Table("tables/elevators.csv", "y", False),
    "bike sharing": Table(
        "tables/bike_sharing_hour.csv", "cnt", False, ("instant", "casual", "registered")
    ),
    "Adult": Table("adult.csv", "income", True),
    "diamonds": Table("tables/diamonds.csv", "price", False),
    "credit default": Table("tables/default_credit_card_clients.csv", "default", True),
    "bank marketing": Table("tables/bank_marketing.csv", "Class", True),
}


def some_rows(table: Table, data: Path, most: int, folder: Path) -> Path:
    """Write at most ``most`` rows of a table, drawn at random, always the same; as they are."""
    lines = (data / table.file).read_text().splitlines(keepends=True)
    chosen = np.sort(np.random.default_rng(0).permutation(len(lines) - 1)[:most])
    path = folder / Path(table.file).name
    path.write_text(lines[0] + "".join(lines[1 + row] for row in chosen))
    return path


def configured(table: Table, path: Path, seed: int) -> RunConfig:
    """Return the shipped preset with this table's data and target."""
    assignments = [
        "data.kind=file",
        f"data.path={path}",
        f"task.target={table.target}",
        "data.test_fraction=0.15",
        "data.validation_fraction=0.15",
        f"data.split_seed={seed}",
        f"train.seed={seed}",
        *[f"task.ignore={','.join(table.ignored)}"] * bool(table.ignored),
    ]
    preset = "table-classification" if table.classes else "table-regression"
    return load_preset(find_preset(preset), assignments)


Split = tuple[NDArray[np.float64], NDArray[Any]]


def encoded(config: RunConfig) -> tuple[dict[str, Split], list[int]]:
    """Return the network's inputs and targets of each split, and the places of categories."""
    task = create_task(config)
    raw = task.pipeline.load()
    fitted = task.pipeline.learn(raw)
    splits = {}
    for name, rows in raw.splits.items():
        source = task.encode(rows, fitted, torch.device("cpu"), lambda event: None)
        [batch] = source.read([torch.arange(len(source))])
        inputs = [batch.inputs[kind].numpy() for kind in ("numeric", "categorical")]
        splits[name] = np.concatenate(inputs, axis=1).astype(np.float64), batch.targets.numpy()
    return splits, categories(fitted.features)


def categories(features: Features) -> list[int]:
    """Return the places of the categories that scikit-learn takes as such."""
    sizes = [feature.cardinality for feature in features.categorical]
    return [len(features.numeric) + i for i, size in enumerate(sizes) if size <= _MAX_CODES]


def random_setting(random: np.random.Generator) -> dict[str, Any]:
    """Draw the settings of one trial."""
    return {
        "learning_rate": float(10 ** random.uniform(-2, np.log10(0.3))),
        "max_leaf_nodes": round(2 ** random.uniform(3, 7)),
        "min_samples_leaf": round(10 ** random.uniform(np.log10(2), 2)),
        "l2_regularization": float(10 ** random.uniform(-4, 1)),
        "max_features": float(random.uniform(0.3, 1)),
        "max_iter": 500,
    }


def boosted(table: Table, config: RunConfig, trials: int) -> dict[str, Any]:
    """Return test scores of boosting with defaults and of the best of some trials."""
    splits, places = encoded(config)
    kind = HistGradientBoostingClassifier if table.classes else HistGradientBoostingRegressor
    usual = kind(categorical_features=places, random_state=0)
    usual.fit(*splits["train"])
    random = np.random.default_rng(config.train.seed)
    found = []
    for _ in range(trials):
        setting = random_setting(random)
        model = kind(categorical_features=places, random_state=0, early_stopping=True,
                     n_iter_no_change=20, **setting)  # fmt: skip
        validation = splits["validation"]
        model.fit(*splits["train"], X_val=validation[0], y_val=validation[1])
        found.append(
            (float(model.score(*validation)), float(model.score(*splits["test"])), setting)
        )
    best = max(found, key=lambda one: one[0])
    return {"hgb": float(usual.score(*splits["test"])), "trials": best[1], "setting": best[2]}


def measured(table: Table, config: RunConfig, trials: int) -> dict[str, Any]:
    """Return the scores of one table and seed."""
    metric = "accuracy" if table.classes else "r2"
    report = train(config).report.read() or {}
    with threadpool_limits(1):
        other = boosted(table, config, trials)
    return {"tabm": float(report["metrics"]["test"][metric]), **other}


def medians(cells: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return each method's median over the seeds."""
    return {method: median(cell[method] for cell in cells.values()) for method in METHODS}


def lines(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Yield the table in Markdown, with the mean ranks.

    Gaps are those of the medians, and medians of the gaps of each seed, which are on one split.
    """
    yield (
        "| table | score | seeds | TabM | HGB | 30 trials | to HGB | to 30 trials "
        "| each seed to HGB | each seed to 30 trials |"
    )
    yield "|---" * 10 + "|"
    ranks, each = [], []
    for name, cells in results.items():
        middle = medians(cells)
        ranks.append(rankdata([-middle[method] for method in METHODS]))
        each += [rankdata([-cell[method] for method in METHODS]) for cell in cells.values()]
        scores = " | ".join(f"{middle[method]:.4f}" for method in METHODS)
        gaps = [100 * (middle["tabm"] / middle[other] - 1) for other in METHODS[1:]]
        gaps += [
            median(100 * (cell["tabm"] / cell[other] - 1) for cell in cells.values())
            for other in METHODS[1:]
        ]
        score = "accuracy" if TABLES[name].classes else "R²"
        shown = " | ".join(f"{gap:+.1f} %" for gap in gaps)
        yield f"| {name} | {score} | {len(cells)} | {scores} | {shown} |"
    for title, found in (("medians", ranks), ("all seeds", each)):
        middle_ranks = np.mean(found, axis=0)
        yield f"Mean ranks, {title}: " + ", ".join(
            f"{method} {rank:.2f}" for method, rank in zip(METHODS, middle_ranks, strict=True)
        )


def main() -> None:
    """Compute what is missing, seed by seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = os.environ.get("DLTUI_TEST_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(folder))
    parser.add_argument("--rows", type=int, default=15_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=30)
    asked = parser.parse_args()
    results: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    if RESULTS.is_file():
        results |= json.loads(RESULTS.read_text())
    with tempfile.TemporaryDirectory() as home:
        os.environ["DLTUI_HOME"] = home
        for seed in map(str, range(asked.seeds)):
            for name, table in TABLES.items():
                if seed in results[name]:
                    continue
                path = some_rows(table, asked.data, asked.rows, Path(home))
                cell = measured(table, configured(table, path, int(seed)), asked.trials)
                results[name][seed] = cell
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
                print(
                    name, seed, *(f"{method} {cell[method]:.4f}" for method in METHODS), flush=True
                )
    print("\n".join(lines({name: cells for name, cells in results.items() if cells})))


if __name__ == "__main__":
    main()
