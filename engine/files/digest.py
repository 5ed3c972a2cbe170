"""Checksums of files and of texts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits. Raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(*texts: str) -> str:
    """Return a short hash of some texts, as a name."""
    found = hashlib.blake2b(digest_size=16)
    for text in texts:
        found.update(len(text).to_bytes(8, "big"))
        found.update(text.encode(errors="surrogatepass"))
    return found.hexdigest()


def digest(path: Path) -> dict[str, Any]:
    """Return the SHA-256 and the size of a file, as a manifest has them. Raises ``OSError``."""
    return {"sha256": sha256(path), "size": path.stat().st_size}
