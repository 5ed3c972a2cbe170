"""Prompts of plain texts, for models without conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from typing_extensions import override

from engine.text.chat.prompts import Marked, Prompt, Prompts, Row, cut, text_of
from engine.text.chat.turns import (
    system_text,
    texts_within,
)


@dataclass(frozen=True)
class PlainPrompts(Prompts):
    """Prompts of texts that are joined by line ends."""

    end: str
    """The mark of the end, behind each completion."""
    separator: str
    """Text between a prompt and its completion where the prompt does not end in a blank."""
    beginning: Sequence[int] = ()
    """The tokens before each prompt."""

    @override
    def prompt(self, row: Row) -> Prompt:
        return replace(cut(prompt_text(row, self.separator)), beginning=self.beginning)

    @override
    def marked(self, row: Row) -> Sequence[Marked]:
        text = prompt_text(row, self.separator)
        whole = text + text_of(row["completion"])
        end = "" if self.end and whole.endswith(self.end) else self.end
        spans = [(len(cut(text).text), len(whole))]
        return [Marked(whole + end, spans, beginning=self.beginning)]


def prompt_text(row: Row, separator: str) -> str:
    """The texts of a prompt with a line each, up to where the completion begins."""
    parts = [
        system_text(row.get("system")), *texts_within(row.get("history")),
        text_of(row.get("prompt")), text_of(row.get("input")),
    ]  # fmt: skip
    text = "\n".join(part for part in parts if part.strip())
    return text if text[-1:].isspace() else text + separator


def separator_of(rows: Iterable[Row]) -> str:
    """Return what most often stands between a prompt and its completion.

    It is whatever blanks the prompts end in, nothing where the completions begin with a blank, and
    a line end where neither side has one. A prompt that is typed without its last blank gets it
    back from here.
    """
    found = Counter(_gap(prompt_text(row, ""), text_of(row["completion"])) for row in rows)
    return found.most_common(1)[0][0] if found else "\n"


def _gap(prompt: str, completion: str) -> str:
    blanks = prompt[len(prompt.rstrip()) :]
    return blanks or ("" if completion[:1].isspace() else "\n")
