"""What people note about a run: tags, a line of text, and whether it stays on top of the list.

Kept beside the run in ``annotations.json``, so that they move and go with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.errors import RunError
from engine.files import atomic, safe_json
from engine.files.sanitize import plain
from engine.runs.directory import RunDirectory, changed

MOST_TAGS = 20
LONGEST_TAG = 32
LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Annotations:
    """Everything that was noted about one run."""

    tags: tuple[str, ...] = ()
    note: str = ""
    pinned: bool = False


NOTHING_NOTED = Annotations()


def read_annotations(run: RunDirectory) -> Annotations:
    """What was noted; nothing where the file is missing or damaged."""
    if not changed(f"{run.path}/annotations.json"):  # as of most runs of a long list
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
    """Keep them; no file where there is nothing to keep. Raises :class:`RunError`."""
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
    """Words as tags: without spaces, commas and repetitions, none too long, not too many."""
    cleaned = (plain(part, LONGEST_TAG) for word in words for part in re.split(r"[\s,]+", word))
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:MOST_TAGS]


def retagged(tags: Iterable[str], words: str) -> tuple[str, ...]:
    """Tags after words were added; a word after a minus takes its tag away."""
    changes = to_tags([words])
    removed = {word[1:] for word in changes if word.startswith("-")}
    added = [word for word in changes if not word.startswith("-")]
    return to_tags([*(tag for tag in tags if tag not in removed), *added])
