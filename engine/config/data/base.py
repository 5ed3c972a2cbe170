"""The section that says where the data comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from engine.config.fields import option
from engine.config.registry import TaggedSection


class DataConfig(TaggedSection):
    """A data source's fields. Splits that a source lacks are cut from the training rows."""

    text_implementation: ClassVar[str] = ""
    """``package.module:name`` of what reads the cells as they are written, for tasks on text; empty
    where ``implementation`` does."""
    tasks: ClassVar[tuple[str, ...]] = ()
    """Kinds of task that it can serve; empty for all."""

    validation_fraction: float = option(
        0.15, "Fraction of the rows for the validation split, where the source has none", ge=0, lt=1
    )
    test_fraction: float = option(
        0.15, "Fraction of the rows for the test split, where the source has none", ge=0, lt=1
    )
    max_samples: int | None = option(
        None,
        "Maximum number of training rows, drawn at random; validation and test rows are all used",
        ge=1,
        advanced=True,
    )
    split_seed: int = option(0, "Random seed of the splits", ge=0, advanced=True)

    @classmethod
    def offers(cls, task: str) -> dict[str, Mapping[str, str]]:
        """Values that suit ``task``, each with a line about it, for fields that have a known few.

        By the key of the field; the first value is the usual one.
        """
        del task
        return {}

    def anchored(self) -> DataConfig:
        """The same with absolute paths: a run may be resumed from another folder."""
        return self

    @property
    def label(self) -> str:
        """A short name of the data for lists."""
        raise NotImplementedError
