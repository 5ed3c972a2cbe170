"""Images in tables: bytes, or the path of a file, as Hugging Face's datasets have them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from engine.files.sanitize import plain

IMAGE_RECORD = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def of_bytes(data: bytes | None, path: str | None = None) -> dict[str, Any]:
    """The record of an encoded image, if there is one; ``path`` only names it."""
    return {"bytes": data, "path": path}


def of_file(path: str | None) -> dict[str, Any]:
    """The record of an image that is read from its file when it is wanted."""
    return {"bytes": None, "path": path}


def is_image_record(kind: pa.DataType) -> bool:
    """Whether values of this type have bytes and path, whatever else they have."""
    if not pa.types.is_struct(kind):
        return False
    return {"bytes", "path"} <= {field.name for field in kind}


def example_of(value: Any, most: int) -> str:
    """Return a value as text of at most ``most`` characters; an image by its name."""
    if isinstance(value, dict) and {"bytes", "path"} <= value.keys():
        return plain(value["path"] or "image", most)
    return plain(value, most)
