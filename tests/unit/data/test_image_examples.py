"""Images among the columns of other tasks are named where a value is shown, not written out."""

from __future__ import annotations

import pyarrow as pa
import pytest

from engine.config.run_config import RunConfig
from engine.data.image_record import IMAGE_RECORD
from engine.data.raw import RawData
from engine.data.tables.columns import detect_columns
from engine.text.summary import summary_of

CONFIG = RunConfig.parse(
    {
        "task": {"kind": "text_classification"},
        "data": {"kind": "builtin"},
        "model": {"kind": "transformer"},
    }
)


@pytest.mark.parametrize(("path", "shown"), [("mask-0.png", "mask-0.png"), (None, "image")])
def test_an_image_is_shown_by_its_name(path: str | None, shown: str) -> None:
    images = pa.array([{"bytes": b"\x89PNG", "path": path}], IMAGE_RECORD)
    table = pa.table({"text": ["a"], "mask": images})
    raw = RawData({"train": table})
    _, mask = summary_of(CONFIG, raw, {"text": "text"}, {}).columns
    assert (mask.type, mask.role, mask.example) == ("image", "ignored", shown)
    found = {column.name: column for column in detect_columns(table)}
    assert (found["mask"].type, found["mask"].example) == ("image", shown)
