"""``dltui run PRESET [field=value …]``: train without a screen."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from typing import NoReturn

import tomlkit

from engine.config.presets import experiment_of
from engine.config.requirements import check_requirements
from engine.config.run_config import RunConfig
from engine.errors import RunError, UserError
from engine.files.paths import runs_folder
from engine.launch.place import Place, place_of, runs_apart
from engine.launch.start import Handle, start
from engine.processes.environment import worker_environment
from engine.processes.spawn import spawn
from engine.runs import control, resume
from engine.runs.control import Request
from engine.runs.directory import RunDirectory
from engine.runs.history import History
from engine.runs.status import State
from tui.cli import console
from tui.cli.exit_codes import DONE, INTERRUPTED
from tui.cli.follow import Interrupts, Reading, complain_of_failure, exit_status, follow, refused
from tui.cli.reporters import JsonLines, MovingLine, PlainLines, Reporter

_EXAMPLES = """
examples:
  dltui run digits-cnn
  dltui run digits-cnn train.epochs=30 train.learning_rate=3e-4
  dltui run ./mine.toml name=second-try --detach
  dltui run task.kind=tabular_regression data.path=homes.csv
  dltui run ./mine.toml --resume auto      (in a job that may be started again)
  dltui run --resume digits-cnn            (resume this run)

The run is a process of its own. ctrl+c asks it to stop and to keep what it has learned. SIGTERM
is passed on to it: it writes a checkpoint and ends. If this command ends in any other way, the
run continues.

With train.nodes above 1 the same command is given on every machine, with NODE_RANK from 0 on: the
run belongs to machine 0, and the others, which see the same folder of runs, train along. Under
torchrun, each process trains: torchrun --nproc-per-node=4 -m tui run ./mine.toml

--resume auto takes the newest run of exactly this configuration: one that was interrupted, lost,
or failed after a checkpoint is resumed; one that runs is followed; one that has finished or was
stopped is left alone. Where there is none, a new one begins.

exit status: 0 finished or stopped, 1 failed, 2 wrong usage, configuration or data, 130 ended by
ctrl+c, 143 ended by SIGTERM with a checkpoint
"""
_AUTO = "auto"
_ENOUGH = 2
_WAIT_SECONDS = 10
_POLL_SECONDS = 0.2
_TERMINATION_SECONDS = 90.0
"""Time-out for the main node's last checkpoint, which needs the others."""


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "preset",
        metavar="PRESET",
        nargs="?",
        help="name of a preset, or a TOML file; may be left out where fields name task and data",
    )
    parser.add_argument(
        "assignments", metavar="field=value", nargs="*", help="what differs from the preset"
    )
    parser.add_argument(
        "--resume",
        metavar="auto|RUN",
        help="resume a run; auto: the newest with this configuration",
    )
    parser.add_argument("--json", action="store_true", help="events as lines of JSON, for programs")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--detach", action="store_true", help="start the run, print its name, leave")
    how.add_argument(
        "--in-process", action="store_true", help="train in this very process, for debugging"
    )


def execute(options: Namespace) -> int:
    """Train a preset or resume a run; returns the exit status."""
    if options.in_process:
        return _train_here(options)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return _as_rank(options)
    if (place := _elsewhere(options)) is not None:
        return _join_others(place)
    auto = options.resume == _AUTO
    with Interrupts(signal.SIGTERM) as terminations:
        with resume.alone(runs_folder()) if auto else contextlib.nullcontext():
            run = _chosen(options)
            joined = None if _is_over(run, auto) else _join(run)
        if joined is None:
            console.complain(f"The run {run.id} is {run.status.state()} already.")
        if joined is None or options.detach:
            return _leave(run, options.json)
        return _follow(joined, _reporter(run, options.json), terminations)


def _as_rank(options: Namespace) -> NoReturn:
    """Become one of the training processes that torchrun has started."""
    if not options.preset or options.resume not in (None, _AUTO):
        raise UserError(
            "Under torchrun, name a preset or a file.", "--resume auto resumes its newest run."
        )
    config = _configured(options).anchored()
    words = [str(runs_folder().absolute()), options.resume or "", tomlkit.dumps(config.values())]
    python = [sys.executable, "-P", "-m", "engine.launch.torchrun", *words]
    os.execve(sys.executable, python, worker_environment())


def _elsewhere(options: Namespace) -> Place | None:
    """Return this machine's node where the run belongs to another node; else ``None``."""
    if options.resume not in (None, _AUTO):
        train = RunDirectory.open(runs_folder(), options.resume).config.read().train
    elif options.preset:
        train = _configured(options).train
    else:
        return None
    # A shell within a step is one task; with --resume, the others follow the run of the first.
    if options.resume is None and not os.isatty(0) and (text := runs_apart(train)):
        console.complain(text)
    place = place_of(train) if train.machines > 1 else None
    return place if place is not None and place.node else None


def _join_others(place: Place) -> int:
    """Train with the main node until it has finished; it handles SIGTERM first."""
    at = [str(place.node), place.host, str(place.port)]
    words = [str(runs_folder().absolute()), *at, str(os.getpid())]
    console.complain(f"Looking for the run of {place.rendezvous} in {runs_folder()}.")
    with Interrupts(signal.SIGTERM) as terminations, Interrupts() as interrupts:
        node = spawn("engine.launch.node_worker", words, None)
        terminated = 0.0
        while node.poll() is None:
            terminated = terminated or (time.monotonic() if terminations.count else 0.0)
            if interrupts.count or (
                terminated and time.monotonic() - terminated > _TERMINATION_SECONDS
            ):
                node.send_signal(signal.SIGINT)  # the other is for all processes of a job
            time.sleep(_POLL_SECONDS)
    return INTERRUPTED if interrupts.count else node.returncode


