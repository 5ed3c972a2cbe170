"""``dltui run PRESET [field=value …]``: train without a screen."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from argparse import ArgumentParser, Namespace

from engine.config import RunConfig
from engine.events import Failed
from engine.history import History
from engine.launch import Handle, launch
from engine.locations import runs_folder
from engine.presets import find_preset, load_preset
from engine.run_directory import RunDirectory
from tui import console
from tui.exit_codes import DONE
from tui.following import Interrupts, exit_status, follow
from tui.reporters import JsonLines, MovingLine, PlainLines, Reporter

_EXAMPLES = """
examples:
  dltui run digits-cnn
  dltui run digits-cnn train.epochs=30 train.learning_rate=3e-4
  dltui run ./mine.toml name=second-try --detach

The run is a process of its own. ctrl+c asks it to stop and to keep what it has learned; if this
command ends in any other way, the run goes on.
"""
_ENOUGH = 2
_WAIT_SECONDS = 10


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("preset", metavar="PRESET", help="name of a preset, or a TOML file")
    parser.add_argument(
        "assignments", metavar="field=value", nargs="*", help="what differs from the preset"
    )
    parser.add_argument("--json", action="store_true", help="events as lines of JSON, for programs")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--detach", action="store_true", help="start the run, print its name, leave")
    how.add_argument(
        "--in-process", action="store_true", help="train in this very process, for debugging"
    )


def execute(options: Namespace) -> int:
    """Train a preset; the exit status says how the run ended."""
    config = load_preset(find_preset(options.preset), options.assignments)
    if options.in_process:
        return _train_here(config, options.json)
    handle = launch(config)
    if options.detach:
        return _leave(handle.run, options.json)
    return _follow(handle, _reporter(config, options.json))


def _leave(run: RunDirectory, json: bool) -> int:
    if json:
        console.as_json({"id": run.id, "path": str(run.path)})
    else:
        console.line(run.id)
    return DONE


def _follow(handle: Handle, reporter: Reporter) -> int:
    """Follow a run of its own process; the first ctrl+c stops the run, the second leaves."""
    reporter.note(f"run {handle.run.id}")
    asked = False
    with Interrupts() as interrupts:

        def enough() -> bool:
            nonlocal asked
            if interrupts.count and not asked:
                asked = True
                handle.stop()
                reporter.note("Stopping; what was learned is kept. ctrl+c again leaves at once.")
            return interrupts.count >= _ENOUGH

        try:
            history = follow(handle.run, reporter, lambda: handle.process.poll() is None, enough)
        finally:
            reporter.close()
    if interrupts.count < _ENOUGH:
        _await_exit(handle)
        _complain_of_failure(handle.run, history)
    return exit_status(history, asked)


def _await_exit(handle: Handle) -> None:
    """Give the worker a moment to leave after its last word."""
    # Its work is done by then; what keeps it does not matter to the one who waits.
    with contextlib.suppress(subprocess.TimeoutExpired):
        handle.wait(_WAIT_SECONDS)


def _train_here(config: RunConfig, json: bool) -> int:
    """Train in the main thread, so that a debugger works; a thread reports."""
    from engine import worker

    run = RunDirectory.create(runs_folder(), config)
    reporter = _reporter(config, json)
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
    _complain_of_failure(run, histories[0])
    return exit_status(histories[0], asked_to_stop=False)


def _complain_of_failure(run: RunDirectory, history: History) -> None:
    if isinstance(history.ending, Failed):
        console.complain(history.ending.message)
        if history.ending.report:
            console.complain(f"The whole story is in {history.ending.report}")
    elif history.ending is None:
        console.complain(f"The process of the run is gone without a word; see {run.log}")


def _reporter(config: RunConfig, json: bool) -> Reporter:
    metric = config.task.metric(config.train.metric_for_best_model).name
    if json:
        return JsonLines()
    if sys.stdout.isatty():
        return MovingLine(config.name, metric)
    return PlainLines(metric)
