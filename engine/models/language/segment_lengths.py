"""The lengths of the samples that stand one after the other in a row, while it is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

_lengths: ContextVar[tuple[int, ...] | None] = ContextVar("lengths", default=None)


@contextmanager
def segments(lengths: Sequence[int] = ()) -> Iterator[None]:
    """Let networks take rows as segments of these lengths; whole rows if there are none.

    Those whose attention is that of :mod:`engine.models.language.segments`.
    """
    token = _lengths.set(tuple(lengths) or None)
    try:
        yield
    finally:
        _lengths.reset(token)


def current_lengths() -> tuple[int, ...] | None:
    """Return the lengths inside :func:`segments`; ``None`` where rows are whole."""
    return _lengths.get()
