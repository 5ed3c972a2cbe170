"""Chat templates that write the day on which they are used, with that day fixed.

transformers hands a template no function but its own clock, so the day stands in the template: as a
text in place of a call with a literal format, else as a macro that reads the format as the call
would.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

_CLOCK = re.compile(r"\bstrftime_now\b(?!\s+is\b)")
"""The function by which chat templates of transformers write the time."""
_LITERAL = re.compile(r"""\bstrftime_now\(\s*(?P<mark>["'])(?P<form>[^"'\\]*)(?P=mark)\s*\)""")
_DIRECTIVES = [f"%{flag}{letter}" for flag in ("", "-")
               for letter in "aAbBcdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ"]  # fmt: skip
"""Directives of ``strftime``, without ``%%``, and those for numbers without zeros."""
_MACRO = (
    "{%- macro strftime_now(format) -%}{%- for part in format.split('%%') -%}"
    "{{- '' if loop.first else '%' -}}{%- set now = namespace(text=part) -%}"
    "{%- for mark, text in WRITTEN -%}{%- set now.text = now.text.replace(mark, text) -%}"
    "{%- endfor -%}{{- now.text -}}{%- endfor -%}{%- endmacro %}\n"
)
"""The clock at one time; ``WRITTEN`` are the directives with their texts."""


def names_date(tokenizer: Any) -> bool:
    """Whether the chat template, or one of several by name, writes the day on which it is used."""
    given = tokenizer.chat_template or ""
    templates = [given] if isinstance(given, str) else given.values()
    return any(_CLOCK.search(template) for template in templates)


@lru_cache(maxsize=8)
def with_date(template: str, date: str) -> str:
    """Return a template that writes ``date``, as ``2026-11-28``, whenever it is used.

    The time of the day is midnight. Without a date the template is returned as it is.
    """
    if not date or not _CLOCK.search(template):
        return template
    day = datetime.fromisoformat(date)
    written = _LITERAL.sub(lambda call: repr(day.strftime(call["form"])), template)
    if not _CLOCK.search(written):
        return written
    texts = [(mark, day.strftime(mark)) for mark in _DIRECTIVES]
    return _MACRO.replace("WRITTEN", repr(texts)) + written


def dated(tokenizer: Any, date: str) -> Any:
    """Return a tokenizer whose chat template, or each of several by name, writes ``date``."""
    return rewritten(tokenizer, lambda template: with_date(template, date))


def rewritten(tokenizer: Any, change: Callable[[str], str]) -> Any:
    """Return a tokenizer whose chat template, or each of several by name, is changed."""
    given = tokenizer.chat_template or ""
    made = (
        {name: change(text) for name, text in given.items()}
        if isinstance(given, Mapping)
        else given and change(given)
    )
    if made == given:
        return tokenizer
    changed = copy.copy(tokenizer)
    changed.chat_template = made
    return changed
