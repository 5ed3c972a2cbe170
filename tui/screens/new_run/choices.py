"""Compatible choices: the tasks of a domain, the models and data of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.config.data.registry import DATA
from engine.config.models.registry import models_of
from engine.config.run_config import REGISTRIES
from engine.config.tasks.registry import TASKS
from tui.screens.new_run.values import Values


def domains() -> dict[str, str]:
    """Return the domains that have tasks, each with its description."""
    names = dict.fromkeys(TASKS[task].domain for task in TASKS)
    return {name: ", ".join(TASKS[task].title for task in tasks_of(name)) for name in names}


def tasks_of(domain: str) -> list[str]:
    """Return the kinds of task in a domain."""
    return [task for task in TASKS if TASKS[task].domain == domain]


def domain_of(task: str) -> str:
    """Return the domain of a kind of task."""
    return TASKS[task].domain


def kinds(section: str, task: str) -> dict[str, str]:
    """Return the kinds of a section that suit a task, the default first, each with its title."""
    return {kind: REGISTRIES[section][kind].title for kind in _suitable(section, task)}


def offers(data: str, task: str) -> Mapping[str, Mapping[str, str]]:
    """Return the values that a data source offers for a task, by the field's key."""
    return DATA[data].offers(task)


def options(values: Values, name: str) -> dict[str, str]:
    """Return the values that suit a field now, each with a line about it; empty for any.

    Data of all tasks in the domain suits: the task follows it.
    """
    section, _, key = name.rpartition(".")
    task = values.kind("task")
    if name == "data.kind":
        return _data_kinds(task)
    if key == "kind":
        return kinds(section, task)
    if section == "data" and key in offers(values.kind("data"), task):
        return _offered(values.kind("data"), key, task)
    spec = values.fields[name]
    return dict.fromkeys(spec.choices or spec.suggestions, "")


def task_for(data: str, task: str, key: str = "", value: str = "") -> str:
    """Return the first task of the domain that a data source serves, ``task`` if it does.

    With ``key`` and ``value``, the first that has this value among what the source offers for it.
    """
    for other in [task, *tasks_of(domain_of(task))]:
        if _serves(data, other) and (not key or value in offers(data, other).get(key, {value: ""})):
            return other
    return task


def _data_kinds(task: str) -> dict[str, str]:
    """Return the data sources of the task, then those that other tasks of its domain have."""
    found = kinds("data", task)
    for other in tasks_of(domain_of(task)):
        for kind, title in kinds("data", other).items():
            found.setdefault(kind, _for(other, title))
    return found


def _offered(data: str, key: str, task: str) -> dict[str, str]:
    found = dict(offers(data, task)[key])
    for other in tasks_of(domain_of(task)):
        for value, about in offers(data, other).get(key, {}).items():
            found.setdefault(value, _for(other, about))
    return found


def _for(task: str, about: str) -> str:
    return f"{about}; for {TASKS[task].title}"


def _suitable(section: str, task: str) -> Sequence[str]:
    if section == "task":
        return tasks_of(domain_of(task))
    if section == "model":
        return models_of(task)
    return [kind for kind in DATA if _serves(kind, task)]


def _serves(kind: str, task: str) -> bool:
    """Return whether a source serves the task: one without offers for it does not."""
    named = DATA[kind].tasks
    return (not named or task in named) and all(offers(kind, task).values())
