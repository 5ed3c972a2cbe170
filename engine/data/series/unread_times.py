"""A column that is meant to be the time, but is not read as one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from engine.data.series.channels import is_text
from engine.data.series.times import MOMENT, TIME_NAMES

_DATE = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
"""The beginning of texts that are meant to be dates."""
_PARTS = ("week", "quarter", "semester", "woche", "kw", "kalenderwoche", "quartal", "monat", "mois",
          "semaine", "trimestre", "mes", "semana", "mese", "settimana", "maand", "kwartaal",
          "miesiąc", "tydzień")  # fmt: skip
"""Further names of columns of times."""
_MOSTLY = 0.8
"""Share of cells from which on they are meant to be dates."""


def unread_time_column(table: pa.Table) -> str:
    """A column that is named or written like a time, but holds no dates; or empty."""
    filled = [name for name in table.column_names if table[name].null_count < table.num_rows]
    texts = [name for name in filled if is_text(table[name].type)]
    fractions = [name for name in filled if pt.is_floating(table[name].type)]
    named = [
        name for name in (*texts, *fractions) if name.strip().lower() in (*TIME_NAMES, *_PARTS)
    ]
    named += [
        name for name in fractions if MOMENT.fullmatch(name.strip().lower()) and _rises(table[name])
    ]
    return next(iter([*named, *(name for name in texts if _begins_like_dates(table[name]))]), "")


def _begins_like_dates(column: pa.ChunkedArray) -> bool:
    begins = pc.match_substring_regex(column.slice(0, 200), rf"^\s*(?:{_DATE})")
    return bool((pc.mean(begins.cast(pa.int8())).as_py() or 0) > _MOSTLY)


def _rises(column: pa.ChunkedArray) -> bool:
    steps = np.diff(column.slice(0, 200).to_numpy())
    return len(steps) > 1 and bool((steps > 0).all())
