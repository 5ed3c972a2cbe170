"""Measure the speed of a configuration: train it for a while, in a run that is not kept."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from engine.config.run_config import RunConfig
from engine.errors import TrainingError
from engine.launch.start import Handle, launch
from engine.reports.speed import Speed
from engine.runs import control
from engine.runs.control import Request
from engine.runs.events import ENDINGS, Evaluated, Event, Failed, Progress
from engine.runs.follower import Follower
from engine.runs.speed import speed_so_far

_POLL_SECONDS = 0.1
_UPDATES, _SLOW_UPDATES, _SECONDS = 20, 3, 10.0
"""Updates are measured until there are as many of them; of slow ones fewer, once they took that."""
_EVALUATION_SECONDS = 60.0
"""Longest wait for an evaluation."""
_LIMIT_MINUTES = 30.0
"""After this, such a run ends by itself, should the process that measures be killed."""


def measure_speed(
    config: RunConfig, on_update: Callable[[int], object], cancelled: threading.Event
) -> Speed | None:
    """Train for some updates and an evaluation; return their speed, ``None`` if ``cancelled``.

    ``on_update`` is called with the number of updates so far. What is around the updates is not
    measured, as it needs a whole run. Raises :class:`~engine.errors.UserError` where there is
    nothing to measure, or the training fails.
    """
    if config.train.max_steps == 0:
        raise TrainingError("train.max_steps is 0: there is no update to measure.")
    if config.train.machines > 1:
        raise TrainingError("The time of several machines (train.nodes) cannot be measured here.")
    with tempfile.TemporaryDirectory(prefix="dltui-") as folder, _started(config, folder) as handle:
        return _measured(handle, on_update, cancelled)


def _measured(
    handle: Handle, on_update: Callable[[int], object], cancelled: threading.Event
) -> Speed | None:
    events: list[Event] = []
    follower = Follower(handle.run.events.path)
    asked = evaluated = 0.0
    while not cancelled.wait(_POLL_SECONDS):
        gone = handle.process.poll() is not None  # before reading, so that nothing is missed
        events += follower.new()
        reports = [each for each in events if isinstance(each, Progress) and each.phase == "train"]
        if reports:
            on_update(reports[-1].step)
        if failed := next((each for each in events if isinstance(each, Failed)), None):
            raise TrainingError(failed.message)
        if gone or any(isinstance(each, ENDINGS) for each in events) or _at_end(reports):
            break
        if not asked and _enough(reports):
            handle.run.requests.send(Request(control.EVALUATE))
            asked = events[-1].time
        if asked:
            evaluated = evaluated or _evaluation_since(asked, events)
            if evaluated and reports[-1].time > evaluated:
                break
            if events[-1].time - asked > _EVALUATION_SECONDS:
                break
    else:
        return None
    speed = speed_so_far(events)
    if speed is None:
        raise TrainingError("The run ended after too few updates to measure their time.")
    return speed


def _enough(reports: list[Progress]) -> bool:
    """Return whether the updates after the first report are enough for their mean."""
    if len(reports) < 2:
        return False
    steps = reports[-1].step - reports[0].step
    seconds = reports[-1].seconds - reports[0].seconds
    return seconds >= _SECONDS / 4 and steps >= (_SLOW_UPDATES if seconds >= _SECONDS else _UPDATES)


def _at_end(reports: list[Progress]) -> bool:
    return bool(reports) and reports[-1].step >= reports[-1].steps


def _evaluation_since(asked: float, events: list[Event]) -> float:
    """Return when the evaluation that was asked for was reported; 0 before."""
    return next(
        (each.time for each in events if isinstance(each, Evaluated) and each.time > asked), 0.0
    )


@contextlib.contextmanager
def _started(config: RunConfig, folder: str) -> Iterator[Handle]:
    """Start a run of its own in ``folder``, and end it with the block, at once."""
    train = config.train.model_copy(
        update={"evaluate_base": "off", "report_to": (), "max_minutes": _LIMIT_MINUTES}
    )
    silent = {"DLTUI_NOTIFY": "off"}
    handle = launch(config.model_copy(update={"train": train}), Path(folder), silent)
    try:
        yield handle
    finally:
        _end(handle)


def _end(handle: Handle) -> None:
    """Kill the run's processes: nothing of it is kept."""
    with contextlib.suppress(psutil.NoSuchProcess):
        worker = psutil.Process(handle.process.pid)
        for process in [*worker.children(recursive=True), worker]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    handle.wait()
