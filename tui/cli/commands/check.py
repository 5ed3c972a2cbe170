"""``dltui check``: before a run, whether its data is sound, or whether a model suits a task."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

from engine.config.adapter import AdapterConfig
from engine.config.combination import LARGEST_RANK
from engine.config.models.registry import models_of
from engine.config.tasks.registry import TASKS
from engine.errors import UserError
from engine.files.paths import expanded, is_folder, runs_folder
from engine.reports.model_check import ModelCheck
from engine.service.client import Advisor
from tui.cli import console
from tui.cli.cost import Cost
from tui.cli.data_check import check_data
from tui.cli.exit_codes import DONE
from tui.format.model_check import facts, layers_table

_EXAMPLES = """
examples:
  dltui check adult-mlp                                   (the data of a preset)
  dltui check adult-mlp data.path=mine.csv task.target=price
  dltui check adult-mlp --measure                         (memory and time, too)
  dltui check mine.csv task.kind=tabular_classification   (a file)
  dltui check Qwen/Qwen3-0.6B --task causal_lm            (a model)
  dltui check ./my-model --task text_classification
  dltui check resnet18 --task image_classification

Data is checked for duplicates within and across splits, columns that leak the target, drift, labels
that are likely wrong, classes that are too small, identifiers and constant columns. Each finding
has the rows, and the change of the configuration that removes it. Below the findings is the table
of conversions, omissions and doubts: how the data was read.

Of a model, only the names and shapes of the weights are read, of a model on the hub
too. A model that does not suit the task is refused with the reason and exit status 2.
"""
_OF_TRANSFORMERS = (
    "transformer", "image_transformer", "segmentation_transformer", "detection_transformer",
)  # fmt: skip


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "subject", metavar="PRESET|FILE|MODEL",
        help="a preset, a file of data, or the first of fields that need no preset; with --task a "
        "model: its name on the hub, a folder, the full name of a finished run, or a name of "
        "torchvision",
    )  # fmt: skip
    parser.add_argument(
        "assignments", metavar="field=value", nargs="*", help="what differs from the preset"
    )
    parser.add_argument(
        "--task", choices=_tasks(), metavar="TASK",
        help=f"check a model for this task: {', '.join(_tasks())}",
    )  # fmt: skip
    parser.add_argument("--revision", default="main", help="branch, tag or commit (main)")
    parser.add_argument(
        "--rank", type=_rank, default=AdapterConfig().r, help="LoRA rank to count parameters at (8)"
    )
    parser.add_argument(
        "--cost", action="store_true", help="memory, disk and time of the run, too; the time goes "
        "by earlier runs with these settings on this machine",
    )  # fmt: skip
    parser.add_argument(
        "--measure", action="store_true", help="like --cost, with the time measured: train for "
        "some updates and an evaluation, without keeping a run",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def execute(options: Namespace) -> int:
    """Check the data, or with ``--task`` the model."""
    if options.task is None:
        cost: Cost | None = "measured" if options.measure else "known" if options.cost else None
        return check_data(options.subject, options.assignments, options.json, cost)
    if options.cost or options.measure:
        raise UserError("--cost is of a run: give a preset or a file of data, without --task.")
    if options.assignments:
        raise UserError("A model is checked with --task alone.", "Leave the fields out.")
    with Advisor() as advisor:
        values = {"task": {"kind": options.task}, "model": _model(options)}
        answer = advisor.ask("check", values=values)
    if options.json:
        console.as_json(answer)
        return DONE
    check = ModelCheck.from_record(answer)
    console.facts(facts(check, options.rank))
    if check.groups:
        console.line()
        console.table(*layers_table(check.groups, options.rank))
    return DONE


def _rank(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= LARGEST_RANK):
        raise ArgumentTypeError(f"a rank is a whole number from 1 to {LARGEST_RANK:,}")
    return int(text)


def _tasks() -> tuple[str, ...]:
    """Return the tasks that have models of transformers or torchvision."""
    return tuple(kind for kind in TASKS if set(_OF_TRANSFORMERS) & set(models_of(kind)))


def _model(options: Namespace) -> dict[str, Any]:
    kind = next(kind for kind in _OF_TRANSFORMERS if kind in models_of(options.task))
    if kind == "transformer" or _is_path(options.subject):
        return {"kind": kind, "path": options.subject, "revision": options.revision}
    named = next(kind for kind in models_of(options.task) if kind.startswith("torchvision"))
    return {"kind": named, "name": options.subject}


def _is_path(name: str) -> bool:
    """Return whether a name is a folder, a model on the hub, or a run, and none of torchvision."""
    return "/" in name or is_folder(expanded(name)) or is_folder(runs_folder() / name)
