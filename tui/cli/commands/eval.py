"""``dltui eval RUN --tasks a,b``: benchmarks of a finished language model by lm-eval."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from engine.files.paths import anchored
from engine.service.client import Advisor
from tui.cli import console
from tui.cli.exit_codes import DONE
from tui.format.evals import evals_table

_EXAMPLES = """
examples:
  dltui eval my-run --tasks hellaswag,arc_easy --base
  dltui eval my-run --tasks my_task --include-path ./my-tasks

It needs `pip install 'dltui[eval]'`. The data of a task comes from the hub or its cache
(HF_HUB_OFFLINE=1, HF_DATASETS_OFFLINE=1), or from files that a task of your own names.
"""


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("run", metavar="RUN", help="the run, or the only one that starts so")
    parser.add_argument(
        "--tasks", required=True, type=_names, help="names of lm-eval's tasks, with commas between"
    )
    parser.add_argument("--include-path", default="", help="a folder with tasks of your own")
    parser.add_argument("--base", action="store_true", help="evaluate the base model as well")
    parser.add_argument(
        "--apply-chat-template", action="store_true", help="put questions in the chat template"
    )
    parser.add_argument("--num-fewshot", type=_count, help="examples before each question")
    parser.add_argument("--limit", type=_count, help="rows of each task at most, for a trial")
    parser.add_argument("--batch-size", type=_count, default=8, help="rows at once (8)")
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def execute(options: Namespace) -> int:
    """Evaluate, and print all results that the run has."""
    include = options.include_path and anchored(options.include_path)
    with Advisor() as advisor:
        answer = advisor.ask(
            "benchmarks", run=options.run, tasks=options.tasks, include_path=include,
            base=options.base, chat=options.apply_chat_template, shots=options.num_fewshot,
            limit=options.limit, batch_size=options.batch_size,
        )  # fmt: skip
    if options.json:
        console.as_json(answer)
    else:
        console.table(*evals_table(answer))
    return DONE


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ArgumentTypeError("give at least one task")
    return names


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)
