"""``dltui sweep PRESET field=space …``: search for better values."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from subprocess import Popen

from engine.errors import UserError
from engine.files.disk_space import if_full
from engine.files.paths import sweeps_folder
from engine.sweep.compose import MOST_PARALLEL, begin, compose, require_optuna
from engine.sweep.directory import SweepConfig, SweepDirectory
from engine.sweep.table import SweepTable, TrialRow
from tui.cli import console
from tui.cli.exit_codes import DONE, FAILED, INTERRUPTED
from tui.cli.follow import POLL_SECONDS, Interrupts
from tui.format.numbers import number

_SETTINGS = ("name", "trials", "minutes", "sampler", "pruner", "seed")
"""Options of a new sweep only."""
_EXAMPLES = """
what may be tried:
  field=1e-5..1e-3:log     a range; with :log each factor is as likely as another
  field=8..64              whole numbers where the field has whole numbers
  field=4,8,16             one of these; for a field that is a list, 64,64|128,128
  field=value              the same in all trials

examples:
  dltui sweep digits-cnn train.learning_rate=1e-4..1e-1:log train.batch_size=16,32,64 --trials 30
  dltui sweep digits-cnn train.optimizer=adamw,sgd train.epochs=5 --sampler grid
  dltui sweep task.kind=tabular_regression data.kind=file data.path=homes.csv model.kind=tabm \\
    train.learning_rate=1e-4..1e-1:log --minutes 10
  dltui sweep --resume digits-cnn-sweep
  dltui sweep --join digits-cnn-sweep    (on another machine that sees the folder of DLTUI_HOME)

Trials are ordinary runs, chosen by the validation data. ctrl+c asks the sweep to stop; if this
command ends in any other way, the sweep continues. `dltui sweeps` shows what was found.
"""


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "preset",
        metavar="PRESET",
        nargs="?",
        help="a preset, or a TOML file; may be left out where fields name task and data",
    )
    parser.add_argument("assignments", metavar="field=space", nargs="*", help="what may be tried")
    parser.add_argument("--resume", metavar="SWEEP", help="resume a sweep")
    parser.add_argument(
        "--join", metavar="SWEEP", help="search along: more runs of the same sweep from here"
    )
    parser.add_argument("--name", help="name of the sweep (the preset's with -sweep)")
    parser.add_argument("--trials", type=int, help="runs in all (30)")
    parser.add_argument(
        "--minutes",
        type=float,
        help="time limit of the sweep: the trials share 60 %% of it, each planned to fit, then the "
        "best is trained with the rest, or more trials follow if it needs no more time",
    )
    parser.add_argument(
        "--parallel", type=int, help="runs at the same time (1; with --join one on each GPU)"
    )
    parser.add_argument(
        "--sampler",
        choices=("tpe", "random", "grid"),
        help="how values are proposed: by the trials so far (tpe), at random, or all (grid)",
    )
    parser.add_argument(
        "--pruner",
        choices=("none", "median", "hyperband"),
        help="which trials end early: none, those worse than the median so far, or most after few "
        "epochs (hyperband)",
    )
    parser.add_argument("--seed", type=int, help="fixes what is proposed (0)")
    parser.add_argument("--detach", action="store_true", help="start it, print its name, leave")


def execute(options: Namespace) -> int:
    """Search, and print the results."""
    if options.join:
        _refuse_changes(options, "join", "resume", *_SETTINGS)
        require_optuna()
        if options.parallel is not None and not 1 <= options.parallel <= MOST_PARALLEL:
            raise UserError(f"parallel goes from 1 to {MOST_PARALLEL}.")
        sweep = SweepDirectory.open(sweeps_folder(), options.join)
        process = sweep.join(options.parallel)
    elif options.resume:
        _refuse_changes(options, "resume", "parallel", *_SETTINGS)
        require_optuna()
        sweep = SweepDirectory.open(sweeps_folder(), options.resume)
        process = sweep.start()
    else:
        sweep, process = begin(_config(options))
    if options.detach:
        console.line(sweep.name)
        return DONE
    return _follow(sweep, process)


def _refuse_changes(options: Namespace, how: str, *names: str) -> None:
    """Raise :class:`UserError` for what an existing sweep would not take over."""
    given = [f"--{name}" for name in names if getattr(options, name) is not None]
    given += [text for text in (options.preset, *options.assignments) if text]
    if given:
        raise UserError(
            f"--{how} takes the sweep {getattr(options, how)} as it is, without "
            f"{', '.join(given)}.",
            "To search in another way, start another sweep.",
        )


def _config(options: Namespace) -> SweepConfig:
    if not options.preset:
        raise UserError(
            "A sweep needs a preset, fields that name task and data, or --resume.",
            "`dltui presets` lists all presets.",
        )
    settings = {name: getattr(options, name) for name in ("parallel", *_SETTINGS)}
    name = settings.pop("name") or ""
    given = {setting: value for setting, value in settings.items() if value is not None}
    return compose(options.preset, options.assignments, name, **given)


def _follow(sweep: SweepDirectory, process: Popen[bytes]) -> int:
    """Print each trial that ends; the first ctrl+c stops the sweep, the second leaves."""
    console.line(f"sweep {sweep.name}")
    reported: set[int] = set()
    with Interrupts() as interrupts:
        going = True
        while going and interrupts.count < 2:
            going = process.poll() is None
            if interrupts.count and not sweep.asked_to_stop():
                sweep.ask_to_stop()
                console.line("Stopping; ctrl+c again leaves at once.")
            table = sweep.table()
            for row in table.trials:
                if row.state != "running" and row.number not in reported:
                    reported.add(row.number)
                    console.line(describe(row, table))
            time.sleep(POLL_SECONDS if going else 0)
    return _conclude(sweep, process, bool(interrupts.count))


def _conclude(sweep: SweepDirectory, process: Popen[bytes], interrupted: bool) -> int:
    table = sweep.table()
    for sentence in conclusion(table):
        console.line(sentence)
    if interrupted:
        return INTERRUPTED
    if process.returncode != 0:
        text = f"The search exited without an error message; see {sweep.log}"
        console.complain(table.problem or text + if_full(sweep.path))
        return FAILED
    return DONE


def describe(row: TrialRow, table: SweepTable) -> str:
    """A trial on a line."""
    values = ", ".join(f"{name}={text}" for name, text in row.values.items())
    preset = " (the preset as it is)" if row.preset else ""
    return f"trial {row.number}: {row.state}, {table.metric} {number(row.value)}, {values}{preset}"


def conclusion(table: SweepTable) -> list[str]:
    """Return sentences that sum up the sweep, whether or not it found an improvement."""
    best, preset = table.best, table.preset
    if best is None:
        return ["No trial went to its end."]
    sentences = [f"best: {describe(best, table)}"]
    if best.run:
        sentences.append(f"its run: {best.run}")
    if preset is not None and preset.value is not None:
        better = best.value != preset.value and not best.preset
        sentences.append(
            f"the preset as it is: {table.metric} {number(preset.value)}"
            + ("" if better else "; no trial did better")
        )
    shares = ", ".join(f"{name} {share:.0%}" for name, share in table.importance.items())
    return [*sentences, f"what made the difference: {shares}"] if shares else sentences
