"""A run that another program made: it can be compared, and nothing else.

Its ``config.toml`` has a table ``imported`` in place of a configuration of this program.
"""

from __future__ import annotations

from typing import Any, Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import RunError
from engine.files import safe_toml
from engine.files.sanitize import plain
from engine.runs.imported_text import is_imported

_HEADING = "# A run of another program, imported for comparing.\n"
_FIELDS = {
    "train.learning_rate": ("learning_rate", "lr", "optimizer.lr", "lr0"),
    "train.batch_size": (
        "batch_size",
        "train_batch_size",
        "per_device_train_batch_size",
        "batch",
    ),
    "train.epochs": ("epochs", "num_train_epochs", "max_epochs", "n_epochs"),
    "train.weight_decay": ("weight_decay",),
    "train.seed": ("seed",),
}
"""Fields of this program, and what others call them."""
_SAME = {name: field for field, names in _FIELDS.items() for name in names}


class ImportedRun(BaseModel):
    """The table ``imported``."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(max_length=200)
    program: str = Field(max_length=40)
    """The program that made it."""
    source: str = Field(max_length=4096)
    """The file or folder that it was read from."""
    fingerprint: str = Field(default="", max_length=2000)
    """Sizes and times of the files that were read."""
    model: str = Field(default="", max_length=200)
    metric: str = Field(default="", max_length=200)
    """The metric by which the best evaluation was found."""
    metrics: dict[str, Literal["higher", "lower", "unknown"]] = {}
    """The better direction of each metric."""
    settings: dict[str, str | int | float | bool] = {}

    @property
    def fields(self) -> dict[str, str | int | float | bool]:
        """The settings, under this program's names where it has the same field."""
        return {_SAME.get(name, name): value for name, value in self.settings.items()}

    @property
    def refusal(self) -> RunError:
        """An error that says what cannot be done with the run."""
        return RunError(
            f"{plain(self.name)} was imported from {self.program}.",
            "It can be compared, but not resumed, cloned, tried or exported: its model and data "
            "are not here.",
        )

    def text(self) -> str:
        """Return the content of ``config.toml``."""
        values: dict[str, Any] = {"imported": self.model_dump(mode="json")}
        return _HEADING + tomlkit.dumps(values)


def parse_imported(text: str) -> ImportedRun:
    """Parse the ``config.toml`` of an imported run. Raises :class:`RunError`."""
    try:
        return ImportedRun.model_validate(safe_toml.loads(text)["imported"])
    except (ValidationError, ValueError, KeyError) as error:
        raise RunError("The description of the imported run is damaged.") from error


def refuse_imported(text: str) -> None:
    """Raise :class:`RunError` for the ``config.toml`` of an imported run."""
    if is_imported(text):
        raise parse_imported(text).refusal
