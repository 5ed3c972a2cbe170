"""The errors that a user may see.

UserError              something the user can mend: the message says what, where and what to do
├── ConfigError        values of a configuration, one problem a field
├── PresetError        a preset that cannot be found, read, saved or deleted
├── DataError          a data set that cannot be found, read or used for the task
├── RunError           a run directory that is missing, locked or damaged
└── TrainingError      a training that the configuration does not allow
    └── TrainingFailed     a training that cannot go on (the loss became NaN, memory ran out)

Anything else that is raised is a defect of the program and leaves a report file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class UserError(Exception):
    """An error that the user can correct; its text is shown as it is."""

    usage: ClassVar[bool] = True
    """Whether usage, configuration or data are wrong, for the exit status."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message if not hint else f"{message} {hint}")
        self.message = message
        self.hint = hint


def reason_of(error: Exception) -> str:
    """Return what an error says, that of the system without its number and the path once more."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error in one field of a configuration."""

    field: str
    """Dotted name, as in ``train.learning_rate``; empty for the whole."""
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class ConfigError(UserError):
    """One or more fields of a configuration are wrong; ``str()`` gives one line a field."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class PresetError(UserError):
    """A preset cannot be found, read, saved or deleted."""


class DataError(UserError):
    """A data set cannot be found or read, or does not suit the task."""


class RunError(UserError):
    """A run directory is missing, in use or damaged."""


class TrainingError(UserError):
    """The training cannot be started or resumed as it is configured."""


class TrainingFailed(TrainingError):
    """The training was started and cannot continue, whatever its configuration."""

    usage = False
