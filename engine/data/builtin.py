"""Data that the program carries, so that every task runs without a network or files."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from pydantic_core import PydanticCustomError
from pydantic import field_validator

from engine.data.section import DataConfig
from engine.fields import option

if TYPE_CHECKING:
    from engine.data.raw import RawData

BUILTIN: dict[str, tuple[str, str]] = {
    "digits": ("engine.data.toy:digits", "1,797 handwritten digits, 8×8 pixels, 10 classes"),
    "iris": ("engine.data.toy:iris", "150 flowers, 4 measures, 3 species"),
    "wine": ("engine.data.toy:wine", "178 wines, 13 measures, 3 growers"),
    "breast-cancer": ("engine.data.toy:breast_cancer", "569 tumours, 30 measures, 2 classes"),
    "diabetes": ("engine.data.toy:diabetes", "442 patients, 10 measures, progression in a year"),
}
"""By name: the function that makes the data, and a line about it."""


class BuiltinConfig(DataConfig):
    """One of the data sets that come with the program."""

    kind: Literal["builtin"] = "builtin"
    title = "built-in data"

    name: str = option("digits", "Which data set", suggestions=tuple(BUILTIN))

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in BUILTIN:
            raise PydanticCustomError(
                "not_allowed", "there is {known}", {"known": ", ".join(BUILTIN)}
            )
        return value

    @property
    def label(self) -> str:
        """The name."""
        return self.name

    def load(self) -> RawData:
        """Make the data; it is the same every time."""
        module, _, function = BUILTIN[self.name][0].partition(":")
        make: Callable[[], RawData] = getattr(import_module(module), function)
        return make()
