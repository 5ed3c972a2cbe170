"""Samples as the model reads them, in parts that are learned and parts that are not."""

from __future__ import annotations

from engine.text.chat.prompts import Marked

Part = tuple[str, bool]
"""Some text, and whether it is learned."""

_LONGEST = 1500
"""Characters that are shown of a sample."""


def shown_parts(marked: Marked, begin: str, end: str, all_learned: bool) -> tuple[Part, ...]:
    """Return the parts of a text behind what it begins with, which is not learned.

    ``end`` is learned with the answer before it.
    """
    before = [] if marked.text.startswith(begin) else [(begin, False)]
    if all_learned:
        return _cut([*before, (marked.text, True)])
    parts: list[Part] = before
    done = 0
    for first, until in marked.spans:
        ended = not marked.exact and marked.text.startswith(end, until)
        stop = until + len(end) if ended else until
        parts += [(marked.text[done:first], False), (marked.text[first:stop], True)]
        done = stop
    return _cut([*parts, (marked.text[done:], False)])


def _cut(parts: list[Part]) -> tuple[Part, ...]:
    """The first characters, with an ellipsis where there are more; no part is empty."""
    left, shown = _LONGEST, []
    for text, learned in parts:
        if left <= 0:
            break
        if text:
            shown.append((text if len(text) <= left else f"{text[:left]}…", learned))
        left -= len(text)
    return tuple(shown)
