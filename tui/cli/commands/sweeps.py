"""``dltui sweeps [SWEEP]``: list all sweeps, or rank the trials of one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from engine.config.presets import save_preset
from engine.errors import UserError
from engine.files.paths import runs_folder, sweeps_folder
from engine.runs.directory import RunDirectory
from engine.sweep.directory import SweepDirectory, all_sweeps
from tui.cli import console
from tui.cli.commands.sweep import conclusion
from tui.cli.exit_codes import DONE
from tui.format.numbers import number


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("sweep", metavar="SWEEP", nargs="?", help="rank the trials of this one")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--stop", action="store_true", help="ask the sweep to stop")
    parser.add_argument("--save-best", metavar="PRESET", help="make the best trial a preset")


def execute(options: Namespace) -> int:
    """List, or show one."""
    if options.sweep is None:
        return _list(options.json)
    sweep = SweepDirectory.open(sweeps_folder(), options.sweep)
    if options.stop:
        sweep.ask_to_stop()
    elif options.save_best:
        _save(sweep, options.save_best)
    else:
        _show(sweep, options.json)
    return DONE


def _list(json: bool) -> int:
    sweeps = all_sweeps(sweeps_folder())
    tables = [sweep.table() for sweep in sweeps]
    if json:
        pairs = zip(sweeps, tables, strict=True)
        console.as_json([{"name": sweep.name} | table.record() for sweep, table in pairs])
        return DONE
    if not sweeps:
        console.line("There are no sweeps yet. `dltui sweep PRESET field=space …` begins one.")
        return DONE
    rows = [
        (
            sweep.name,
            "running" if sweep.running() else "ended",
            len(table.trials),
            table.metric,
            number(table.best.value if table.best else None),
        )
        for sweep, table in zip(sweeps, tables, strict=True)
    ]
    console.table(("sweep", "state", "trials", "metric", "best"), rows)
    return DONE


def _show(sweep: SweepDirectory, json: bool) -> None:
    table, fields = sweep.table(), list(sweep.config().space)
    if json:
        console.as_json(table.record() | {"running": sweep.running()})
        return
    rows = [
        (
            row.number,
            row.state,
            number(row.value),
            *(row.values.get(f, "") for f in fields),
            row.run,
        )
        for row in table.ranked()
    ]
    console.table(("trial", "state", table.metric, *fields, "run"), rows)
    console.line()
    for sentence in conclusion(table):
        console.line(sentence)


def _save(sweep: SweepDirectory, name: str) -> None:
    best = sweep.table().best
    if best is None:
        raise UserError(f"No trial of {sweep.name} went to its end.", "Wait for one.")
    config = RunDirectory.open(runs_folder(), best.run).config.read()
    console.line(save_preset(name, config).name)
