"""What suits what: the tasks of a domain, the models and data of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.config.data.registry import DATA
from engine.config.models.registry import models_of
from engine.config.run_config import REGISTRIES
from engine.config.tasks.registry import TASKS


def domains() -> dict[str, str]:
    """The domains that have tasks, each with what they are."""
    names = dict.fromkeys(TASKS[task].domain for task in TASKS)
    return {name: ", ".join(TASKS[task].title for task in tasks_of(name)) for name in names}


def tasks_of(domain: str) -> list[str]:
    """The kinds of task in a domain."""
    return [task for task in TASKS if TASKS[task].domain == domain]


def domain_of(task: str) -> str:
    """The domain of a kind of task."""
    return TASKS[task].domain


def kinds(section: str, task: str) -> dict[str, str]:
    """The kinds of a section that suit a task, the usual one first, each with its title."""
    return {kind: REGISTRIES[section][kind].title for kind in _suitable(section, task)}


def offers(data: str, task: str) -> Mapping[str, Mapping[str, str]]:
    """Values that a data source offers for a task, by the key of the field."""
    return DATA[data].offers(task)


def _suitable(section: str, task: str) -> Sequence[str]:
    if section == "task":
        return tasks_of(domain_of(task))
    if section == "model":
        return models_of(task)
    return [kind for kind in DATA if _serves(kind, task)]


def _serves(kind: str, task: str) -> bool:
    """A source that has nothing to offer for the task does not serve it."""
    named = DATA[kind].tasks
    return (not named or task in named) and all(offers(kind, task).values())