def _chosen(options: Namespace) -> RunDirectory:
    """Return the run to resume, or a new one."""
    if options.resume not in (None, _AUTO):
        if options.preset:
            raise UserError(
                "A run is resumed with its own configuration.",
                "Leave the preset out, or let --resume auto find the run.",
            )
        return RunDirectory.open(runs_folder(), options.resume)
    config = _configured(options)
    found = resume.newest_like(runs_folder(), config) if options.resume else None
    if found is None:
        check_requirements(config)
        found = RunDirectory.create(runs_folder(), config)
    return found


def _configured(options: Namespace) -> RunConfig:
    """Return the experiment of a preset with what differs, or of fields alone."""
    return experiment_of(options.preset or "", options.assignments)


def _is_over(run: RunDirectory, auto: bool) -> bool:
    """Whether there is nothing to do; what a person stopped, no script takes up again."""
    state = run.status.state()
    return state is State.FINISHED or (auto and state is State.STOPPED)


@dataclass(frozen=True)
class _Joined:
    """A running run, started here or elsewhere."""

    run: RunDirectory
    handle: Handle | None
    reading: Reading
    new: bool
    """Whether the run has begun with this command."""

    def alive(self) -> bool:
        """Whether its worker is."""
        if self.handle is not None:
            return self.handle.process.poll() is None
        return self.run.status.state() is State.RUNNING

    def stop(self) -> None:
        """Ask it to stop and keep its model."""
        self.run.requests.send(Request(control.STOP))

    def terminate(self) -> None:
        """Let the worker write a checkpoint and end."""
        worker = self.run.status.worker()
        if worker is not None and worker.here and worker.alive():
            os.kill(worker.pid, signal.SIGTERM)


def _join(run: RunDirectory) -> _Joined:
    """Start the worker of a run, or follow the one that it has."""
    reading = Reading.so_far(run)
    handle = None
    try:
        handle = start(run)
    except RunError:
        if run.status.state() is not State.RUNNING:
            raise
    reading.restart()
    new = handle is not None and not reading.history.version
    return _Joined(run, handle, reading, new)


def _leave(run: RunDirectory, json: bool) -> int:
    if json:
        console.as_json({"id": run.id, "path": str(run.path)})
    else:
        console.line(run.id)
    return DONE


def _follow(joined: _Joined, reporter: Reporter, terminations: Interrupts) -> int:
    """Follow a run of its own process.

    The first ctrl+c stops the run, the second leaves; SIGTERM is passed on.
    """
    reporter.note(f"run {joined.run.id}")
    asked = passed_on = False
    with Interrupts() as interrupts:

        def enough() -> bool:
            nonlocal asked, passed_on
            if interrupts.count and not asked:
                asked = True
                joined.stop()
                reporter.note(
                    "Stopping; the model is kept as it is now. ctrl+c again leaves at once."
                )
            if terminations.count and not passed_on:
                passed_on = True
                joined.terminate()
            return interrupts.count >= _ENOUGH

        try:
            history = follow(joined.run, reporter, joined.alive, enough, joined.reading)
        finally:
            reporter.close()
    if interrupts.count < _ENOUGH:
        _await_exit(joined.handle)
        complain_of_failure(joined.run, history)
        if joined.new:
            _drop_refused(joined.run, history, reporter)
    return exit_status(history, asked, passed_on)


def _drop_refused(run: RunDirectory, history: History, reporter: Reporter) -> None:
    """Delete a new run whose data or settings were refused: the message has said why.

    Other machines of a run may still be looking for it.
    """
    if refused(history) and run.config.read().train.machines == 1:
        run.delete()
        reporter.note(f"The run {run.id} is not kept: it has not begun to train.")


def _await_exit(handle: Handle | None) -> None:
    """Wait briefly for the worker to exit after its final event."""
    # Its work is done by then; what keeps it does not matter to the one who waits.
    if handle is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            handle.wait(_WAIT_SECONDS)


def _train_here(options: Namespace) -> int:
    """Train in the main thread, so that a debugger works; a thread reports."""
    from engine.launch import worker

    if options.resume:
        raise UserError("--in-process starts a new run.", "Leave it out to resume one.")
    run = _chosen(options)
    reporter = _reporter(run, options.json)
    reporter.note(f"run {run.id}")
    ended = threading.Event()
    histories: list[History] = []

    def report() -> None:
        histories.append(follow(run, reporter, lambda: not ended.is_set()))
        reporter.close()

    thread = threading.Thread(target=report)
    thread.start()
    try:
        worker.main([str(run.path)])
    finally:
        ended.set()
        thread.join()
    complain_of_failure(run, histories[0])
    _drop_refused(run, histories[0], reporter)
    return exit_status(histories[0], asked_to_stop=False)


def _reporter(run: RunDirectory, json: bool) -> Reporter:
    config = run.config.read()
    metric = config.task.metric(config.train.metric_for_best_model).name
    if json:
        return JsonLines()
    if sys.stdout.isatty():
        return MovingLine(config.name, metric, run.id)
    return PlainLines(metric, run.id)
