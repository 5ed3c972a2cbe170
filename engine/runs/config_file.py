"""The file with the configuration of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ConfigError, RunError, reason_of
from engine.files import atomic, plain_paths, safe_toml
from engine.runs.imported_text import is_imported

if TYPE_CHECKING:
    from engine.config.run_config import RunConfig
    from engine.runs.imported import ImportedRun

_ASKED = "config-asked.toml"
"""The configuration before automatic values were found, if any were."""


class ConfigFile:
    """``config.toml`` of one run."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def _path(self) -> Path:
        return self._folder / "config.toml"

    def read(self) -> RunConfig:
        """Read the configuration.

        Raises :class:`RunError` when it cannot be read, and for an imported run, which has none.
        """
        text = self.text()
        if is_imported(text):
            raise _imported(text).refusal
        try:
            return _parsed(text)
        except ValueError as error:
            raise RunError(f"Cannot read {self._path}: {error}.") from error
        except ConfigError as error:
            raise RunError(f"{self._path} does not suit this version:\n{error}") from error

    def imported(self) -> ImportedRun | None:
        """Return what is known of a run that another program made; ``None`` for any other.

        Raises :class:`RunError`.
        """
        text = self.text()
        return _imported(text) if is_imported(text) else None

    def text(self) -> str:
        """Return the text of the configuration. Raises :class:`RunError`."""
        try:
            return plain_paths.read(f"{self._folder}/config.toml").decode()
        except (OSError, ValueError) as error:
            raise RunError(f"Cannot read {self._path}: {reason_of(error)}.") from error

    def write(self, config: RunConfig) -> None:
        """Write the configuration, or replace it. Raises ``OSError``."""
        atomic.write_text(self._path, _text_of(config))

    def settle(self, config: RunConfig, before: RunConfig) -> None:
        """Replace the configuration by one with values that were found; keep the one before them.

        Raises ``OSError``.
        """
        if not self._asked.exists():
            atomic.write_text(self._asked, _text_of(before))
        self.write(config)

    def asked(self) -> RunConfig:
        """Read the configuration as the run was started with; raises :class:`RunError`."""
        try:
            text = plain_paths.read(f"{self._folder}/{_ASKED}").decode()
        except FileNotFoundError:
            return self.read()
        except (OSError, ValueError) as error:
            raise RunError(f"Cannot read {self._asked}: {reason_of(error)}.") from error
        try:
            return _parsed(text)
        except (ValueError, ConfigError) as error:
            raise RunError(f"Cannot read {self._asked}: {reason_of(error)}.") from error

    @property
    def _asked(self) -> Path:
        return self._folder / _ASKED


# Lists of runs rarely parse or write a configuration, and what does it takes long to load.


def _parsed(text: str) -> RunConfig:
    from engine.config.run_config import RunConfig

    return RunConfig.parse(safe_toml.loads(text))


def _text_of(config: RunConfig) -> str:
    import tomlkit

    return tomlkit.dumps(config.values())


def _imported(text: str) -> ImportedRun:
    from engine.runs.imported import parse_imported

    return parse_imported(text)
