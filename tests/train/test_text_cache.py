"""Tokenized data is cached by its content."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.errors import DataError
from engine.runs.events import Event
from engine.text.tokens.cache import digest_of, encoded

TEXTS = pa.table({"text": [f"text {number}" for number in range(300)]})


class Counting:
    """Encodes a text as its length, and counts the encoded rows."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        self.rows += len(rows["text"])
        return {"input_ids": [[len(text)] for text in rows["text"]]}


def rows_encoded(table: pa.Table, *key: object) -> int:
    """The number of rows that had to be encoded."""
    encode = Counting()
    reported: list[Event] = []
    samples = encoded(table, encode, key, reported.append)
    expected = [[len(text)] for text in table["text"].to_pylist()]
    assert samples["input_ids"][:] == expected
    assert bool(reported) == bool(encode.rows)
    return encode.rows


def files(home: Path) -> list[Path]:
    return list((home / "cache" / "tokens").glob("*.arrow"))


def test_the_same_rows_are_encoded_once(home: Path) -> None:
    assert rows_encoded(TEXTS, "tokenizer", 128) == 300
    assert rows_encoded(TEXTS, "tokenizer", 128) == 0
    assert len(files(home)) == 1


def test_other_rows_and_other_settings_are_encoded_anew() -> None:
    rows_encoded(TEXTS, "tokenizer", 128)
    changed = TEXTS.to_pydict()["text"]
    changed[7] += "!"
    assert rows_encoded(pa.table({"text": changed}), "tokenizer", 128) == 300
    assert rows_encoded(TEXTS, "tokenizer", 256) == 300


def test_the_digest_looks_at_the_rows_and_not_at_how_they_lie() -> None:
    whole = digest_of(TEXTS, ["key"])
    pieces = pa.concat_tables([TEXTS.slice(0, 100), TEXTS.slice(100)])
    assert digest_of(pieces, ["key"]) == whole
    assert digest_of(pa.concat_tables([TEXTS.slice(0, 0), TEXTS]).slice(0), ["key"]) == whole


@pytest.mark.parametrize("damage", ["cut", "emptied"])
def test_a_damaged_file_is_made_again(home: Path, damage: str) -> None:
    rows_encoded(TEXTS, "tokenizer")
    (path,) = files(home)
    path.write_bytes(path.read_bytes()[:200] if damage == "cut" else b"")
    assert rows_encoded_after_damage() == 300
    assert rows_encoded(TEXTS, "tokenizer") == 0


def rows_encoded_after_damage() -> int:
    encode = Counting()
    samples = encoded(TEXTS, encode, ["tokenizer"], lambda event: None)
    assert samples["input_ids"][299] == [8]
    return encode.rows


def test_a_few_rows_leave_no_file(home: Path) -> None:
    encoded(TEXTS.slice(0, 10), Counting(), ["key"], lambda event: None)
    assert not files(home)


def test_what_no_one_asked_for_in_a_month_is_forgotten(home: Path) -> None:
    rows_encoded(TEXTS, "old")
    (old,) = files(home)
    month_ago = time.time() - 31 * 24 * 3600
    os.utime(old, (month_ago, month_ago))
    rows_encoded(TEXTS, "new")
    assert old not in files(home)
    assert len(files(home)) == 1


def test_a_file_that_is_used_is_not_forgotten(home: Path) -> None:
    rows_encoded(TEXTS, "old")
    (old,) = files(home)
    month_ago = time.time() - 31 * 24 * 3600
    os.utime(old, (month_ago, month_ago))
    assert rows_encoded(TEXTS, "old") == 0
    rows_encoded(TEXTS, "new")
    assert old in files(home)


def test_a_place_where_nothing_can_be_written_is_named(home: Path) -> None:
    home.mkdir()
    (home / "cache").write_text("in the way")
    with pytest.raises(DataError, match=r"Cannot write .*cache/tokens.*DLTUI_HOME"):
        encoded(TEXTS, Counting(), ["key"], lambda event: None)
