"""``dltui folds PRESET [field=value …]``: a cross-validation, one run for each fold."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.config.presets import experiment_of
from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.files.sanitize import plain
from engine.launch.start import start
from engine.reports.counted import counted
from engine.runs import control, resume
from engine.runs.comparison import compare
from engine.runs.control import Request
from engine.runs.directory import RunDirectory
from engine.runs.status import State
from engine.service.client import Advisor
from tui.cli import console
from tui.cli.commands.compare import show_spreads
from tui.cli.exit_codes import DONE, INTERRUPTED
from tui.cli.follow import Interrupts, Reading, complain_of_failure, exit_status, follow
from tui.cli.reporters import PlainLines
from tui.format.run_facts import INTERVAL, intervals_of

_EXAMPLES = """
examples:
  dltui folds adult-mlp
  dltui folds adult-mlp data.path=rows.csv task.target=y data.group=patient --folds 10
  dltui folds table-regression data.kind=file data.path=rows.csv --output out-of-fold.csv

Each fold is an ordinary run with data.fold=1, 2, …: trained on the other folds, without a part for
validation, and tested on its own. Classes keep their shares in every fold, and groups (data.group)
stay whole. Given once more, the command takes folds that are done as they are and resumes the one
that was interrupted.
"""
_USUAL = 5
_ENOUGH = 2
_SUFFIXES = (".csv", ".parquet", ".jsonl")


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("preset", metavar="PRESET", help="name of a preset, or a TOML file")
    parser.add_argument(
        "assignments", metavar="field=value", nargs="*", help="what differs from the preset"
    )
    parser.add_argument("--folds", type=int, help=f"number of folds (data.folds, else {_USUAL})")
    parser.add_argument(
        "--output",
        default="",
        help="of tables: write each row with the prediction of the network that was tested on it "
        "(.csv, .parquet or .jsonl), and print the metrics of all rows together",
    )
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def execute(options: Namespace) -> int:
    """Train and test a network for each fold; print mean and spread."""
    config = experiment_of(options.preset, options.assignments)
    if options.output and Path(options.output).suffix.lower() not in _SUFFIXES:
        raise UserError(
            f"{plain(options.output, 200)} has the suffix of no format for predictions.",
            f"Name it with one of {', '.join(_SUFFIXES)}.",
        )
    count = options.folds or config.data.folds or _USUAL
    runs = []
    for fold in range(1, count + 1):
        run = _run_of(config, count, fold)
        status = _train(run)
        if status != DONE:
            return status
        runs.append(run)
    _conclude(runs, options.json, _pooled(runs, options.output) if options.output else {})
    return DONE


def _run_of(config: RunConfig, folds: int, fold: int) -> RunDirectory:
    """Return the run of a fold: one that is there already and was not stopped, or a new one."""
    name = f"{config.name[:52]}-fold-{fold}"
    own = config.override([f"data.folds={folds}", f"data.fold={fold}", f"name={name}"])
    found = resume.newest_like(runs_folder(), own)
    if found is None or found.status.state() is State.STOPPED:
        return RunDirectory.create(runs_folder(), own)
    return found


def _train(run: RunDirectory) -> int:
    """Train a fold unless it is done; the first ctrl+c stops it, and the command with it."""
    if run.status.state() is State.FINISHED:
        console.remark(f"{run.id} is done already")
        return DONE
    console.remark(f"run {run.id}")
    reading = Reading.so_far(run)
    handle = start(run)
    reading.restart()
    asked = False
    with Interrupts() as interrupts:

        def enough() -> bool:
            nonlocal asked
            if interrupts.count and not asked:
                asked = True
                run.requests.send(Request(control.STOP))
            return interrupts.count >= _ENOUGH

        config = run.config.read()
        metric = config.task.metric(config.train.metric_for_best_model).name
        alive = handle.process.poll
        history = follow(run, _Remarks(metric, run.id), lambda: alive() is None, enough, reading)
        if interrupts.count < _ENOUGH:
            handle.wait()
            complain_of_failure(run, history)
    return INTERRUPTED if interrupts.count else exit_status(history, asked_to_stop=False)


class _Remarks(PlainLines):
    """Lines on standard error, beside the result."""

    def note(self, text: str) -> None:
        """A line."""
        console.remark(text)


def _pooled(runs: Sequence[RunDirectory], output: str) -> dict[str, Any]:
    """Write the predictions of all folds; return the metrics of all rows together."""
    with Advisor() as advisor:
        found = advisor.ask("fold predictions", runs=[run.id for run in runs], output=output)
    console.remark(f"{counted(found['rows'], 'row')} in {plain(output, 400)}")
    return found


def _conclude(runs: Sequence[RunDirectory], json: bool, pooled: Mapping[str, Any]) -> None:
    """Print mean and spread over the folds, and the metrics of all rows together."""
    comparison = compare(runs)
    if json:
        ids = [run.id for run in comparison.runs]
        console.as_json({
            "runs": [run.record() for run in comparison.runs],
            "alike": [group.record(ids) for group in comparison.alike],
            **({"pooled": pooled} if pooled else {}),
        })  # fmt: skip
        return
    heads = ("fold", *(row.name for row in comparison.metrics))
    columns = [row.values for row in comparison.metrics]
    folds = enumerate(zip(*columns, strict=True), 1)
    console.table(heads, [(fold, *map(_number, values)) for fold, values in folds])
    show_spreads(comparison.alike)
    if pooled:
        console.line()
        _, intervals = intervals_of({"intervals": {"pooled": pooled["intervals"]}})
        values = pooled["metrics"].items()
        console.table(
            ("pooled", "all rows", INTERVAL),
            [(name, _number(value), intervals.get(name, "–")) for name, value in values],
        )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
