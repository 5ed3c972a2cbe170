"""Suffixes of image files that are read."""

from __future__ import annotations

SUFFIXES = (
    "png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "avif",
    "heic", "heif", "dcm",
)  # fmt: skip
"""Without their dot. The last three need an extra of this package."""
