"""The common part of data of images with boxes and with masks."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

import pyarrow as pa
from typing_extensions import override

from engine.data.column_roles import ColumnRoles
from engine.data.raw import RawData
from engine.pipelines.images import ImagesPipeline
from engine.vision.annotated_fitted import AnnotatedFitted

F = TypeVar("F", bound=AnnotatedFitted)

PREVIEWED = 8
"""Images of a preview."""


class AnnotatedImagesPipeline(ImagesPipeline[F]):
    """Images of files or of a data set, each with what was drawn on it."""

    @abstractmethod
    def columns(self, table: pa.Table) -> tuple[str, str]:
        """The columns of images and of what was drawn on them; raises ``DataError``."""

    @override
    def column_roles(self, raw: RawData) -> ColumnRoles:
        image, _ = self.columns(raw.train)
        return ColumnRoles((image,), image=image)
