"""Classes with too few training rows, and one that may be a code for a missing label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.checks.examined import Doubt, Examined, Limit
from engine.data.raw import TRAIN
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.text.classes.labels import labels_of, names_in
from engine.text.classes.missing import missing_class, why_missing

_FEWEST = 10
"""Classes with fewer training rows are hardly learned, and not measured at all."""
_SHOWN = 6


def missing_labels(data: Examined) -> Iterator[Doubt | Limit]:
    """Yield a class that may be a code for a missing label, such as -1 beside 0 and 1."""
    if data.roles.target_kind != "classes":
        return
    labels = [(names_in(label) or [""])[0] for label in labels_of(data.train, data.roles.target)]
    names = sorted({*labels} - {""})
    if code := missing_class(names):
        rows = np.flatnonzero(np.array(labels) == code)
        why = why_missing(code, names)
        yield Doubt("missing labels", why, data.roles.target, {TRAIN: rows}, ("drop rows",))


def small_classes(data: Examined) -> Iterator[Doubt | Limit]:
    """Yield the classes that are too small to learn."""
    if data.roles.target_kind != "classes":
        return
    labels = [(names_in(label) or [""])[0] for label in labels_of(data.train, data.roles.target)]
    names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    small = np.flatnonzero(counts < _FEWEST)
    if not len(small):
        return
    rarest = small[np.argsort(counts[small], kind="stable")]
    named = ", ".join(f"{plain(names[i], 40)} ({counts[i]})" for i in rarest[:_SHOWN])
    more = f" and {len(small) - _SHOWN:,} more" if len(small) > _SHOWN else ""
    noun = counted(len(small), "class", "classes")
    why = f"{noun} with fewer than {_FEWEST} training rows, too few to learn: {named}{more}"
    rows = np.flatnonzero(counts[codes] < _FEWEST)
    rows = rows[np.argsort(counts[codes[rows]], kind="stable")]
    yield Doubt("small classes", why, data.roles.target, {TRAIN: rows}, ("drop rows",))
