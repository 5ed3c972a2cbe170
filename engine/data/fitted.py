"""The state that a task fits on its training rows."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class FileFormat(BaseModel):
    """The format of a CSV file, as it was given or found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: str
    header: Literal["yes", "no"]
    decimal: str = ""
    """Decimal mark of the numbers, if it is a comma: that of files which leave it open."""


class Fitted(BaseModel):
    """State that a task fitted on the training rows; JSON, no code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_format: FileFormat | None = None
    """Format of the training file, by which later files are read; ``None`` for one without any."""

    @property
    def numeric_columns(self) -> frozenset[str]:
        """Columns of numbers, whatever marks those of the training rows have in their texts."""
        return frozenset()

    @property
    def preparation(self) -> str:
        """Sentences on how a program has to prepare an image; empty for other inputs."""
        return ""
