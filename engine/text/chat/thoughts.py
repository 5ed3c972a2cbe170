"""Answers of models that think, whose chat templates begin the thought in the prompt.

Some of them, as those of DeepSeek-R1 and QwQ, leave the thought out of every finished answer, so
that a rendered conversation is not what such a model is asked for.
"""

from __future__ import annotations

import re
from typing import Any

from engine.text.chat.tools import name_of
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
    written = until[opened.start() :]
    thought, answer = _parts(turn)
    begin = written.find(_END) + len(_END) if _END in written else 0
    place = written.find(answer.strip(), begin)
    if place < 0 or written[begin:place].strip():
        return None
    end = written[place + len(answer.strip()) :]
    if answer.strip():
        answer = answer.rstrip()  # the template's own blanks follow
    else:  # calls of tools alone
        answer, end = "\n\n" if thought else "", end.lstrip("\n")
    return before + (f"{thought}{_END}{answer}" if thought else f"{_NONE}{answer}") + end


def may_think(tokenizer: Any) -> bool:
    """Return whether the chat template, or one of several by name, has the mark of a thought."""
    return _BEGIN in str(tokenizer.chat_template)


def ends_in_mark(prompt: str) -> bool:
    """Return whether a prompt ends with the beginning of a thought, or with the end of one."""
    return prompt.rstrip().endswith((_BEGIN, _END))


def without_beginning(content: str) -> str:
    """Return an answer without the mark that its prompt may have in its place."""
    return content.lstrip().removeprefix(_BEGIN)


def thoughts_of(turn: Turn) -> list[str]:
    """Return the thoughts that stand beside the text of an answer."""
    return [str(turn[name]) for name in _THOUGHTS if turn.get(name)]


def parts_of(turn: Turn) -> list[str]:
    """Return what is to be found of an answer: its text, its thoughts, the names of its calls.

    The text is without the mark of a thought that the prompt may have in its place.
    """
    calls = (name_of(call) for call in turn.get("tool_calls", ()))
    return [without_beginning(str(turn["content"])), *thoughts_of(turn), *calls]


def has_thought(turn: Turn) -> bool:
    """Return whether an answer has a thought, beside its text or in it."""
    return _END in str(turn["content"]) or bool(thoughts_of(turn))


def _parts(turn: Turn) -> tuple[str, str]:
    """Return the thought of an answer without its marks, and what follows it."""
    content = str(turn["content"])
    if _END in content:
        thought, _, answer = content.partition(_END)
        return without_beginning(thought).lstrip("\n"), answer
    given = next(iter(thoughts_of(turn)), "")
    return (f"{given}\n", f"\n\n{content}") if given else ("", content)
