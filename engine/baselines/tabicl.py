"""TabICL: a pre-trained network that predicts rows of a table from training rows in its context.

After Qu, Holzmüller, Varoquaux and Le Morvan, "TabICL: A Tabular Foundation Model for In-Context
Learning on Large Data" (2025). Its checkpoints are pickles, of which its package reads the weights
alone (``torch.load(…, weights_only=True)``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from numpy.typing import NDArray

from engine.baselines.baseline import Baseline
from engine.baselines.gradient_boosting import inputs_and_targets
from engine.batches.source import Source
from engine.files.paths import expanded, is_file, is_folder
from engine.files.sanitize import first_line, plain
from engine.hardware.memory import out_of_memory
from engine.hub_reach import offline_where_unreachable
from engine.metrics.evaluator import Evaluation
from engine.metrics.uncertainty.paired import PairedRows

NAME = "TabICL"

Evaluate = Callable[[NDArray[np.float32], NDArray[Any]], Evaluation]
"""The evaluation of predictions against the targets of the same rows."""


class TabIcl:
    """The baseline: what it is loaded from, where it computes, and how many rows it is given."""

    def __init__(self, place: str, rows: int, device: str) -> None:
        """``place`` is a name on the hub, a folder or a checkpoint; ``device`` as in the
        configuration; of training rows and held-out rows at most ``rows`` are used each.
        """
        self._place = place
        self._rows = rows
        self._device = None if device == "auto" else device

    def classes(
        self, train: Source, held_out: Source, classes: int, evaluate: Evaluate
    ) -> Baseline:
        """Evaluate its probabilities ``[rows, classes]`` of held-out rows."""

        def predict(rows: NDArray[Any], targets: NDArray[Any], new: NDArray[Any]) -> Any:
            model = self._model("TabICLClassifier").fit(rows, targets)
            found = np.zeros((len(new), classes), np.float32)
            found[:, model.classes_] = model.predict_proba(new)
            return found

        return self._evaluated(train, held_out, predict, evaluate)

    def numbers(self, train: Source, held_out: Source, evaluate: Evaluate) -> Baseline:
        """Evaluate its predictions ``[rows]`` of the standardised targets of held-out rows."""

        def predict(rows: NDArray[Any], targets: NDArray[Any], new: NDArray[Any]) -> Any:
            return self._model("TabICLRegressor").fit(rows, targets).predict(new)

        return self._evaluated(train, held_out, predict, evaluate)

    def _evaluated(
        self, train: Source, held_out: Source, predict: Callable[..., Any], evaluate: Evaluate
    ) -> Baseline:
        """Return the result; its reason where there is none, for the network's stands without."""
        seen, asked = (_evenly(len(source), self._rows) for source in (train, held_out))
        rows, targets = inputs_and_targets(train, seen)
        new, truth = inputs_and_targets(held_out, asked)
        try:
            predicted = np.asarray(predict(rows, targets, new), np.float32)
        except Exception as error:  # noqa: BLE001 — nothing of another package may end the run
            return Baseline(NAME, Evaluation({}), missing=self._reason(error))
        result = evaluate(predicted, truth)
        if len(asked) < len(held_out) and isinstance(result.rows, PairedRows):
            result = replace(result, rows=replace(result.rows, places=asked))
        return Baseline(_name(len(seen), len(train), len(asked), len(held_out)), result)

    def _model(self, kind: str) -> Any:
        """Return an estimator of the package with scikit-learn's interface."""
        create = getattr(import_module("tabicl"), kind)  # an extra
        path = _checkpoint(self._place, str(create().checkpoint_version))
        return create(
            model_path=path, allow_auto_download=False, device=self._device, random_state=0
        )

    def _reason(self, error: Exception) -> str:
        name = plain(self._place, 200)
        if isinstance(error, GatedRepoError):
            return f"the hub gives {name} only to those who accepted its terms."
        if isinstance(error, RepositoryNotFoundError):
            return f"there is no model {name} on the hub, or it is private."
        if isinstance(error, LocalEntryNotFoundError):
            offline = "HF_HUB_OFFLINE" in os.environ
            why = "HF_HUB_OFFLINE is set" if offline else "the hub cannot be reached"
            return f"{name} is not on this machine, and {why}."
        if isinstance(error, EntryNotFoundError | FileNotFoundError):
            return f"{name} has not the checkpoint that this task needs: {first_line(error, 150)}"
        if isinstance(error, UnpicklingError):
            return f"{name} holds other objects than weights, and these are never loaded."
        if isinstance(error, RuntimeError) and out_of_memory(error):
            return "memory ran out. A lower task.tabicl_rows needs less."
        return f"{type(error).__name__}: {first_line(error)}"


def _checkpoint(place: str, name: str) -> Path:
    """Return the path of the checkpoint called ``name``, from the hub where it is not here."""
    path = expanded(place)
    if is_file(path):
        return path
    if not is_folder(path):
        with offline_where_unreachable():
            return Path(hf_hub_download(place, name))
    if not is_file(path / name):
        raise FileNotFoundError(f"there is no {name}")
    return path / name


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return the places of at most ``most`` of ``count`` rows, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def _name(seen: int, trained: int, asked: int, held_out: int) -> str:
    """Return the name with how many rows it was given, where these are not all."""
    parts = [f"{seen:,} of {trained:,} training rows"] if seen < trained else []
    parts += [f"judged on {asked:,} of {held_out:,} rows"] if asked < held_out else []
    return f"{NAME} ({', '.join(parts)})" if parts else NAME
