"""Prompts as conversations in a chat template, with the places of the answers in them."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from typing_extensions import override

from engine.errors import DataError
from engine.text.chat.asked_answers import answer_behind
from engine.text.chat.conversation import Conversation, Refused, end_of_turn, rendered, tried
from engine.text.chat.first_answers import begin_of_first
from engine.text.chat.prompts import Marked, Prompt, Prompts, Row, cut, text_of
from engine.text.chat.repeated_prompts import turns_with_prompt, with_instructions_of
from engine.text.chat.template_variables import VARIABLES, variables_of
from engine.text.chat.thoughts import (
    MARKS,
    ends_in_mark,
    has_thought,
    may_think,
    parts_of,
    thought_out,
)
from engine.text.chat.tools import tools_of
from engine.text.chat.transcripts import without_mark_blanks
from engine.text.chat.turns import (
    ASSISTANT,
    DEVELOPER,
    SYSTEM,
    USER,
    Turn,
    fault_in,
    holds_turns,
    is_learned,
    texts_within,
    turns_of,
    with_calls_as_text,
    with_system,
    without_last_question,
)
from engine.text.tokens.literals import (
    Span,
    added_tokens,
    finder,
    hidden,
    literals_in,
    revealed,
    special_tokens,
    stand_ins,
)


@dataclass(frozen=True)
class _Talk:
    """Turns and tools, with stand-ins for the special tokens that are written in them."""

    turns: list[Turn]
    tools: list[Any]
    marks: Mapping[str, str]
    """The stand-ins by their tokens."""
    variables: Mapping[str, Any]
    """The template's, from the row."""


