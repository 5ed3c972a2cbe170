"""``dltui export RUN DESTINATION``: a finished model in another format."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from engine.files.paths import runs_folder
from engine.files.sanitize import plain
from engine.runs.directory import RunDirectory
from engine.service.client import Advisor
from tui.cli import console
from tui.cli.exit_codes import DONE
from tui.format.export_formats import DTYPES, FORMS, SERVED, SHORT, export_sentence, free_name

_FLAGS = {
    "--adapter": "adapter", "--merge": "merged", "--program": "program", "--onnx": "onnx",
    "--boosting": "boosting",
}  # fmt: skip


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="the run, or the only one that starts so")
    parser.add_argument(
        "destination", metavar="DESTINATION", nargs="?", default="",
        help="a folder or file that is free (a name after the run's in this folder)",
    )  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    for flag, name in _FLAGS.items():
        form.add_argument(flag, dest="form", action="store_const", const=name, help=FORMS[name])
    form.add_argument(
        "--to", dest="form", choices=SERVED, metavar="PROGRAM",
        help="; ".join(f"{name}: {FORMS[name]}" for name in SERVED),
    )  # fmt: skip
    parser.set_defaults(form="folder")
    parser.add_argument(
        "--dtype", choices=[*DTYPES, *SHORT], metavar="TYPE", default="",
        help="of the weights of a whole model: " + ", ".join(DTYPES)
        + " (stored: as the base model; q8_0: for ollama and gguf)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def execute(options: Namespace) -> int:
    """Export, load back, compare; report success only when both agree."""
    run = RunDirectory.open(runs_folder(), options.run)
    destination = options.destination or free_name(run.config.read().name, options.form)
    with Advisor() as advisor:
        answer = advisor.ask(
            "export", run=run.id, destination=destination, form=options.form,
            dtype=SHORT.get(options.dtype, options.dtype),
        )  # fmt: skip
    if options.json:
        console.as_json(answer)
        return DONE
    for note in answer.get("notes", ()):
        console.remark(plain(note, 600))
    console.line(export_sentence(answer))
    if command := answer.get("command"):
        console.line(plain(command, 4000))
    return DONE
