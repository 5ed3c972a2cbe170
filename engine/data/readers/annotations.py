"""JSON documents as annotation tools write them: the tasks of Label Studio, the pairs of spaCy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.files.sanitize import plain
from engine.reports.note import Note

_SPANS = ("labels", "hypertextlabels")
_LABEL = "label"

Record = dict[str, Any]


@dataclass
class _Answers:
    """Marks of an annotator in one task, by the name of the control that was used."""

    spans: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    choices: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def annotated_records(path: Path, content: Any) -> tuple[list[Record], list[Note]] | None:
    """Return a record for each text, with what was marked, and notes; ``None`` for other forms.

    Spans are objects with ``start``, ``end``, ``text`` and ``label``; classes are texts, or lists
    of texts where a task has several.
    """
    if pairs := _pairs(content.get("annotations") if isinstance(content, dict) else content):
        return [{"text": text} | marks for text, marks in pairs], []
    if not are_tasks(content):
        return None
    found = [_answers(task) for task in content]
    names = {
        name: kind
        for answers in found
        if answers is not None
        for kind in ("spans", "choices")
        for name in getattr(answers, kind)
    }
    if not names:
        return None
    several = {
        name
        for name, kind in names.items()
        if kind == "choices" and any(a is not None and len(a.choices[name]) > 1 for a in found)
    }
    records = []
    for task, answers in zip(content, found, strict=True):
        record = dict(task["data"])
        for name, kind in names.items():
            marked = None if answers is None else getattr(answers, kind)[name]
            if kind == "choices" and name not in several:
                marked = marked[0] if marked else None
            record[name if len(names) > 1 else _LABEL] = marked
        records.append(record)
    return records, _notes(path, content, found)


def _pairs(content: Any) -> list[tuple[str, Record]]:
    """Return texts with their marks, ``["a text", {"entities": […]}]``; nothing of other forms."""
    given = [one for one in content if one is not None] if isinstance(content, list) else []
    pairs = [
        (one[0], one[1])
        for one in given
        if isinstance(one, list)
        and len(one) == 2
        and isinstance(one[0], str)
        and isinstance(one[1], dict)
    ]
    return pairs if len(pairs) == len(given) else []


def are_tasks(content: Any) -> bool:
    """Whether parsed JSON has the tasks of Label Studio with their annotations."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(
            isinstance(task, dict)
            and isinstance(task.get("data"), dict)
            and isinstance(task.get("annotations"), list)
            for task in content
        )
    )


def usable_annotations(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the annotations of a task that were not cancelled, the approved ones first."""
    given = [
        one
        for one in task["annotations"]
        if isinstance(one, dict)
        and isinstance(one.get("result"), list)
        and not one.get("was_cancelled")
    ]
    return sorted(given, key=lambda one: not one.get("ground_truth"))


def _answers(task: Mapping[str, Any]) -> _Answers | None:
    """Return what the decisive annotation of a task marks; ``None`` where there is none."""
    usable = usable_annotations(task)
    if not usable:
        return None
    answers = _Answers()
    for mark in usable[0]["result"]:
        value = mark.get("value") if isinstance(mark, dict) else None
        if not isinstance(value, dict):
            continue
        name = str(mark.get("from_name") or _LABEL)
        kinds: Sequence[Any] = next((value[key] for key in _SPANS if value.get(key)), ())
        if {"start", "end"} <= value.keys() and kinds:
            place = {key: value.get(key) for key in ("start", "end", "text")}
            answers.spans[name] += [place | {"label": str(kind)} for kind in kinds]
        elif isinstance(value.get("choices"), list):
            answers.choices[name] += map(str, value["choices"])
    return answers


def _notes(path: Path, tasks: Sequence[Any], found: Sequence[_Answers | None]) -> list[Note]:
    several = sum(len(usable_annotations(task)) > 1 for task in tasks)
    without = sum(answers is None for answers in found)
    why = f"{plain(path.name, 60)} has the tasks of Label Studio"
    if several:
        why += f"; of several annotations of a task ({several:,}), the one that is "
        why += "marked as ground truth is taken, else the first"
    if without:
        why += f"; {without:,} have no annotation"
    return [Note(why, _LABEL, "annotations", len(tasks), kind="converted")]
