"""Choice of the text and label columns: by the user's fields, or by name and content."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from engine.data.raw import class_names
from engine.errors import DataError
from engine.files.sanitize import plain

TEXT_NAMES = ("text", "sentence", "content", "review", "tweet", "document", "body", "comment")
LABEL_NAMES = (
    "label", "labels", "class", "cls", "category", "target", "sentiment", "intent", "topic",
    "emotion", "gold_label",
)  # fmt: skip
PAIRS = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"),
    ("text1", "text2"), ("text_a", "text_b"), ("query", "passage"), ("question", "sentence"),
    ("#1 String", "#2 String"), ("sentence_a", "sentence_b"), ("sentence_0", "sentence_1"),
    ("query", "document"), ("query", "doc"), ("query", "answer"), ("query", "text"),
    ("query", "title"), ("query", "product_title"), ("search_term", "product_title"),
    ("question", "passage"), ("question", "document"), ("question", "context"),
    ("question", "answer"),
)  # fmt: skip
IDS = re.compile(r"(.*_)?id", re.IGNORECASE)
"""Names of columns that tell rows apart."""
_SAMPLE = 1000
_FEW = 200
"""A column with more different values than this holds no classes."""


def chosen(table: pa.Table, name: str, field: str) -> str:
    """``name`` if the table has it; raises :class:`DataError` that names the field."""
    if name not in table.column_names:
        known = ", ".join(plain(other, 40) for other in table.column_names)
        wrong = f"there is no column {plain(name, 60)!r}" if name else "no column is chosen"
        raise DataError(f"{field}: {wrong}.", f"There is {known}.")
    return name


def with_classes(table: pa.Table, name: str, field: str) -> str:
    """``name`` if that column can hold classes; raises :class:`DataError` that names the field."""
    kind = table.schema.field(chosen(table, name, field)).type
    if pa.types.is_struct(kind) or (pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)):
        inner = kind if pa.types.is_struct(kind) else kind.value_type
        parts = ", ".join(plain(part.name, 40) for part in inner)
        raise DataError(
            f"{field}: the column {plain(name, 60)!r} holds objects with {parts}, not classes.",
            "Write the classes into a column of their own.",
        )
    return name


def by_name(table: pa.Table, names: Sequence[str]) -> str | None:
    """The first of ``names`` that a column has, small and capital letters alike."""
    lower = {name.lower(): name for name in reversed(table.column_names)}
    return next((lower[name] for name in names if name in lower), None)


def find_text(table: pa.Table, without: Sequence[str] = ()) -> str:
    """The column with texts: by its name, else that with the longest texts."""
    texts = [name for name in table.column_names if is_text(table, name) and name not in without]
    if not texts:
        raise DataError("No column holds text.", "Set task.text, or look at the data.")
    named = by_name(table.select(texts), TEXT_NAMES)
    longest: str = max(texts, key=lambda name: _mean_length(table, name))
    return named or longest


def find_pair(table: pa.Table) -> tuple[str, str] | None:
    """Two columns of texts that belong together, by their names."""
    texts = table.select([name for name in table.column_names if is_text(table, name)])
    for one, other in PAIRS:
        first, second = by_name(texts, [one.lower()]), by_name(texts, [other.lower()])
        if first and second:
            return first, second
    return None


def find_label(table: pa.Table, without: Sequence[str]) -> str:
    """The column with classes: by its notes, its name, else the only one that can hold some."""
    names: list[str] = [name for name in table.column_names if name not in without]
    noted = [name for name in names if class_names(table, name)]
    named = by_name(table.select(names), LABEL_NAMES) or next(iter(noted), None)
    if named:
        return named
    possible = [
        name
        for name in names
        if is_flat_list(table, name) or (_is_discrete(table, name) and _varies(table, name))
    ]
    few = [name for name in possible if not is_list(table, name) and _has_few(table, name)]
    for candidates in (few, possible):
        if len(candidates) == 1:
            return candidates[0]
    shown = ", ".join(plain(name, 40) for name in few or possible or names)
    if not shown:
        raise DataError("No column is left that could hold the classes.", "Look at the data.")
    raise DataError(f"Which column holds the classes? It could be {shown}.", "Set task.label.")


def is_text(table: pa.Table, name: str) -> bool:
    """Whether a column holds strings."""
    kind = table.schema.field(name).type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def has_texts(table: pa.Table) -> bool:
    """Whether a column has texts that are no identifiers."""
    return any(is_text(table, name) and not IDS.fullmatch(name) for name in table.column_names)


def is_list(table: pa.Table, name: str) -> bool:
    """Whether a column holds lists."""
    kind = table.schema.field(name).type
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def is_flat_list(table: pa.Table, name: str) -> bool:
    """Whether a column holds lists of single values."""
    return is_list(table, name) and not pa.types.is_nested(table.schema.field(name).type.value_type)


def _is_discrete(table: pa.Table, name: str) -> bool:
    kind = table.schema.field(name).type
    return bool(is_text(table, name) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _varies(table: pa.Table, name: str) -> bool:
    return any(
        pc.count_distinct(part, "only_valid").as_py() > 1
        for part in (table[name][:_SAMPLE], table[name])
    )


def _has_few(table: pa.Table, name: str) -> bool:
    most = min(_FEW, max(2, table.num_rows // 4))
    # The first rows show of most columns that they hold no classes, at little cost.
    return all(len(pc.unique(part)) <= most for part in (table[name][:_SAMPLE], table[name]))


def _mean_length(table: pa.Table, name: str) -> float:
    return float(pc.mean(pc.utf8_length(table[name].slice(0, _SAMPLE))).as_py() or 0.0)
