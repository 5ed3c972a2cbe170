"""Annotations of a run by the user: tags, a note, and whether it is pinned.

Kept with the run in ``annotations.json``, so that they are moved and deleted with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.errors import RunError
from engine.files import atomic, safe_json
from engine.files.plain_paths import changed
from engine.files.sanitize import plain
from engine.runs.directory import RunDirectory

MOST_TAGS = 20
LONGEST_TAG = 32
LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Annotations:
    """The annotations of one run."""

    tags: tuple[str, ...] = ()
    note: str = ""
    pinned: bool = False


NOTHING_NOTED = Annotations()


def read_annotations(run: RunDirectory) -> Annotations:
    """Read the annotations; empty where the file is missing or damaged."""
    if not changed(f"{run.path}/annotations.json"):  # as for most runs of a long list
        return NOTHING_NOTED
    try:
        record = safe_json.loads(run.annotations.read_bytes())
        return Annotations(
            to_tags(map(str, record.get("tags") or ())),
            plain(record.get("note") or "", LONGEST_NOTE),
            record.get("pinned") is True,
        )
    except (OSError, ValueError, AttributeError, TypeError):
        return NOTHING_NOTED


def write_annotations(run: RunDirectory, annotations: Annotations) -> None:
    """Write the annotations; no file where there are none. Raises :class:`RunError`."""
    record: dict[str, Any] = {
        "tags": list(annotations.tags),
        "note": annotations.note,
        "pinned": annotations.pinned,
    }
    try:
        if annotations == NOTHING_NOTED:
            run.annotations.unlink(missing_ok=True)
        else:
            atomic.write_json(run.annotations, record)
    except OSError as error:
        raise RunError(f"Cannot write {run.annotations}: {error.strerror}.") from error


def to_tags(words: Iterable[str]) -> tuple[str, ...]:
    """Return words as tags: no spaces, commas, repetitions; limited in length and number."""
    cleaned = (plain(part, LONGEST_TAG) for word in words for part in re.split(r"[\s,]+", word))
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:MOST_TAGS]


def retagged(tags: Iterable[str], words: str) -> tuple[str, ...]:
    """Return the tags with words added; a word after a minus removes its tag."""
    changes = to_tags([words])
    removed = {word[1:] for word in changes if word.startswith("-")}
    added = [word for word in changes if not word.startswith("-")]
    return to_tags([*(tag for tag in tags if tag not in removed), *added])
