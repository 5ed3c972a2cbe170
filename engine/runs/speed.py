"""The speed of a training from the events of runs: of one, or of those with like settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

from engine.config.run_config import RunConfig
from engine.errors import ConfigError, RunError
from engine.files import safe_toml
from engine.reports.speed import Speed
from engine.runs.compared import flattened
from engine.runs.directory import RunDirectory, each_run
from engine.runs.events import Evaluated, Event, Finished, Progress, Started, Stopped

_NEWEST = 500
"""Runs that are looked at."""
_ENOUGH = 5
"""Like runs that are taken, the newest."""
_LONGEST_START = 600.0
"""Seconds; a process that began longer before the first event was not the one that wrote it."""
_SAME_EPOCH = 0.02
"""Share by which the updates of an epoch may differ: the data may have changed a little."""
_TIMELESS = frozenset(
    {"name", "title"}
    | {f"adapter.{name}" for name in ("lora_alpha", "init_lora_weights")}
    | {f"data.{name}" for name in ("fold", "split_seed")}
    | {
        f"train.{name}"
        for name in (
            "epochs", "max_steps", "max_minutes", "learning_rate", "weight_decay", "momentum",
            "adam_beta1", "adam_beta2", "lr_scheduler_type", "warmup_ratio", "seed",
            "metric_for_best_model", "early_stopping_patience", "save_steps", "save_minutes",
            "save_total_limit", "report_to", "max_bad_steps", "max_rollbacks",
            "rollback_lr_factor", "stall_minutes", "max_restarts", "rendezvous",
        )
    }
)  # fmt: skip
"""Fields on which the time of an update does not depend; nor does that of an evaluation."""


def timed_settings(config: RunConfig) -> dict[str, Any]:
    """Return the settings on which the speed depends, by dotted name."""
    values = flattened(config.anchored().values())
    return {name: value for name, value in values if name not in _TIMELESS}


def speed_of_like_runs(
    config: RunConfig, start: Started, per_epoch: int, folder: Path
) -> Speed | None:
    """Return the speed of the runs in ``folder`` that have the settings of ``config``.

    It is the median of the newest; ``None`` without any. ``start`` says where a run would compute,
    ``per_epoch`` how many updates an epoch would have. Runs of other machines do not count.
    """
    found = list(islice(_like_runs(config, start, per_epoch, folder), _ENOUGH))
    if not found:
        return None
    around = [speed.around for speed in found if speed.around is not None]
    return Speed(
        update=median(speed.update for speed in found),
        around=median(around) if around else None,
        runs=len(found),
    )


def _like_runs(config: RunConfig, start: Started, per_epoch: int, folder: Path) -> Iterator[Speed]:
    wanted = timed_settings(config)
    kinds = [f'kind = "{section.kind}"' for section in (config.task, config.data, config.model)]
    for run in islice(each_run(folder), _NEWEST):
        try:
            text = run.config.text()
        except RunError:
            continue
        if not all(kind in text for kind in kinds):
            continue  # to parse a whole configuration takes a hundred times as long
        settings = _settings_in(text)
        if settings is None or not _same(wanted, settings):
            continue
        worker = run.status.worker()
        if worker is not None and worker.here:
            speed = speed_of_ended(run, start, per_epoch)
            if speed is not None:
                yield speed


@lru_cache(maxsize=_NEWEST)
def _settings_in(text: str) -> dict[str, Any] | None:
    """Return what a configuration's text says of the speed; ``None`` where it does not suit.

    Each is parsed once: every change in a form asks for all of them again.
    """
    try:
        return timed_settings(RunConfig.parse(safe_toml.loads(text)))
    except (ValueError, ConfigError):
        return None


def _same(wanted: dict[str, Any], settings: dict[str, Any]) -> bool:
    """Return whether settings are those that are wanted; a run settles an automatic strategy."""
    settled = {"train.strategy"} if wanted["train.strategy"] == "auto" else set()
    names = (wanted.keys() | settings.keys()) - settled
    return all(wanted.get(name) == settings.get(name) for name in names)


def speed_of_ended(run: RunDirectory, start: Started, per_epoch: int) -> Speed | None:
    """Return the speed of a run that ended after an epoch or more; ``None`` for any other."""
    first, last = run.events.first(), run.events.last()
    if not isinstance(last, Finished | Stopped) or not isinstance(first, Started):
        return None
    if not last.step or not last.seconds or not _alike(first, start):
        return None
    trained = next(_trained(run.events.newest(Progress)), None)
    if trained is None or not _has_epochs_of(trained, per_epoch):
        return None
    begun = next(_trained(run.events.oldest()), None)
    around = last.time - trained.time
    if begun is not None:
        around += max(0.0, begun.time - begun.seconds - _process_start(run, first))
    return Speed(
        update=last.seconds / last.step,
        around=max(0.0, around) if begun is not None else None,
    )


def speed_so_far(events: Sequence[Event]) -> Speed | None:
    """Return the speed by the events of a run that is under way; ``None`` before two reports.

    The first report is left out, as the first updates take longer. An evaluation counts from the
    last report before it to the next one, less the updates between them.
    """
    reports = [
        (number, event)
        for number, event in enumerate(events)
        if isinstance(event, Progress) and event.phase == "train"
    ]
    plain: list[tuple[int, float, int]] = []
    around_evaluations: list[tuple[int, float, int]] = []
    for (before, first), (behind, second) in pairwise(reports):
        steps, seconds = second.step - first.step, second.seconds - first.seconds
        evaluations = sum(isinstance(event, Evaluated) for event in events[before:behind])
        (around_evaluations if evaluations else plain).append((steps, seconds, evaluations))
    if not plain:
        return _with_evaluations(around_evaluations)
    update = sum(seconds for _, seconds, _ in plain) / max(1, sum(steps for steps, _, _ in plain))
    each = [
        max(0.0, seconds - steps * update) / evaluations
        for steps, seconds, evaluations in around_evaluations
    ]
    return Speed(update=update, evaluation=mean(each) if each else None)


def _with_evaluations(intervals: Sequence[tuple[int, float, int]]) -> Speed | None:
    """Return the speed where each report has evaluations in between."""
    steps = sum(steps for steps, _, _ in intervals)
    return Speed(update=sum(seconds for _, seconds, _ in intervals) / steps) if steps else None


def _process_start(run: RunDirectory, first: Started) -> float:
    """Return when the process of a run began, which loads the libraries before its first event."""
    worker = run.status.worker()
    known = worker is not None and 0 <= first.time - worker.started < _LONGEST_START
    return worker.started if worker is not None and known else first.time


def _trained(events: Iterable[Event]) -> Iterator[Progress]:
    return (each for each in events if isinstance(each, Progress) and each.phase == "train")


def _has_epochs_of(trained: Progress, per_epoch: int) -> bool:
    """Return whether a run made an epoch or more of about ``per_epoch`` updates."""
    if trained.epoch < 1:
        return False
    return abs(trained.step / trained.epoch - per_epoch) <= _SAME_EPOCH * per_epoch


def _alike(first: Started, start: Started) -> bool:
    """Return whether two runs compute on the same device, a CPU with as many threads."""
    threads = first.threads == start.threads or start.device != "cpu"
    return threads and (first.device, first.precision) == (start.device, start.precision)
