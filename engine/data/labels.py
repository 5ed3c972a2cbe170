"""The label that the loss ignores."""

from __future__ import annotations

IGNORED = -100
"""The label of a token that is not learned, as torch and transformers have it."""
