"""No text from outside reaches a terminal as a command."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.sanitize import plain

PAYLOADS = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]2;title\x1b\\",
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b]8;;http://example.org\x07link\x1b]8;;\x07",
    "\x1b[2J\x1b[H",
    "\x1b[?1049h",
    "\x1bc",
    "\x1b(0",
    "\x1bP1$r\x1b\\",
    "\x1b_G\x1b\\",
    "\x9b31m",
    "\x9d0;title\x9c",
    "\x90q\x9c",
    "line\rover",
    "line\nnext",
    "tab\tstop",
    "bell\x07",
    "back\x08space",
    "null\x00",
    "delete\x7f",
    "\u202egnp.exe",
    "\u2066isolate\u2069",
    "\u200eleft\u200f",
    "\ufefffirst",
    "\u2028separator\u2029",
    "\ud800lonely",
    "[/x][bold]markup[@click=app.quit]",
]
HARMFUL_KINDS = {"Cc", "Cs", "Zl", "Zp"}
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def harmless(text: str) -> bool:
    return not any(unicodedata.category(c) in HARMFUL_KINDS or c in BIDI for c in text)


@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_a_payload_loses_its_power(payload: str) -> None:
    assert harmless(plain(payload))
    plain(payload).encode()


@given(st.text(alphabet=st.characters(), max_size=300))
def test_no_text_at_all_has_power(text: str) -> None:
    shown = plain(text)
    assert harmless(shown)
    assert len(shown) <= 200


def test_ordinary_text_stays_as_it_is() -> None:
    text = "Größe 3×3, naïve café, 日本語, [brackets] 🙂"
    assert plain(text) == text


def test_control_characters_stay_visible() -> None:
    assert plain("a\x1bb\x00c\x7f") == "a␛b␀c␡"


def test_a_long_text_is_cut_with_a_mark() -> None:
    assert plain("x" * 1_000_000, 10) == "x" * 9 + "…"
    assert plain("x" * 10, 10) == "x" * 10


def test_what_is_no_text_is_shown_as_text() -> None:
    assert plain(3.5) == "3.5"
