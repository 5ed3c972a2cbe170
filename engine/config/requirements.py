"""The files and packages that a configuration names, looked for before a run exists."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from engine.config.run_config import RunConfig
from engine.errors import ConfigError, Problem
from engine.files.missing_path import where_instead
from engine.files.paths import expanded, is_file, is_folder
from engine.files.sanitize import plain

_FIELDS = ("path", "validation_path", "test_path")
_PATTERN = frozenset("*?[")


def check_requirements(config: RunConfig) -> None:
    """Check that the files of the data exist, and that the extras of the task are installed.

    Patterns are left to the reader of the files. Raises :class:`ConfigError` for what is missing.
    """
    problems = [*_missing_files(config), *_missing_extras(config)]
    if problems:
        raise ConfigError(problems)


def _missing_files(config: RunConfig) -> Iterator[Problem]:
    for name in _FIELDS:
        path = str(getattr(config.data, name, ""))
        if path and not _PATTERN & set(path) and not _exists(path):
            text = f"there is no file or folder {plain(path)!r}. {where_instead(expanded(path))}"
            yield Problem(f"data.{name}", text)


def _missing_extras(config: RunConfig) -> Iterator[Problem]:
    for name, extra in config.task.extras.items():
        if find_spec(extra) is None:
            install = f"Install it with: pip install 'dltui[{extra}]'."
            yield Problem(f"task.{name}", f"it needs the package {extra}. {install}")


def _exists(path: str) -> bool:
    return is_file(expanded(path)) or is_folder(expanded(path))
