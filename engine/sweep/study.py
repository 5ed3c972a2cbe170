"""optuna's study of a sweep: its storage, sampler, pruner, and the points of a grid."""

from __future__ import annotations

import itertools
import os
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import TrialState
from typing_extensions import override

from engine.errors import ConfigError, Problem, RunError
from engine.sweep.directory import SweepConfig, SweepDirectory
from engine.sweep.space import Dimension, Range

_WARM_UP = 4
"""Trials that go to their end before one is pruned."""
WHOLE = 100
"""Length of a run as a pruner counts it …"""
_SPARED = 25
"""… and the part of it in which none is pruned: who begins slowly may be the best in the end."""
_NAME = "sweep"


def open_storage(sweep: SweepDirectory) -> JournalStorage:
    """Open the journal, which several processes may at once.

    Raises ``OSError``, and :class:`RunError` for a journal that is damaged.
    """
    lock = _MendingLock(sweep.journal)
    backend = JournalFileBackend(str(sweep.journal), lock)
    lock.acquire()  # those who read a line without an end stop at it
    lock.release()
    try:
        return JournalStorage(backend)
    except ValueError as error:
        raise RunError(
            f"Cannot read {sweep.journal}: {error}.",
            "The sweep cannot be resumed; its runs are kept. Start another one.",
        ) from error


class _MendingLock(JournalFileSymlinkLock):
    """The lock of a journal, which each process holds while it appends.

    A full disk, or a machine that fails, leaves a last line without an end, to which optuna would
    append: no process could read the journal any more. Such a line is removed. What it was to say
    is found again: the search takes up trials that are not told as ended.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._journal = journal

    @override
    def acquire(self) -> bool:
        acquired = super().acquire()
        if _cut_off(self._journal):
            content = self._journal.read_bytes()
            os.truncate(self._journal, content.rfind(b"\n") + 1)
        return acquired


def _cut_off(journal: Path) -> bool:
    """Return whether the last line has no end."""
    with journal.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def open_study(
    storage: JournalStorage, spec: SweepConfig, higher_is_better: bool, joined: str
) -> optuna.Study:
    """Open the study in a journal.

    ``joined`` is the name of a process that joins others, so that it proposes other trials.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage,
        study_name=_NAME,
        direction="maximize" if higher_is_better else "minimize",
        load_if_exists=True,
    )
    # A continued search must not propose the same first trials again, nor one that joined.
    seed = spec.seed + len(study.trials) + zlib.crc32(joined.encode())
    study.sampler = _sampler(spec, seed % 2**32)
    study.pruner = _PRUNERS[spec.pruner]()
    return study


def note(storage: JournalStorage, number: int, name: str, value: object) -> None:
    """Keep an attribute of a trial that runs."""
    study = storage.get_study_id_from_name(_NAME)
    trial = storage.get_trial_id_from_study_id_trial_number(study, number)
    storage.set_trial_user_attr(trial, name, value)


def spent(study: optuna.Study) -> float:
    """Return the seconds of all trials that ended."""
    return sum(trial.duration.total_seconds() for trial in study.trials if trial.duration)


def _sampler(spec: SweepConfig, seed: int) -> optuna.samplers.BaseSampler:
    if spec.sampler != "tpe":  # the points of a grid are all known before
        return optuna.samplers.RandomSampler(seed=seed)
    # Trials that run at the same time keep away from each other; others may join.
    return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


_PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    "none": optuna.pruners.NopPruner,
    "median": lambda: optuna.pruners.MedianPruner(
        n_startup_trials=_WARM_UP, n_warmup_steps=_SPARED
    ),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=WHOLE),
}


def grid(dimensions: list[Dimension]) -> list[dict[str, str | float]]:
    """Return the points of a grid; raises :class:`ConfigError` for a range."""
    choices = [dimension for dimension in dimensions if not isinstance(dimension, Range)]
    if len(choices) < len(dimensions):
        text = "a grid needs single values, such as 1e-4,3e-4,1e-3"
        raise ConfigError([Problem(d.field, text) for d in dimensions if isinstance(d, Range)])
    names = [choice.field for choice in choices]
    return [
        dict(zip(names, values, strict=True))
        for values in itertools.product(*(choice.values for choice in choices))
    ]


def distribution(dimension: Dimension) -> tuple[str, BaseDistribution]:
    """Return the name and the distribution of a dimension."""
    if not isinstance(dimension, Range):
        return dimension.field, CategoricalDistribution(list(dimension.values))
    if dimension.whole:
        low, high = int(dimension.low), int(dimension.high)
        return dimension.field, IntDistribution(low, high, log=dimension.log)
    return dimension.field, FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def importance(study: optuna.Study) -> dict[str, float]:
    """Return the importance of each field by fANOVA (Hutter et al. 2014).

    It is empty where there are too few trials.
    """
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    if len(complete) < _WARM_UP or len({trial.value for trial in complete}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        found = optuna.importance.get_param_importances(study)
    return {name: round(float(share), 4) for name, share in found.items()}


def best_was_cut(study: optuna.Study) -> bool | None:
    """Return whether the best trial's time ended before its training; ``None`` without a trial."""
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return None
    return bool(study.best_trial.user_attrs.get("cut"))
