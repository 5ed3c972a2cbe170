"""The file with the final metrics and views of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import RunError
from engine.files import safe_json


class ReportFile:
    """``report.json`` of one run."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def path(self) -> Path:
        """The file."""
        return self._folder / "report.json"

    def read(self) -> dict[str, Any] | None:
        """Return the final report; ``None`` before there is one. Raises :class:`RunError`."""
        try:
            report = safe_json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RunError(f"Cannot read {self.path}: {error}.") from error
        return report if isinstance(report, dict) else None
