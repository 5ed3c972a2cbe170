"""``dltui push RUN OWNER/NAME``: give a finished model to others, on the Hugging Face hub."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.files.sanitize import plain
from engine.runs.directory import RunDirectory
from engine.service.client import Advisor
from tui.cli import console
from tui.cli.exit_codes import DONE
from tui.format.export_formats import FORMS
from tui.format.numbers import size

_FLAGS = {"--adapter": "adapter", "--merge": "merged"}


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="the run, or the only one that starts so")
    parser.add_argument("repository", metavar="OWNER/NAME", help="made where there is none")
    parser.add_argument("--private", action="store_true", help="make it for your eyes only")
    form = parser.add_mutually_exclusive_group()
    for flag, name in _FLAGS.items():
        form.add_argument(flag, dest="form", action="store_const", const=name, help=FORMS[name])
    parser.set_defaults(form="folder")
    parser.add_argument("--yes", action="store_true", help="do not ask whether it is meant so")
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def execute(options: Namespace) -> int:
    """Push, after showing what is uploaded where, and a confirmation."""
    run = RunDirectory.open(runs_folder(), options.run)
    if not options.yes and not _confirmed(run.id, options.repository, options.private):
        console.line("Nothing was pushed.")
        return DONE
    with Advisor() as advisor:
        answer = advisor.ask(
            "push", run=run.id, repository=options.repository, form=options.form,
            private=options.private,
        )  # fmt: skip
    if options.json:
        console.as_json(answer)
    else:
        console.line(f"{answer['url']}: {size(answer['bytes'])}")
    return DONE


def _confirmed(run: str, repository: str, private: bool) -> bool:
    if not sys.stdin.isatty():
        raise UserError("A push must be confirmed, and this is not a terminal.", "Add --yes.")
    whose = "only you and those you let" if private else "everybody"
    console.line(f"The model of {run} will be on the hub as {plain(repository, 100)},")
    console.line(f"where {whose} can read it. Type yes to push it:")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
