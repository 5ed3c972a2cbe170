"""One attempt at a run: locked, with a heartbeat, and with exactly one final event."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from functools import partial

from engine.errors import RunError, TrainingFailed, UserError
from engine.files.disk_space import why_not_written
from engine.launch.interruption import interrupted
from engine.loggers.base import notified, reported
from engine.processes.heartbeat import beating
from engine.processes.identity import ProcessIdentity
from engine.processes.signals import Terminated, Termination
from engine.processes.spawn import open_log
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, EventLog, Failed
from engine.runs.log_file import trim_logs
from engine.runs.session import RunSession

Work = Callable[[RunSession], Event]
"""Trains; returns the event that ends the run, without writing it."""


def attempt(run: RunDirectory, work: Work, patience: float = 0.0) -> Event:
    """Do ``work`` on ``run``; write its final event and return it.

    Raises :class:`~engine.errors.RunError` when another process holds the run for longer than
    ``patience`` seconds. Exceptions of ``work`` are re-raised after a :class:`Failed` was written.
    """
    with run.lock.hold(patience):
        termination = Termination()
        # A signal before the work is handled in it; one that comes after is too late.
        with (
            termination.deferred(),
            termination.handled(),
            beating(partial(_beat, run)),
            _log_of(run) as events,
            notified(run, events) as close_notifier,
        ):
            try:
                with termination.heard():
                    run.status.set_worker(ProcessIdentity.own())
                    session = RunSession(run, run.config.read(), events, termination)
                    session.reports.append(close_notifier)
                    with reported(session):
                        last = work(session)
            except Terminated:
                last = interrupted(run)
            except Exception as error:
                known = correctable(run, error)
                if known is None:
                    _note(run)
                events.write(failure(run, known or error))
                if known is None or known is error:
                    raise
                raise known from error
            events.write(last)
    return last


def _log_of(run: RunDirectory) -> EventLog:
    try:
        return EventLog(run.events.path)
    except OSError as error:
        raise RunError(f"Cannot write to the run {run.id}: {error.strerror}.") from error


def correctable(run: RunDirectory, error: Exception) -> UserError | None:
    """Return an error that the user can correct, a full disk among them; ``None`` for others."""
    if isinstance(error, UserError):
        return error
    if (reason := why_not_written(error)) is None:
        return None
    return TrainingFailed(
        f"Cannot write to {run.path} any more: {reason}.",
        "Its checkpoints are kept: free disk space, then resume the run.",
    )


def failure(run: RunDirectory, error: Exception) -> Failed:
    """Return the event for the error of a run: a user's, or an unexpected one."""
    if isinstance(error, UserError):
        return Failed(message=str(error), usage=error.usage)
    message = f"Internal error: {type(error).__name__}: {str(error)[:300]}"
    return Failed(message=message, report=str(run.log))


def _note(run: RunDirectory) -> None:
    """Write the traceback to the run's log."""
    with contextlib.suppress(OSError), open_log(run.log) as log:
        log.write(traceback.format_exc().encode(errors="replace"))


def _beat(run: RunDirectory) -> None:
    run.status.beat()
    trim_logs(run)
