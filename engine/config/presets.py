"""Presets: experiments that are kept by name, the shipped ones and the user's own.

A preset is one TOML file with the fields of :class:`~engine.config.run_config.RunConfig` that
differ from their defaults. A user's preset hides a shipped one of the same name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomlkit

from engine.config.models.registry import MODELS, models_of
from engine.config.needs import needs_of
from engine.config.run_config import RunConfig, parse_overridden
from engine.config.tasks.registry import TASKS
from engine.config.usual_name import usual_name
from engine.errors import PresetError, UserError
from engine.files import atomic, safe_toml
from engine.files.paths import expanded, is_file, is_folder, presets_folder
from engine.files.slugs import NAME_RULE, is_name


@dataclasses.dataclass(frozen=True, slots=True)
class Preset:
    """A preset's place, and for those of a list the few things that it shows of them."""

    name: str
    path: Path
    shipped: bool
    title: str = ""
    task: str = ""
    needs: tuple[str, ...] = ()
    """Its needs beside this program, each in a word."""
    problem: str = ""
    """Why it cannot be used, empty when it can be read."""


def list_presets() -> list[Preset]:
    """All presets by name; one that cannot be read carries its problem."""
    return [_described(preset) for preset in _all_presets()]


def find_preset(name: str) -> Preset:
    """The preset called ``name``, or the file at that path, which is not looked into.

    Raises :class:`PresetError`.
    """
    if name.endswith(".toml") or "/" in name:
        path = expanded(name)
        if not is_file(path):
            raise (
                _no_preset(name)
                if is_folder(path)
                else PresetError(f"There is no file {name[:200]!r}.")
            )
        return Preset(path.stem, path, shipped=False)
    known = {preset.name: preset for preset in _all_presets()}
    if name in known:
        return known[name]
    path = expanded(name)
    if is_file(path) or is_folder(path):
        raise _no_preset(name)
    near = difflib.get_close_matches(name[:80], known, n=1)
    suggestion = f"Did you mean {near[0]}? " if near else ""
    missing = "preset and no file" if path.suffix else "preset"
    raise PresetError(
        f"There is no {missing} {name[:80]!r}.", f"{suggestion}`dltui presets` lists all."
    )


def load_preset(preset: Preset, assignments: Sequence[str] = ()) -> RunConfig:
    """The experiment of a preset, with ``field=value`` texts applied.

    Raises :class:`PresetError` for the file, :class:`ConfigError` for what is in it.
    """
    values = {"name": preset.name if is_name(preset.name) else "run"} | _read(preset.path)
    return parse_overridden(values, assignments)


def without_preset(assignments: Sequence[str]) -> RunConfig:
    """The experiment of ``field=value`` texts alone.

    Without a model it is the first of the task's, without a name it is called after its data and
    model; a path alone is that of local files.

    Raises :class:`PresetError` where task or data are missing, :class:`ConfigError` for wrong
    fields.
    """
    given = {
        name.strip(): value.strip()
        for name, _, value in (text.partition("=") for text in assignments)
    }
    task = given.get("task.kind", "")
    usual = {"model.kind": next(iter(models_of(task) if task in TASKS else MODELS))}
    if "data.path" in given:
        usual["data.kind"] = "file"
    if not {"task.kind", "data.kind"} <= given.keys() | usual.keys():
        raise PresetError(
            "Name a preset to train, and behind it what differs.",
            "`dltui presets` lists all. Without one, task.kind and data.path or data.kind are "
            "needed.",
        )
    added = [f"{name}={value}" for name, value in usual.items() if name not in given]
    config = parse_overridden({}, [*added, *assignments])
    if "name" in given:
        return config
    return config.override([f"name={usual_name(config.values())}"])


def experiment_of(first: str, assignments: Sequence[str]) -> RunConfig:
    """The experiment of a preset with what differs, or of fields alone where ``first`` is one, too.

    Raises :class:`PresetError` and :class:`ConfigError`.
    """
    if first and not needs_no_preset(first):
        return load_preset(find_preset(first), assignments)
    return without_preset([first, *assignments] if first else [])


def needs_no_preset(first: str) -> bool:
    """Return whether the first word of a command is a field, not a preset or its file."""
    return "=" in first and not is_file(expanded(first))


def usable_presets() -> dict[str, RunConfig]:
    """The experiments of all presets that have no problem, by name."""
    found = {}
    for preset in _all_presets():
        with contextlib.suppress(UserError):
            found[preset.name] = load_preset(preset)
    return found


def save_preset(name: str, config: RunConfig, replace: bool = False) -> Preset:
    """Keep an experiment under ``name`` among the user's presets. Raises :class:`PresetError`."""
    if not is_name(name):
        raise PresetError(f"{name[:80]!r} cannot name a preset:", NAME_RULE + ".")
    path = presets_folder() / f"{name}.toml"
    if path.exists() and not replace:
        raise PresetError(f"There is a preset {name} already.")
    values = config.changes()
    values.pop("name", None)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.write_text(path, tomlkit.dumps(values))
    except OSError as error:
        raise PresetError(f"Cannot write {path}: {error.strerror}.") from error
    return Preset(name, path, shipped=False)


def delete_preset(preset: Preset) -> None:
    """Delete one of the user's presets. Raises :class:`PresetError`."""
    if preset.shipped:
        raise PresetError(f"{preset.name} came with the program and stays.")
    try:
        preset.path.unlink()
    except OSError as error:
        raise PresetError(f"Cannot delete {preset.path}: {error.strerror}.") from error


def _shipped_folder() -> Path:
    return Path(str(files("presets")))


def _toml_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob("*.toml") if is_name(path.stem))
    except OSError:
        return []


def _all_presets() -> list[Preset]:
    """Return the files of the presets by name; the user's own hide shipped ones."""
    found: dict[str, Preset] = {}
    for folder, shipped in ((_shipped_folder(), True), (presets_folder(), False)):
        found |= {path.stem: Preset(path.stem, path, shipped) for path in _toml_files(folder)}
    return [found[name] for name in sorted(found)]


def _described(preset: Preset) -> Preset:
    """With what is in it, or why that is no experiment."""
    try:
        config = load_preset(preset)
    except UserError as error:
        return dataclasses.replace(preset, problem=str(error))
    return dataclasses.replace(
        preset, title=config.title, task=config.task.kind, needs=needs_of(config)
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return safe_toml.read(path)
    except OSError as error:
        raise PresetError(f"Cannot read {path}: {error.strerror}.") from error
    except safe_toml.TomlError as error:
        if path.suffix != ".toml":
            raise _no_preset(str(path)) from error
        raise PresetError(f"{path.name} is not a TOML file: {error}.") from error


def _no_preset(path: str) -> PresetError:
    """Return the error of a file or folder of data where a preset belongs."""
    return PresetError(
        f"{path[:200]!r} is not a preset.",
        f"If it is data, name a preset, and behind it data.path={path[:200]}; `dltui presets` "
        "lists all.",
    )
