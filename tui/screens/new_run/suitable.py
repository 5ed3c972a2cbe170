"""Values that suit each other: model and data follow the task, the rest of the data its source."""

from __future__ import annotations

import copy

from engine.config.overrides import Tree, look_up
from engine.config.run_config import REGISTRIES
from engine.config.tasks.registry import TASKS
from tui.screens.new_run import choices
from tui.screens.new_run.values import Values

_PATH = "data.path"
_BEST = "train.metric_for_best_model"


def complete(chosen: Tree) -> Values:
    """Return values with a kind for each section; sections of an unknown kind start afresh."""
    known = copy.deepcopy(chosen)
    for section in REGISTRIES:
        if look_up(known, f"{section}.kind") not in REGISTRIES[section]:
            known.pop(section, None)
    known.setdefault("task", {"kind": next(iter(TASKS))})
    return follow_task(Values(known))


def follow_task(values: Values) -> Values:
    """Return the values with model, data and metric kept if they suit the task, else defaults."""
    chosen, task = copy.deepcopy(values.chosen), values.kind("task")
    for section in ("model", "data"):
        kinds = list(choices.kinds(section, task))
        if look_up(chosen, f"{section}.kind") not in kinds:
            chosen[section] = {"kind": kinds[0]}
    suited = follow_data(Values(chosen))
    metric = look_up(chosen, _BEST)
    names = [metric.name for metric in TASKS[task].metrics]
    return suited.without(_BEST) if metric and metric not in names else suited


def keep_path(values: Values, before: Values) -> Values:
    """Return values of another data source with the path of the one before, if both have one."""
    if not {_PATH} <= values.fields.keys() & before.fields.keys():
        return values
    path = before.text(_PATH)
    return values.with_text(_PATH, path) if path else values


def with_task_for(values: Values, name: str, text: str) -> Values:
    """Return the values with a task that suits the data that is about to be chosen."""
    section, _, key = name.partition(".")
    if section != "data":
        return values
    task = values.kind("task")
    if key == "kind":
        suited = choices.task_for(text, task)
    else:
        suited = choices.task_for(values.kind("data"), task, key, text)
    return values if suited == task else follow_task(values.with_text("task.kind", suited))


def follow_data(values: Values) -> Values:
    """Return the values with those of the data among the ones that their source offers."""
    chosen = copy.deepcopy(values.chosen)
    for key, offered in choices.offers(values.kind("data"), values.kind("task")).items():
        if offered and chosen["data"].get(key) not in offered:
            chosen["data"][key] = next(iter(offered))
    return Values(chosen)
