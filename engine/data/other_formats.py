"""Formats of images that Pillow reads by another package, or not at all.

HEIC, as telephones write it, is read by pillow-heif; DICOM, as medical devices write it, by
pydicom. Neither is imported before such a file is met.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image

_HEAD = 132
"""Bytes in which all formats have their mark."""
_MARKS = {
    b"ftypheic": "HEIC", b"ftypheix": "HEIC", b"ftypmif1": "HEIC", b"ftypheim": "HEIC",
    b"ftypavif": "AVIF", b"DICM": "DICOM",
    b"8BPS": "PSD", b"<svg": "SVG", b"JXL ": "JPEG XL", b"jP  ": "JPEG 2000",
}  # fmt: skip
"""Formats by a mark in their first bytes."""
_EXTRAS = {"HEIC": "heic", "DICOM": "dicom"}
"""Extras of this package that read a format."""


class UnsupportedFormat(Exception):
    """An image of a format that is not read, in one sentence."""


def open_other(source: io.BytesIO | Path) -> Image.Image:
    """Open an image that Pillow alone cannot open.

    Raises :class:`UnsupportedFormat`, and what the packages raise for damaged files.
    """
    name = _format(source)
    if name not in _READERS:
        what = f"images in the format {name} cannot be read" if name else "the image cannot be read"
        raise UnsupportedFormat(what)
    try:
        reader = _READERS[name]()
    except ImportError as error:
        raise UnsupportedFormat(
            f"images in the format {name} need pip install 'dltui[{_EXTRAS[name]}]'"
        ) from error
    if isinstance(source, io.BytesIO):
        source.seek(0)
    return reader(source)


def _format(source: io.BytesIO | Path) -> str:
    try:
        head = source.getvalue()[:_HEAD] if isinstance(source, io.BytesIO) else _head_of(source)
    except (OSError, ValueError):
        head = b""
    return next((name for mark, name in _MARKS.items() if mark in head), "")


def _head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


Reader = Callable[[io.BytesIO | Path], Image.Image]


def _heic() -> Reader:
    from pillow_heif import register_heif_opener  # an extra

    register_heif_opener()
    return lambda source: Image.open(source, formats=("HEIF",))


def _dicom() -> Reader:
    from engine.data.dicom import dicom_image  # pydicom, an extra

    return dicom_image


_READERS: dict[str, Callable[[], Reader]] = {"HEIC": _heic, "DICOM": _dicom}
