"""The files with metrics and views of a run: the final ones, and those before the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import RunError, reason_of
from engine.files import safe_json


class ReportFile:
    """One report of a run."""

    __slots__ = ("_folder", "_name")

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name

    @property
    def path(self) -> Path:
        """The file."""
        return self._folder / self._name

    def read(self) -> dict[str, Any] | None:
        """Return the report; ``None`` before there is one. Raises :class:`RunError`."""
        try:
            report = safe_json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RunError(f"Cannot read {self.path}: {reason_of(error)}.") from error
        return report if isinstance(report, dict) else None
