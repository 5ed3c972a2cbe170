"""Answers of models that think, whose chat templates begin the thought in the prompt.

Some of them, as those of DeepSeek-R1 and QwQ, leave the thought out of every finished answer, so
that a rendered conversation is not what such a model is asked for.
"""

from __future__ import annotations

import re

from engine.text.chat.turns import Turn

_BEGIN, _END = "<think>", "</think>"
MARKS = {_BEGIN, _END}
_OPENED = re.compile(r"<think>\s*\Z")
_THOUGHTS = ("reasoning_content", "thinking", "reasoning")
"""Keys under which people keep the thoughts of an answer."""
_NONE = f"\n{_END}\n\n"
"""An empty thought, behind its beginning."""


def thought_out(before: str, until: str, turn: Turn) -> str | None:
    """Return the text up to the end of an answer, behind the thought that its prompt begins.

    ``before`` is the prompt, ``until`` the template's form of the answer in ``turn``. ``None`` is
    returned where the prompt begins no thought, or the answer is not found in its form.
    """
    opened = _OPENED.search(before)
    if opened is None or not until.startswith(before[: opened.start()]):
        return None
    thought, answer = _parts(turn)
    place = until.rfind(answer.strip(), opened.start())
    if place < 0:
        return None
    end = until[place + len(answer.strip()) :]
    return before + (f"{thought}{_END}{answer}" if thought else f"{_NONE}{answer}") + end


def without_beginning(content: str) -> str:
    """Return an answer without the mark that its prompt may have in its place."""
    return content.lstrip().removeprefix(_BEGIN)


def parts_of(turn: Turn) -> list[str]:
    """Return an answer without the mark that its prompt may have in its place, and its thoughts."""
    thoughts = (str(turn[name]) for name in _THOUGHTS if turn.get(name))
    return [without_beginning(str(turn["content"])), *thoughts]


def has_thought(turn: Turn) -> bool:
    """Return whether an answer has a thought, beside its text or in it."""
    return _END in str(turn["content"]) or any(turn.get(name) for name in _THOUGHTS)


def _parts(turn: Turn) -> tuple[str, str]:
    """Return the thought of an answer without its marks, and what follows it."""
    content = str(turn["content"])
    if _END in content:
        thought, _, answer = content.partition(_END)
        return without_beginning(thought).lstrip("\n"), answer
    given = turn.get("reasoning_content") or ""
    return (f"{given}\n", f"\n\n{content}") if given else ("", content)
