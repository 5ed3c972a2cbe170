"""The section that says where the data comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from engine.config.data.columns import TYPES, ColumnSetting, ColumnType, parse_setting
from engine.config.data.row_names import parse_row
from engine.config.fields import option
from engine.config.registry import TaggedSection
from engine.files.sanitize import plain


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
    group: str = option(
        "",
        "Column of groups, such as patients, that stay whole: none is in two splits",
        column=True,
        found=False,
        advanced=True,
    )
    time: str = option(
        "",
        "Column of times to split by: train on the past, validate and test on what came later",
        column=True,
        found=False,
        advanced=True,
    )
    folds: int | None = option(
        None,
        "Number of folds of a cross-validation; the test split is one of them",
        ge=2,
        le=1000,
        advanced=True,
    )
    fold: int = option(1, "Fold that is the test split, from 1 to data.folds", ge=1, advanced=True)
    split_seed: int = option(0, "Random seed of the splits", ge=0, advanced=True)
    columns: dict[str, str] = option(
        {},
        "Types of columns, where the detected ones are wrong: zip=text, when=date %d/%m/%Y",
        suggestions=tuple(TYPES),
        column=True,
        advanced=True,
    )
    duplicates: Literal["keep", "drop", "train"] = option(
        "keep",
        "Duplicate rows, equal in all columns that are not ignored: keep them, drop all but the "
        "first, or train: move those of the training rows out of the other splits",
        advanced=True,
    )
    drop_rows: tuple[str, ...] = option(
        (),
        "Rows to leave out, as dltui check names them: split:row:fingerprint, such as "
        "train:17:5f0c93ab",
        advanced=True,
    )

    mark_rows: tuple[str, ...] = option(
        (),
        "Rows that were looked at and are right: they stay, are counted, and dltui check does not "
        "name them again",
        advanced=True,
    )

    @field_validator("drop_rows", "mark_rows")
    @classmethod
    def _rows_have_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if parse_row(text) is None:
                raise PydanticCustomError(
                    "not_allowed",
                    "{row} names no row; it is written split:row:fingerprint, such as "
                    "train:17:5f0c93ab",
                    {"row": plain(text, 60)},
                )
        return value

    @field_validator("columns")
    @classmethod
    def _types_exist(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            try:
                parse_setting(text)
            except ValueError as error:
                raise PydanticCustomError(
                    "not_allowed", "{name}: {error}", {"name": plain(name, 60), "error": str(error)}
                ) from None
        return value

    @property
    def column_settings(self) -> dict[str, ColumnSetting]:
        """The settings of columns, by name."""
        return {name: parse_setting(text) for name, text in self.columns.items()}

    def set_as(self, type: ColumnType) -> frozenset[str]:
        """Return the columns that are set to a type."""
        return frozenset(n for n, setting in self.column_settings.items() if setting.type == type)

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
