"""``dltui``: opens the program, or carries out one command without a screen.

Nothing heavy is imported before it is known what is wanted, so that ``dltui --help`` is immediate.
"""

from __future__ import annotations

import io
import os
import sys
from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from tui.cli.commands import COMMANDS, load
from tui.cli.exit_codes import DONE, FAILED, INTERRUPTED, USAGE


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode gets ? instead
    if given and given[0] in COMMANDS:
        name, *rest = given
        return guarded(lambda: _command(name, rest))
    choices = _parse_top(given)
    return guarded(lambda: _open(choices))


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


def _command(name: str, given: list[str]) -> int:
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
    from engine.errors import UserError

    if choices.pop("stdio", False):
        from engine.remote.server import serve

        return serve()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(
            "The program opens only in a terminal.",
            "`dltui run PRESET` trains without one, `dltui --help` lists all commands.",
        )
    from tui.app import run_app

    if "hosts" in choices:
        choices["hosts"] = (choices["hosts"],)
    return run_app(choices=choices)


def guarded(action: Callable[[], int]) -> int:
    """Run ``action``; every error becomes a line and an exit status."""
    from engine.errors import UserError
    from tui.cli import console
    from tui.terminal import crash

    try:
        status = action()
        sys.stdout.flush()
        return status
    except UserError as error:
        console.complain(error)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe; Python must not report an error on closing the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001 — the last resort: a report file and one line
        console.complain(crash.describe(error))
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
