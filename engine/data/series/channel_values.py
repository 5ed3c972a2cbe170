"""All channels of a table as numbers: its columns of numbers, and those of its categories."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from engine.data.series.channels import Values, read_channels
from engine.data.series.indicators import indicators
from engine.data.series.roles import Roles
from engine.data.tables.schema import NumberFormat


def channel_values(table: pa.Table, roles: Roles, formats: Mapping[str, NumberFormat]) -> Values:
    """``[rows, channels]`` with NaN for what is missing; raises :class:`DataError`."""
    values = read_channels(table, roles.numeric, formats)
    if not roles.categories:
        return values
    return np.concatenate([values, indicators(table, roles.categories)], 1)