@dataclass(frozen=True)
class ChatPrompts(Prompts):
    """Conversations in the tokenizer's chat template, which alone writes special tokens."""

    tokenizer: Any
    date: str = ""
    """The day for templates that write it, as ``2026-11-28``; empty for that of the call."""
    pairs: bool = False
    """Whether rows are pairs of texts, which are written as a turn of each side."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """The template's, for rows that have none of their own."""
    system: str = ""
    """The system prompt of mere texts to continue, which have none of their own."""

    @override
    def prompt(self, row: Row) -> Prompt:
        row = _with_usual_system(row, self.system)
        if self.pairs:
            turns = asked(_as_pair(row))
        elif "messages" in row:
            turns = turns_of(row["messages"])
            turns = turns[:-1] if len(turns) > 1 and turns[-1]["role"] == ASSISTANT else turns
        else:
            turns = _behind_history(row, turns_of(row.get("prompt")))
        talk = self._talk(with_system(turns, row.get("system")), row)
        found = cut(self._chat(talk, len(talk.turns), ask=True).text)
        literals = literals_in(found.text, talk.marks, self._special)
        return Prompt(revealed(found.text, talk.marks), found.blanks, literals)

    @override
    def marked(self, row: Row) -> Sequence[Marked]:
        turns, given = self._turns(row)
        talk = self._talk(turns, row)
        # The end of a text behind the last answer, where the template writes none.
        end = "" if self._end else self.tokenizer.eos_token or ""
        return [
            _revealed(replace(marked, text=marked.text + end), talk.marks, self._special)
            for marked in self._marked(talk, given)
        ]

    def _talk(self, turns: Sequence[Turn], row: Row) -> _Talk:
        tools = tools_of(row.get("tools"))
        turns = [self._without_end(turn) for turn in turns]
        of_answers, of_others = self._finders
        find = [of_answers if turn["role"] == ASSISTANT else of_others for turn in turns]
        marks = stand_ins([*zip(turns, find, strict=True), (tools, of_others)])
        written = [hidden(turn, one, marks) for turn, one in zip(turns, find, strict=True)]
        variables = {**self.variables, **variables_of(row.get(VARIABLES))}
        return _Talk(written, hidden(tools, of_others, marks), marks, variables)

    def _without_end(self, turn: Turn) -> Turn:
        """An answer without a mark of the end in the data: the template writes its own."""
        if turn["role"] != ASSISTANT:
            return turn
        text = turn["content"].rstrip()
        ends = (end for end in (self.tokenizer.eos_token, self._end) if end)
        found = next((end for end in ends if text.endswith(end)), None)
        return turn if found is None else {**turn, "content": text.removesuffix(found)}

    @cached_property
    def _special(self) -> set[str]:
        return special_tokens(self.tokenizer)

    @cached_property
    def _finders(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """The tokens that are plain text in answers, and in other turns.

        Answers may have special tokens that do not begin or end a turn, for tools and thoughts.
        """
        added = added_tokens(self.tokenizer)
        try:
            short = tried(self.tokenizer, USER, ASSISTANT)
            written = {*finder(added).findall(short)} - MARKS
        except DataError:  # reported of the conversations that are to be written
            written = added - MARKS
        own = (self.tokenizer.bos_token, self.tokenizer.eos_token, self.tokenizer.pad_token)
        return finder({*written, *filter(None, own)}), finder({*written, *self._special})

    def _marked(self, talk: _Talk, given: int) -> Sequence[Marked]:
        turns = talk.turns
        whole = self._chat(talk, len(turns))
        answers = [place for place, turn in enumerate(turns) if turn["role"] == ASSISTANT]
        learned = [place for place in answers if place >= given and is_learned(turns[place])]
        said = len(whole.answers) == len(answers)
        if said and not self._thinks_otherwise(talk, learned):
            return self._said_by_template(talk, whole, answers, learned)
        parts = {place: self._until(talk, place) for place in learned}
        spans = {place: (begin, len(text)) for place, (text, begin) in parts.items()}
        if all(whole.text.startswith(text.rstrip()) for text, _ in parts.values()):
            return [_compared(whole.text, spans, turns)]
        # Earlier turns are rewritten: each answer is learned in the form in which it is asked for.
        return [_compared(text, {place: spans[place]}, turns) for place, (text, _) in parts.items()]

    def _thinks_otherwise(self, talk: _Talk, learned: Sequence[int]) -> bool:
        """Whether an answer is not written behind the thought that its prompt begins."""
        if not may_think(self.tokenizer):
            return False
        with contextlib.suppress(Refused):  # of a part of the conversation
            for place in filter(None, learned):
                before = self._chat(talk, place, ask=True).text
                until = self._chat(talk, place + 1).text if ends_in_mark(before) else before
                if not until.startswith(before):
                    return True
        return False

    def _said_by_template(
        self, talk: _Talk, whole: Conversation, answers: Sequence[int], learned: Sequence[int]
    ) -> Sequence[Marked]:
        """Texts in which the template marks all ``answers``, for those that are ``learned``."""
        spans = dict(zip(answers, whole.answers, strict=True))
        last = {place: self._as_last(talk, place, whole) for place in learned}
        alike = (
            whole.text[slice(*spans[place])] == chat.text[slice(*chat.answers[-1])]
            for place, chat in last.items()
            if chat is not whole
        )
        if all(alike):
            return [_spanned(whole, {place: spans[place] for place in learned}, talk, self._end)]
        # Earlier answers are rewritten: each is learned in the form in which it is asked for.
        found = {place: chat.answers[-1] for place, chat in last.items() if chat is not whole}
        return [
            _spanned(chat, {place: {**spans, **found}[place]}, talk, self._end)
            for place, chat in last.items()
        ]

    def _as_last(self, talk: _Talk, place: int, whole: Conversation) -> Conversation:
        """The text up to an answer; the ``whole`` where the template refuses it or marks none."""
        if place + 1 == len(talk.turns):
            return whole
        try:
            chat = self._chat(talk, place + 1)
        except Refused:
            return whole
        return chat if chat.answers else whole

    @cached_property
    def _end(self) -> str:
        """The token by which the template ends an answer; empty where there is none."""
        token = end_of_turn(self.tokenizer)
        return "" if token is None else str(self.tokenizer.convert_ids_to_tokens(token))

    def _turns(self, row: Row) -> tuple[list[Turn], int]:
        """All turns of a row, and the number of those that are only given."""
        if not self.pairs:
            return _turns(row)
        turns = pair_turns(row)
        return turns, len(turns) - 1

    def _until(self, talk: _Talk, place: int) -> tuple[str, int]:
        """The text up to the end of turn number ``place``, and where this answer begins in it."""
        until = self._chat(talk, place + 1).text
        if not place:
            begin = begin_of_first(self.tokenizer, until, talk.turns[0])
            if begin is None:
                raise _otherwise(talk.turns[0])
            return until, len(cut(until[:begin]).text)
        before = self._chat(talk, place, ask=True).text
        if until.startswith(before):
            return until, len(cut(before).text)
        turn = talk.turns[place]
        found = thought_out(before, until, turn)
        if found is None and not has_thought(turn):
            found = answer_behind(before, until, talk.turns[place - 1], turn)
        if found is None:
            raise _otherwise(turn)
        return found, len(cut(before).text)

    def _chat(self, talk: _Talk, count: int, ask: bool = False) -> Conversation:
        """The first ``count`` turns in the form of the template."""
        turns = talk.turns[:count]
        return rendered(self.tokenizer, turns, talk.tools, ask, self.date, talk.variables)


def _otherwise(turn: Turn) -> DataError:
    """The error of an answer that is not written behind the prompt that asks for it."""
    which, remedy = "answers", ""
    if has_thought(turn):
        which, remedy = "answers with a thought", "take the thoughts out, or "
    return DataError(
        f"The chat template of this model writes {which} otherwise than it asks for them.",
        f"{remedy}set task.chat_template to another one.".capitalize(),
    )


def _revealed(marked: Marked, marks: Mapping[str, str], special: Collection[str]) -> Marked:
    """A text with the special tokens that its data has, which are plain text in it."""
    text = marked.text
    spans = [
        (len(revealed(text[:begin], marks)), len(revealed(text[:until], marks)))
        for begin, until in marked.spans
    ]
    literals = literals_in(text, marks, special)
    return replace(marked, text=revealed(text, marks), spans=spans, literals=literals)


def _spanned(chat: Conversation, spans: Mapping[int, Span], talk: _Talk, end: str) -> Marked:
    """A text with answers, each with the token behind it by which the template ends it."""
    ended = {
        place: (begin, until + len(end) if chat.text.startswith(end, until) else until)
        for place, (begin, until) in spans.items()
    }
    return _compared(chat.text, ended, talk.turns)


def _compared(text: str, spans: Mapping[int, tuple[int, int]], turns: Sequence[Turn]) -> Marked:
    """A text with the answers' ``spans`` by their turns, held against what these say."""
    shortened = any(
        _without_blanks(part) not in _without_blanks(text[slice(*span)])
        for place, span in spans.items()
        for part in parts_of(turns[place])
    )
    last = max(spans, default=0)
    said = _without_blanks(text[: spans[last][0]]) if spans else ""
    before = [turn for turn in turns[:last] if turn["role"] != ASSISTANT]
    unsaid = any(_without_blanks(turn["content"]) not in said for turn in before)
    return Marked(text, list(spans.values()), shortened, unsaid)


def _without_blanks(text: str) -> str:
    return "".join(text.split())


def asked(row: Row) -> list[Turn]:
    """The turns up to the answer of a pair of texts: its history, and what is asked for."""
    parts = [text_of(row.get("prompt")), text_of(row.get("input"))]
    text = "\n".join(part for part in parts if part.strip())
    return [*_earlier(row.get("history")), {"role": USER, "content": text}]


def pair_turns(row: Row) -> list[Turn]:
    """The turns of a pair of texts, of which the last is the answer."""
    given = with_system(asked(row), row.get("system"))
    return [*given, {"role": ASSISTANT, "content": text_of(row["completion"])}]


def _with_usual_system(row: Row, system: str) -> Row:
    """Return a row with a ``system`` prompt where it has none, unless it is a conversation."""
    own = row.get("system") is not None or holds_turns(row.get("messages", row.get("prompt")))
    return row if own else {**row, "system": system}


def _as_pair(row: Row) -> Row:
    """A conversation to continue as what is asked for last, behind its history."""
    if "messages" not in row:
        return row
    *earlier, last = turns_of(row["messages"])
    return {**row, "history": earlier, "prompt": last["content"]}


def _earlier(history: Any) -> list[Turn]:
    """Earlier turns: as they are, or texts of which each second is an answer."""
    if holds_turns(history) and fault_in(history) is None:
        return turns_of(history)
    sides = itertools.cycle([USER, ASSISTANT])
    return [{"role": next(sides), "content": text} for text in texts_within(history)]


def _behind_history(row: Row, turns: Sequence[Turn]) -> list[Turn]:
    """The turns of a prompt with the earlier ones of its row, behind its instructions."""
    first = int(bool(turns) and turns[0]["role"] in (SYSTEM, DEVELOPER))
    return [*turns[:first], *_earlier(row.get("history")), *turns[first:]]


def chat_lines(row: Row) -> str:
    """A conversation as text, for tokenizers that are not trained yet."""
    turns, _ = _turns(row)
    return "\n".join(f"<|{turn['role']}|>\n{with_calls_as_text(turn)['content']}" for turn in turns)


def _turns(row: Row) -> tuple[list[Turn], int]:
    """All turns of a row, and the number of those that are only given."""
    if "messages" in row:
        turns = without_last_question(turns_of(row["messages"]))
        return with_system(turns, row.get("system")), 0
    completion = without_mark_blanks(row["completion"], row["prompt"])
    prompt, answers = turns_of(row["prompt"]), turns_of(completion, ASSISTANT)
    if count := turns_with_prompt(prompt, answers):  # the whole conversation
        prompt, answers = with_instructions_of(prompt, answers[:count]), answers[count:]
    given = with_system(_behind_history(row, prompt), row.get("system"))
    return [*given, *without_last_question(answers)], len(given)
