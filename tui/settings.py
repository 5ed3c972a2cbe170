"""The user's settings: a small file, read when the program starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import UserError
from engine.files import safe_toml
from engine.files.paths import settings_file

Characters = Literal["auto", "plain", "all"]


class CommandSettings(BaseModel):
    """A command of the user's on a key."""

    model_config = ConfigDict(frozen=True)

    key: str
    run: str
    """A program and its arguments; ``{run}`` and ``{folder}`` stand for those of a run."""


class Settings(BaseModel):
    """The settings; what a newer version has written beside them is left alone."""

    model_config = ConfigDict(frozen=True)

    theme: str = "auto"
    """Its name; ``auto`` is the dark one, or that of high contrast among 16 colours."""
    characters: Characters = "auto"
    """Whether only plain characters are shown; ``auto`` asks the environment."""
    slow_link: bool = False
    """Whether as little as possible is sent to the terminal."""
    keys: dict[str, str] = Field(default_factory=dict)
    """Other keys, by the names of docs/keys.md."""
    commands: dict[str, CommandSettings] = Field(default_factory=dict)
    """The user's own commands by their names."""


class SettingsError(UserError):
    """The settings cannot be read or written."""


def read_settings() -> Settings:
    """The settings as they were left, the usual ones at first. Raises :class:`SettingsError`."""
    path = settings_file()
    try:
        return Settings.model_validate(safe_toml.read(path))
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise SettingsError(f"Cannot read {path}: {error.strerror}.") from error
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"]))
        raise SettingsError(f"{path}, {field}: {problem['msg']}.") from error
    except safe_toml.TomlError as error:
        raise SettingsError(f"{path} is not a TOML file: {error}.") from error


def write_settings(choices: Mapping[str, object]) -> None:
    """Keep what was chosen, beside the rest. Raises :class:`SettingsError`.

    A file that cannot be read is replaced.
    """
    import tomlkit
    from tomlkit.exceptions import ParseError

    from engine.files import atomic

    path = settings_file()
    try:
        safe_toml.read(path)
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
    except (OSError, safe_toml.TomlError, ParseError):
        document = tomlkit.document()
    document.update(choices)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.write_text(path, tomlkit.dumps(document))
    except OSError as error:
        raise SettingsError(f"Cannot write {path}: {error.strerror}.") from error
