"""``dltui export RUN DESTINATION``: a finished model in another format."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from engine.service.client import Advisor
from tui.cli import console
from tui.cli.exit_codes import DONE
from tui.format.export_formats import DTYPES, FORMS
from tui.format.numbers import size

_FLAGS = {
    "--adapter": "adapter", "--merge": "merged", "--program": "program", "--onnx": "onnx",
}  # fmt: skip


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="the run, or the only one that starts so")
    parser.add_argument("destination", metavar="DESTINATION", help="a folder or file that is free")
    form = parser.add_mutually_exclusive_group()
    for flag, name in _FLAGS.items():
        form.add_argument(flag, dest="form", action="store_const", const=name, help=FORMS[name])
    parser.set_defaults(form="folder")
    parser.add_argument(
        "--dtype", choices=DTYPES, metavar="TYPE", default="",
        help="of the weights of a whole model: " + ", ".join(DTYPES) + " (as the base model)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def execute(options: Namespace) -> int:
    """Export, load back, compare; report success only when both agree."""
    with Advisor() as advisor:
        answer = advisor.ask(
            "export", run=options.run, destination=options.destination, form=options.form,
            dtype=options.dtype,
        )  # fmt: skip
    if options.json:
        console.as_json(answer)
    else:
        console.line(
            f"{answer['path']}: {size(answer['bytes'])}, loaded back and agrees to "
            f"{answer['difference']:.1g}"
        )
    return DONE
