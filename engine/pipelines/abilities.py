"""Further abilities of some data pipelines, where their data allow them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from engine.data.raw import RawData
from engine.reports.note import Note
from engine.reports.picture import Picture, PictureGroup


class ContactSheet(Protocol):
    """Training images of each class, drawn at random."""

    def groups(self) -> list[PictureGroup]:
        """Return a group a class, as the images are stored."""


@runtime_checkable
class ShowsImages(Protocol):
    """A pipeline whose rows are images."""

    def pictures(self, raw: RawData, fitted: Any) -> Sequence[Picture]:
        """Return a few pictures that stand for the training rows."""

    def sheet(self, raw: RawData, fitted: Any, each: int, seed: int) -> ContactSheet:
        """Return the contact sheet of ``each`` training images a class."""


@runtime_checkable
class LearnsAnswers(Protocol):
    """A pipeline whose rows may hold answers to be learned, or texts."""

    def has_answers(self, fitted: Any) -> bool:
        """Return whether rows have answers to be learned, rather than texts."""


def learns_answers(pipeline: object, fitted: Any) -> bool:
    """Return whether the rows of a pipeline have answers to be learned."""
    return isinstance(pipeline, LearnsAnswers) and pipeline.has_answers(fitted)


@runtime_checkable
class ArrangesFiles(Protocol):
    """A pipeline whose files may have another form than its rows."""

    def arranged(self, table: pa.Table, names: Sequence[str]) -> pa.Table:
        """Return a file to predict from in the form of the rows, which have columns ``names``.

        Raises ``DataError``.
        """


@runtime_checkable
class TakesFuture(Protocol):
    """A pipeline whose predictions may know something of the time that they are for."""

    def ahead(self, fitted: Any) -> tuple[str, ...]:
        """Return the columns of a file of the future; empty where none is known ahead."""

    def with_future(
        self, table: pa.Table, future: pa.Table, fitted: Any
    ) -> tuple[pa.Table, Sequence[Note]]:
        """Return rows to predict from with those of the future, and notes; raises ``DataError``."""
