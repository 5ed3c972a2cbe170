"""Whom a run notifies, and of what: the table ``notify`` of the user's settings.

The addresses hold secrets, so they stay in that file: no run, event or message has them.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from engine.errors import UserError
from engine.files import safe_toml
from engine.files.paths import settings_file

Occasion = Literal["finished", "failed", "stalled", "disk"]
_BOUND = re.compile(r"\s*([\w/@.-]+)\s*(>=|<=|>|<)\s*([-+.\de]+)\s*")
_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


class NotifyError(UserError):
    """The settings of notifications cannot be read, or a service is not available."""


@dataclass(frozen=True)
class Bound:
    """A value of a metric that is waited for, as in ``accuracy>0.9``."""

    metric: str
    relation: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Bound:
        """Parse a bound; raises ``ValueError``."""
        if not (match := _BOUND.fullmatch(text)):
            raise ValueError(f"{text[:60]!r} is not of the form accuracy>0.9")
        return cls(match[1], match[2], float(match[3]))

    def reached(self, metrics: dict[str, Any]) -> bool:
        """Return whether the metrics have a value beyond the bound."""
        value = metrics.get(self.metric)
        return value is not None and _RELATIONS[self.relation](float(value), self.value)


class NotifySettings(BaseModel):
    """The table's fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls: tuple[str, ...] = ()
    """Addresses as apprise writes them: ``ntfy://topic``, ``slack://…``, ``mailto://…``."""
    on: tuple[Occasion, ...] = ("finished", "failed", "stalled", "disk")
    """Occasions; a run that was stopped or interrupted counts as finished."""
    metrics: tuple[str, ...] = ()
    """Values of metrics on the validation split, such as ``accuracy>0.9``."""

    @field_validator("metrics")
    @classmethod
    def _are_bounds(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            Bound.parse(value)
        return values

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The values that are waited for."""
        return tuple(map(Bound.parse, self.metrics))


def read_notify_settings() -> NotifySettings:
    """Read the table; without one there are no notifications. Raises :class:`NotifyError`."""
    path = settings_file()
    try:
        return NotifySettings.model_validate(safe_toml.read(path).get("notify", {}))
    except FileNotFoundError:
        return NotifySettings()
    except OSError as error:
        raise NotifyError(f"Cannot read {path}: {error.strerror}.") from error
    except safe_toml.TomlError as error:
        raise NotifyError(f"{path} is not a TOML file: {error}.") from error
    except ValidationError as error:
        # Without the values: they may be secrets.
        problem = error.errors(include_input=False)[0]
        field = ".".join(map(str, ("notify", *problem["loc"])))
        raise NotifyError(f"{path}, {field}: {problem['msg']}.") from error
