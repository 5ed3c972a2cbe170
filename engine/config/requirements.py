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
_PACKAGES = {"quant": "bitsandbytes"}
"""The module of an extra that is called otherwise."""
_OWNERS = {"timm/": "timm", "amazon/chronos-": "chronos"}
"""Extras of models, by how their names on the hub begin."""


def check_requirements(config: RunConfig) -> None:
    """Check that the files of the data exist, and that its extras are installed.

    Patterns are left to the reader of the files. Raises :class:`ConfigError` for what is missing.
    """
    problems = [*_missing_files(config), *missing_extras(config)]
    if problems:
        raise ConfigError(problems)


def _missing_files(config: RunConfig) -> Iterator[Problem]:
    for name in _FIELDS:
        path = str(getattr(config.data, name, ""))
        if path and not _PATTERN & set(path) and not _exists(path):
            text = f"there is no file or folder {plain(path)!r}. {where_instead(expanded(path))}"
            yield Problem(f"data.{name}", text)


def missing_extras(config: RunConfig) -> Iterator[Problem]:
    """Yield a problem for each field that asks for an extra which is not installed."""
    for name, extra in _extras(config):
        package = _PACKAGES.get(extra, extra)
        if find_spec(package) is None:
            install = f"Install it with: pip install 'dltui[{extra}]'."
            yield Problem(name, f"it needs the package {package}. {install}")


def _extras(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Yield fields that ask for an extra as they are set, with the extra."""
    yield from ((f"task.{name}", extra) for name, extra in config.task.extras.items())
    yield from (("train.report_to", logger) for logger in config.train.report_to)
    if config.train.optimizer.endswith("_8bit"):
        yield "train.optimizer", "quant"
    if config.adapter.quantization != "none":
        yield "adapter.quantization", "quant"
    path = str(getattr(config.model, "path", ""))
    yield from (("model.path", extra) for begin, extra in _OWNERS.items() if path.startswith(begin))


def _exists(path: str) -> bool:
    return is_file(expanded(path)) or is_folder(expanded(path))
