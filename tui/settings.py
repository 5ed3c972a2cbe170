"""The user's settings: a small file, read when the program starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.errors import UserError
from engine.files import atomic, safe_toml
from engine.files.paths import settings_file

Characters = Literal["auto", "plain", "all"]
Images = Literal["auto", "kitty", "sixel", "blocks", "words"]


@dataclass(frozen=True)
class CommandSettings:
    """A command of the user's on a key."""

    key: str
    run: str
    """A program and its arguments; ``{run}`` and ``{folder}`` stand for those of a run."""


@dataclass(frozen=True)
class Settings:
    """The settings; what a newer version has written beside them is left alone."""

    theme: str = "auto"
    """Its name; ``auto`` is the dark one, or that of high contrast among 16 colours."""
    characters: Characters = "auto"
    """Whether only plain characters are shown; ``auto`` asks the environment."""
    images: Images = "auto"
    """The display of images; ``auto`` takes the terminal's graphics, or half blocks without any."""
    hosts: tuple[str, ...] = ()
    """Machines whose runs are shown too, as ``ssh`` knows them."""
    slow_link: bool = False
    """Whether as little as possible is sent to the terminal."""
    desktop_notifications: bool = True
    """Whether the terminal is asked to show a notification when a run ends."""
    keys: dict[str, str] = field(default_factory=dict)
    """Other keys, by the names of docs/keys.md."""
    commands: dict[str, CommandSettings] = field(default_factory=dict)
    """The user's own commands by their names."""


class SettingsError(UserError):
    """The settings cannot be read or written."""


def read_settings() -> Settings:
    """The settings as they were left, the usual ones at first. Raises :class:`SettingsError`."""
    path = settings_file()
    try:
        values = safe_toml.read(path)
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise SettingsError(f"Cannot read {path}: {error.strerror}.") from error
    except safe_toml.TomlError as error:
        raise SettingsError(f"{path} is not a TOML file: {error}.") from error
    return _validated(values, str(path))


def _validated(values: Mapping[str, Any], path: str) -> Settings:
    from pydantic import TypeAdapter, ValidationError  # a start without a file need not wait for it

    try:
        return TypeAdapter(Settings).validate_python(values)
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        raise SettingsError(f"{path}, {name}: {problem['msg']}.") from error


def write_settings(choices: Mapping[str, object]) -> None:
    """Keep what was chosen, beside the rest. Raises :class:`SettingsError`.

    A file that cannot be read is replaced.
    """
    import tomlkit  # a start need not wait for it

    path = settings_file()
    try:
        safe_toml.read(path)
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
    except (OSError, safe_toml.TomlError, tomlkit.exceptions.ParseError):
        document = tomlkit.document()
    document.update(choices)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.write_text(path, tomlkit.dumps(document))
    except OSError as error:
        raise SettingsError(f"Cannot write {path}: {error.strerror}.") from error
