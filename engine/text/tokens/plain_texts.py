"""Special tokens that are written in texts, where they are read as plain text.

Tokenizers read ``[SEP]`` or ``</s>`` in a text as the token itself. So an author of texts could end
a text, or begin another one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.data.on_disk import in_windows
from engine.text.tokens.any_tokenizer import is_fast
from engine.text.tokens.literals import finder, special_tokens

_WORDS = 100
"""Tokens of the vocabulary that are read in both ways to see whether these agree."""


@dataclass(frozen=True)
class Found:
    """Rows in whose texts special tokens are written."""

    rows: int
    first: int
    """Number of the first such row, from 0."""
    token: str
    """The first such token."""


def read_as_text(tokenizer: Any) -> None:
    """Make a tokenizer read special tokens in texts as plain text, also where it is saved to."""
    tokenizer.split_special_tokens = True
    # Only what a tokenizer was made with is saved.
    tokenizer.init_kwargs["split_special_tokens"] = True


def can_read_as_text(tokenizer: Any) -> bool:
    """Return whether a tokenizer reads all other texts as before once it reads them so.

    Some in Python then read nothing of their vocabulary, such as ESM's letters of proteins.
    """
    if is_fast(tokenizer):
        return True
    special = special_tokens(tokenizer)
    words = [token for token in tokenizer.get_vocab() if token not in special][:_WORDS]
    texts = ["".join(words), " ".join(words)]
    find = finder(special)
    return all(
        find.search(text) is not None
        or tokenizer.tokenize(text) == tokenizer.tokenize(text, split_special_tokens=True)
        for text in texts
    )


def find_special_tokens(tokenizer: Any, table: pa.Table, columns: Sequence[str]) -> Found | None:
    """Return the rows whose texts, or lists of words, have a special token; ``None`` for none."""
    find = finder(special_tokens(tokenizer))
    count, first, token, before = 0, 0, "", 0
    names = [name for name in columns if name in table.column_names]
    for part in in_windows(table.select(names)) if names else ():
        rows = sorted({row for name in names for row in _rows(part[name], find)})
        if rows and not count:
            first = before + rows[0]
            token = next(_written(part.slice(rows[0], 1), find))
        count += len(rows)
        before += part.num_rows
    return Found(count, first, token) if count else None


def holds_special_token(tokenizer: Any, texts: Collection[str]) -> str:
    """Return a special token that stands in one of ``texts``; empty where there is none."""
    find = finder(special_tokens(tokenizer))
    return next((found[0] for text in texts if (found := find.search(text))), "")


def _rows(column: pa.ChunkedArray, find: re.Pattern[str]) -> Iterator[int]:
    """Yield the numbers of the rows that hold a match."""
    array = column.combine_chunks()
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if _is_text(kind.value_type):
            owners = pc.list_parent_indices(array)
            yield from owners.filter(_matches(pc.list_flatten(array), find)).to_pylist()
    elif _is_text(kind):
        yield from pc.indices_nonzero(_matches(array, find)).to_pylist()


def _matches(texts: pa.Array, find: re.Pattern[str]) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(texts, find.pattern), False)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _written(row: pa.Table, find: re.Pattern[str]) -> Iterator[str]:
    for column in row.columns:
        value = column[0].as_py()
        for text in value if isinstance(value, list) else [value]:
            yield from find.findall(text or "")
