"""The common part of data of images with boxes and with masks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from typing_extensions import override

from engine.config.run_config import RunConfig
from engine.data.column_roles import ColumnRoles
from engine.data.raw import RawData, Skip
from engine.pipelines.pipeline import DataPipeline
from engine.reports.note import Note
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.depths import notes_on_depths
from engine.vision.files.bare_names import with_records
from engine.vision.usual_epochs import usual_epochs

F = TypeVar("F", bound=AnnotatedFitted)

PREVIEWED = 8
"""Images of a preview."""


class AnnotatedImagesPipeline(DataPipeline[F]):
    """Images of files or of a data set, each with what was drawn on it."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self.undecoded: list[Skip] = []
        """Images left out when they were encoded, since they cannot be decoded."""

    @abstractmethod
    def columns(self, table: pa.Table) -> tuple[str, str]:
        """The columns of images and of what was drawn on them; raises ``DataError``."""

    @override
    def settled(self, fitted: F) -> list[str]:
        """The epochs, which go by the number of images."""
        return usual_epochs(self.config, fitted.rows)

    def inputs(self, fitted: F) -> tuple[str, ...]:
        """The image: a file's path."""
        return (fitted.image,)

    def from_file(self, table: pa.Table, fitted: F, folder: Path) -> pa.Table:
        """Rows whose images are read; relative paths begin at the file's folder, as in training."""
        return with_records(table, fitted.image, folder)

    @override
    def unfit(self, table: pa.Table, fitted: F) -> Iterable[Note]:
        return notes_on_depths(table, fitted)

    @override
    def column_roles(self, raw: RawData) -> ColumnRoles:
        image, _ = self.columns(raw.train)
        return ColumnRoles((image,), image=image)
