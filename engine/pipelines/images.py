"""The common part of data of images, whatever is to be learned of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from typing_extensions import override

from engine.config.run_config import RunConfig
from engine.data.raw import Skip
from engine.pipelines.pipeline import DataPipeline
from engine.reports.note import Note
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.decoded_rows import DecodedRows
from engine.vision.depths import notes_on_depths
from engine.vision.files.bare_names import with_records
from engine.vision.fitted import PixelFitted
from engine.vision.usual_epochs import usual_epochs

F = TypeVar("F", bound=PixelFitted | AnnotatedFitted)


class ImagesPipeline(DataPipeline[F]):
    """Images of files or of a data set."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self.undecoded: list[Skip] = []
        """Images left out when they were encoded, since they cannot be decoded."""
        self.decoded = DecodedRows()
        """Training images that were decoded to be measured."""

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
