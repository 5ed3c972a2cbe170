"""The time a small BERT takes on the whole of SST-2, and its accuracy after the same updates.

    DLTUI_TEST_DATA=FOLDER python tests/benchmarks/to_accuracy.py [--seeds 3] [--updates 500]

Prints a table in Markdown and writes ``results/to-accuracy-cpu.json`` beside this file. The engine
and transformers' ``Trainer`` train the same network on the same rows, a tenth of which is the
validation split for the accuracy; they take turns, each with several seeds, on one thread.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from statistics import mean, median

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from adapters import machine
from loops import Exercise, trained_by_engine, trained_by_trainer
from page import to_accuracy
from speed import ROWS, configuration, keep

from engine.metrics.logits import logits_of
from engine.runs.events import Evaluated

ROW = "BERT, 2 × 128, SST-2, batch 32"


def by_dltui(exercise: Exercise, updates: int) -> dict[str, float]:
    """Seconds of the updates of the engine, and the accuracy after them."""
    rate, run = trained_by_engine(exercise, updates)
    newest = run.events.last(Evaluated)
    assert isinstance(newest, Evaluated)
    return {"seconds": updates / rate, "accuracy": newest.metrics["accuracy"]}


def by_trainer(exercise: Exercise, updates: int) -> dict[str, float]:
    """Seconds of the updates of ``Trainer``, and the accuracy after them."""
    rate, network = trained_by_trainer(exercise, updates)
    return {"seconds": updates / rate, "accuracy": accuracy(exercise, network.eval())}


@torch.no_grad()
def accuracy(exercise: Exercise, network: torch.nn.Module) -> float:
    """The accuracy on the validation split."""
    source = exercise.sources["validation"]
    right = 0
    for batch in source.read(source.plan(128)):
        logits = logits_of(network, batch.inputs)
        right += int((logits.argmax(1) == batch.targets).sum())
    return right / len(source)


LOOPS = {"dltui": by_dltui, "Trainer": by_trainer}


def main() -> None:
    """Measure all seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=500)
    arguments = parser.parse_args()
    if ROW not in ROWS:
        print("Left out: no sst2/train.csv in DLTUI_TEST_DATA.")
        return
    turns = []
    with tempfile.TemporaryDirectory() as home:
        os.environ["DLTUI_HOME"] = home
        for seed in range(arguments.seeds):
            values = configuration(ROW, Path(home))
            values["data"]["validation_fraction"] = 0.1
            values["train"]["seed"] = seed
            exercise = Exercise(values)
            turns.append({name: loop(exercise, arguments.updates) for name, loop in LOOPS.items()})
            print(turns[-1], flush=True)
    results = {
        loop: {
            "seconds": median(turn[loop]["seconds"] for turn in turns),
            "accuracy": mean(turn[loop]["accuracy"] for turn in turns),
            "turns": [turn[loop] for turn in turns],
        }
        for loop in LOOPS
    }
    about = {"machine": machine("cpu") | {"threads": 1}, "updates": arguments.updates}
    print(to_accuracy({loop: about | result for loop, result in results.items()}))
    keep("to-accuracy-cpu", about, results, LOOPS)


if __name__ == "__main__":
    main()
