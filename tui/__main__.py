"""``dltui``: opens the program, or carries out one command without a screen.

Nothing heavy is imported before it is known what is wanted, so that ``dltui --help`` is immediate.
"""

from __future__ import annotations

import io
import sys
from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

from tui.cli.commands import COMMANDS, load
from tui.cli.exit_codes import DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode gets ? instead
    known = bool(given) and given[0] in COMMANDS
    action = partial(_command, *given) if known else partial(_open, _parse_top(given))
    from tui.cli.guard import guarded  # `--help` loads nothing of the engine

    return guarded(action)


class _Version(Action):
    """Prints the version, for which much of the library is loaded, and exits."""

    def __call__(self, parser: ArgumentParser, *rest: Any) -> NoReturn:
        from importlib.metadata import version

        parser.exit(DONE, f"dltui {version('dltui')}\n")


def _parse_top(given: list[str]) -> dict[str, object]:
    """Answer ``--help``, ``--version`` and what is no command; returns the settings given."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {help}" for name, help in COMMANDS.items()]
    parser = ArgumentParser(
        prog="dltui",
        usage="dltui [COMMAND …] [--hosts HOST,…] [--plain] [--slow-link] [--images KIND]",
        description="Train neural networks from a terminal. Without a command, the program opens.",
        epilog="commands:\n" + "\n".join(lines) + "\n\n`dltui COMMAND --help` shows more.\n"
        "exit status: 0 done, 1 a run failed, 2 wrong usage or configuration, 130 ctrl+c,\n"
        "143 ended by the system (SIGTERM), `dltui run PRESET --resume auto` resumes",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    parser.add_argument(
        "--plain", dest="characters", action="store_const", const="plain",
        help="show ASCII characters only, this time",
    )  # fmt: skip
    parser.add_argument(
        "--slow-link", action="store_true", default=None,
        help="send as little as possible to the terminal, this time",
    )  # fmt: skip
    parser.add_argument(
        "--images", choices=("auto", "kitty", "sixel", "blocks", "words"),
        help="show images by these graphics of the terminal, as half blocks or in words, this time",
    )  # fmt: skip
    parser.add_argument(
        "--hosts", metavar="HOST,…",
        help="show runs of other machines too, over SSH (HOST:PROGRAM if dltui is elsewhere there)",
    )  # fmt: skip
    parser.add_argument(
        "--stdio", action="store_true", default=None,
        help="answer a dltui on another machine; started by --hosts, over SSH",
    )  # fmt: skip
    options, unknown = parser.parse_known_args(given)
    if unknown:
        import difflib

        if unknown[0].startswith("-"):
            parser.error(f"there is no option {unknown[0][:60]!a}; --help lists all")
        near = difflib.get_close_matches(unknown[0], COMMANDS, n=1)
        suggestion = f"; did you mean {near[0]}?" if near else ""
        parser.error(f"there is no command {unknown[0][:60]!a}{suggestion}")
    return {name: value for name, value in vars(options).items() if value is not None}


def _command(name: str, *given: str) -> int:
    command = load(name)
    parser = ArgumentParser(
        prog=f"dltui {name}",
        description=f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    command.arguments(parser)
    options: Namespace = parser.parse_intermixed_args(given)
    return command.execute(options)


def _open(choices: dict[str, object]) -> int:
    """Open the program, or answer another one over ``--stdio``."""
    if choices.pop("stdio", False):
        from engine.remote.server import serve

        return serve()
    from tui.app import run_app

    if "hosts" in choices:
        choices["hosts"] = (choices["hosts"],)
    return run_app(choices=choices)


if __name__ == "__main__":
    sys.exit(main())
