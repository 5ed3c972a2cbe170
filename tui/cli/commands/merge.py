"""``dltui merge RUN[:WEIGHT] …``: one adapter of several on the same base."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter

from engine.config.combination import METHODS
from engine.errors import UserError
from engine.files.sanitize import plain
from engine.service.client import Advisor
from tui.cli import console
from tui.cli.exit_codes import DONE
from tui.format.numbers import size


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    width = max(map(len, METHODS))
    lines = [f"  {name:{width}}  {about}" for name, about in METHODS.items()]
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = "methods:\n" + "\n".join(lines)
    parser.add_argument(
        "adapters", metavar="RUN[:WEIGHT]", nargs="+",
        help="finished runs with adapters; without a weight, all weigh the same and one in all",
    )  # fmt: skip
    parser.add_argument("--name", default="combined", help="of the new run (combined)")
    parser.add_argument("--method", default="cat", choices=METHODS, metavar="METHOD", help="(cat)")
    parser.add_argument("--rank", type=int, help="of the result, for the methods with svd")
    parser.add_argument(
        "--density", type=float, default=0.5, help="share of the values that is kept (0.5)"
    )
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def execute(options: Namespace) -> int:
    """Combine; the result is a run of its own, to be tried, exported, or begun from."""
    pairs = [_pair(text, len(options.adapters)) for text in options.adapters]
    with Advisor() as advisor:
        answer = advisor.ask(
            "combine", runs=[run for run, _ in pairs], weights=[weight for _, weight in pairs],
            name=options.name, method=options.method, rank=options.rank, density=options.density,
        )  # fmt: skip
    if options.json:
        console.as_json(answer)
    else:
        console.line(f"run {answer['run']}: an adapter of {size(answer['bytes'])}")
    return DONE


def _pair(text: str, count: int) -> tuple[str, float]:
    run, colon, weight = text.partition(":")
    if not colon:
        return run, 1 / count
    try:
        return run, float(weight)
    except ValueError as error:
        raise UserError(
            f"{plain(text, 80)!r} is not of the form RUN:WEIGHT.", "A weight is a number: 0.7."
        ) from error
