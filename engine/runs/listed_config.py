"""The parts of a run's configuration that a list shows, read quickly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pydantic import ValidationError

from engine.config.data.registry import DATA
from engine.config.models.registry import MODELS
from engine.config.run_config import RunConfig
from engine.config.tasks.base import TaskConfig
from engine.config.tasks.registry import TASKS
from engine.errors import RunError
from engine.files import safe_toml
from engine.files.sanitize import plain
from engine.runs.directory import RunDirectory
from engine.runs.imported import parse_imported
from engine.runs.imported_text import is_imported

_LISTED = ("task", "data", "model")
_NAME = re.compile(r'^name = "([a-z0-9._-]+)"$', re.MULTILINE)
_DECIDES = re.compile(r'^metric_for_best_model = (?:"(\w*)")?', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ListedConfig:
    """The parts of a configuration that a list shows."""

    name: str
    task: str = ""
    data: str = ""
    model: str = ""
    metric: str = ""
    problem: str = ""


def listed_config(run: RunDirectory) -> ListedConfig:
    """Read the parts of a configuration that a list shows.

    Reading and validating whole files would take most of the time of a long list. The sections of
    most runs are the same. So only what is shown is read, each different text once.
    """
    try:
        text = run.config.text()
        return _of_others(text) or _quickly(text) or _described(run.config.read())
    except RunError as error:
        return ListedConfig(run.id, problem=str(error))


def _of_others(text: str) -> ListedConfig | None:
    """Return what is shown of an imported run; ``None`` for any other. Raises ``RunError``."""
    if not is_imported(text):
        return None
    imported = parse_imported(text)
    return ListedConfig(
        plain(imported.name),
        data=imported.program,
        model=plain(imported.model) or f"({imported.program})",
        metric=plain(imported.metric),
    )


def _quickly(text: str) -> ListedConfig | None:
    """Parse a file as the program writes it; ``None`` for any other."""
    head, *sections = text.split("\n[")
    name, decides = _NAME.search(head), _DECIDES.search(text)
    if '"""' in text or "'''" in text or not name or (decides and decides[1] is None):
        return None
    wanted = "".join(f"[{part}" for part in sections if part.partition("]")[0] in _LISTED)
    try:
        task, data, model = _parsed(wanted)
        return ListedConfig(
            name[1], task.kind, data, model, task.metric(decides[1] if decides else "").name
        )
    except (ValidationError, ValueError, KeyError):
        return None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[TaskConfig, str, str]:
    values = safe_toml.loads(text)
    return (
        TASKS.parse(values["task"]),
        DATA.parse(values["data"]).label,
        MODELS.parse(values["model"]).kind,
    )


def _described(config: RunConfig) -> ListedConfig:
    return ListedConfig(
        config.name,
        config.task.kind,
        config.data.label,
        config.model.kind,
        config.task.metric(config.train.metric_for_best_model).name,
    )
