"""Images that were decoded to measure a table, which need not be decoded again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from engine.data.images import Pixels


@dataclass
class DecodedRows:
    """Decoded images of a table by row, held until they are taken."""

    table: pa.Table | None = None
    images: Mapping[int, Pixels] = field(default_factory=dict)

    def hold(self, table: pa.Table, images: Mapping[int, Pixels]) -> None:
        """Hold images of ``table`` in place of those of another one."""
        self.table, self.images = table, images

    def take(self, table: pa.Table) -> Mapping[int, Pixels]:
        """Return what is held, if it is of this very table, and hold it no longer."""
        if self.table is not table:
            return {}
        taken = self.images
        self.table, self.images = None, {}
        return taken
