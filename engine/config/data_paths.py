"""The files that a configuration names, looked for before a run exists."""

from __future__ import annotations

from engine.config.run_config import RunConfig
from engine.errors import ConfigError, Problem
from engine.files.missing_path import where_instead
from engine.files.paths import expanded, is_file, is_folder
from engine.files.sanitize import plain

_FIELDS = ("path", "validation_path", "test_path")
_PATTERN = frozenset("*?[")


def check_paths(config: RunConfig) -> None:
    """Check that the files of the data exist; raises :class:`ConfigError` if one does not.

    Patterns are left to the reader of the files.
    """
    problems = [
        Problem(f"data.{name}", _problem(path))
        for name in _FIELDS
        for path in [str(getattr(config.data, name, ""))]
        if path and not _PATTERN & set(path) and not _exists(path)
    ]
    if problems:
        raise ConfigError(problems)


def _problem(path: str) -> str:
    return f"there is no file or folder {plain(path)!r}. {where_instead(expanded(path))}"


def _exists(path: str) -> bool:
    return is_file(expanded(path)) or is_folder(expanded(path))
