"""Data of language models: plain or labelled text, pairs, or conversations."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
from pydantic import Field
from typing_extensions import override

from engine.config.tasks.causal_lm import CausalLmConfig
from engine.data.on_disk import in_windows
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.data.splits import cut_splits, some_used
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.chat import ChatFitted, ChatPipeline
from engine.pipelines.conversation_rows import load_rows
from engine.reports.counted import counted
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note
from engine.text.chat.chat_prompts import ChatPrompts, chat_lines
from engine.text.chat.conversation import ends_of
from engine.text.chat.instructions import TooLong
from engine.text.chat.labelled_texts import (
    SEGMENTS,
    LabelledTexts,
    fault_of_segments,
    whole_text,
)
from engine.text.chat.media import media_faults
from engine.text.chat.plain_prompts import PlainPrompts, prompt_text, separator_of
from engine.text.chat.prompts import Prompts
from engine.text.chat.roles import (
    Form,
    Roles,
    by_role,
    reads_transcripts,
    roles_in,
    transcript_notes,
)
from engine.text.chat.shown_samples import Part, shown_parts
from engine.text.chat.template_dates import names_date
from engine.text.chat.template_variables import VARIABLES, variables_of
from engine.text.chat.turn_notes import notes_on_turns
from engine.text.chat.turns import ASSISTANT, fault_in, fault_of_answers, system_prompt
from engine.text.columns import TEXT_NAMES, chosen
from engine.text.rows import fault_of_text, some_of, texts_in, without_faults
from engine.text.tokens.blocks import are_lines, pieces, sizes_of, tail_rows
from engine.text.tokens.lengths import length_facts, packing_fact

_SHOWN = 3
"""Rows that are shown as they are learned."""


class CausalLmFitted(ChatFitted):
    """The format of the data, and its columns."""

    form: Form
    columns: list[str]
    """The text, prompt and completion, or messages; two where both sides are messages."""
    lines: bool
    context: dict[str, str] = Field(default_factory=dict)
    """Further columns of the prompt by their roles: input, system, history, tools."""
    chat: bool = False
    """Whether pairs are written in the chat template, and not as plain text."""
    too_long: TooLong = "cut"
    """Whether the beginnings of answers that do not fit are learned."""

    @property
    def roles(self) -> Roles:
        """The format and the columns."""
        return Roles(self.form, self.columns, self.context)


class CausalLmPipeline(ChatPipeline[CausalLmFitted]):
    """Texts, or conversations with answers to learn."""

    section: CausalLmConfig
    fitted_type = CausalLmFitted

    def load(self) -> RawData:
        """Plain text is cut at its end, instructions at random."""
        raw, data = load_rows(self.config.data, self.section)
        roles = roles_in(raw.train, self.section)
        if roles.form == "text":
            raw = raw.with_splits(raw.splits, *_unread(raw, roles.columns[0], self.section))
            return self._cut_text(raw, roles.columns[0])
        for table in raw.splits.values():
            for name in roles.columns:
                chosen(table, name, "The data to learn from")
        notes = [
            *self._transcripts(raw, roles),
            *_missing_context(raw, roles),
            *_on_turns(raw, roles),
        ]
        raw = raw.with_splits(raw.splits, *notes)
        faults = _FAULTS[roles.form]

        def found(table: pa.Table) -> list[str | None]:
            media = media_faults(table, list(roles.by_name.values()))
            return [one or other for one, other in zip(media, faults(table, roles), strict=True)]

        return cut_splits(without_faults(raw, found), data)

    def _transcripts(self, raw: RawData, roles: Roles) -> list[Note]:
        """Notes on the columns of texts of whole conversations."""
        if roles.form != "messages":
            return []
        columns = roles.columns
        return transcript_notes(
            [name for name in columns if reads_transcripts(raw.train, name, self.section)]
        )

    def _cut_text(self, raw: RawData, column: str) -> RawData:
        data = self.config.data
        if data.group or data.time or data.folds:
            raise DataError(
                "data.group, data.time and data.folds are for rows of instructions; plain text is "
                "cut at its end.",
                "Leave them empty.",
            )
        splits = dict(raw.splits)
        notes = []
        sizes = sizes_of(texts_in(raw.train, [column]))
        left = len(sizes)
        for name, share in ((TEST, data.test_fraction), (VALIDATION, data.validation_fraction)):
            if name in raw.splits or not share:
                continue
            count = tail_rows(sizes[:left], share * sizes.sum() / max(1, sizes[:left].sum()))
            splits[name] = raw.train.slice(max(0, left - count), count)
            left -= count
            notes.append(
                Note(
                    f"the last {share:.0%} of the text ({counted(count, 'row')}) set aside for "
                    f"{name}",
                    read_as=name,
                    rows=count,
                    change=f"data.{name}_fraction",
                    kind="converted",
                )
            )
        if left < 1:
            raise DataError("No rows are left to train on.", "Lower data.test_fraction.")
        if data.max_samples is not None and data.max_samples < left:
            notes.append(some_used(data.max_samples, left, "the first "))
            left = data.max_samples
        splits[TRAIN] = raw.train.slice(0, left)
        return raw.with_splits(splits, *notes)

    def fit(self, raw: RawData) -> CausalLmFitted:
        """Train a tokenizer where the network is new."""
        roles = roles_in(raw.train, self.section)
        columns, lines, separator = roles.columns, False, "\n"
        texts: Iterable[str]
        if roles.form == "text":
            lines = are_lines(texts_in(raw.train, columns), self.section.join)
            texts = pieces(texts_in(raw.train, columns), lines)
        else:
            if roles.form == "pairs":
                separator = separator_of(_rows(some_of(raw.train), roles))
            texts = _texts(raw.train, roles, separator)
        trained = self.learn_tokenizer(texts)
        chat = roles.form == "pairs" and self.writes_texts_as_chat(trained)
        talks = chat or roles.form == "messages"
        fitted = CausalLmFitted(
            tokenizer=trained,
            max_length=self.limit(self.section.max_length, trained),
            form=roles.form,
            columns=columns,
            lines=lines,
            context=roles.context,
            separator=separator,
            chat=chat,
            too_long=self.section.too_long,
            date=self._date(talks, trained),
            beginning=self.beginning(talks or roles.form == SEGMENTS, trained),
            template_begin=self.template_begin(talks, trained),
        )
        return self.with_common(fitted, raw.train) if self.has_answers(fitted) else fitted

    def _date(self, chat: bool, trained: str) -> str:
        """Return today's date where the chat template writes it: fixed, it is the same always."""
        written = chat and names_date(self.tokenizer(trained))
        return date.today().isoformat() if written else ""

    def prompts(self, fitted: CausalLmFitted) -> Prompts:
        """Return the one way to write the prompts of this data."""
        tokenizer = self.chat_tokenizer(fitted)
        if fitted.form == "messages" or fitted.chat:
            system = fitted.system or ""
            return ChatPrompts(tokenizer, fitted.date, fitted.chat, fitted.variables, system)
        if fitted.form == SEGMENTS:
            return LabelledTexts()
        return PlainPrompts(tokenizer.eos_token or "", fitted.separator, fitted.beginning)

    def ends(self, fitted: CausalLmFitted) -> list[int]:
        """Return the tokens that end a text: the tokenizer's own, and the template's."""
        chat = fitted.chat or fitted.form == "messages"
        return ends_of(self.tokenizer(fitted.tokenizer), chat)

    @override
    def has_answers(self, fitted: CausalLmFitted) -> bool:
        return fitted.form != "text"

    @override
    def system_prompts(self, table: pa.Table, fitted: CausalLmFitted) -> Iterator[str]:
        for row in _rows(table, fitted.roles):
            yield system_prompt(row.get("messages", row.get("prompt")), row.get("system"))

    @override
    def template_variables(
        self, table: pa.Table, fitted: CausalLmFitted
    ) -> Iterator[dict[str, Any]]:
        if VARIABLES in fitted.context:
            for row in _rows(table, fitted.roles):
                yield variables_of(row.get(VARIABLES))

    def summarize(self, raw: RawData, fitted: CausalLmFitted) -> DataSummary:
        """Columns, and how long the texts are."""
        if fitted.form == "text":
            texts = pieces(texts_in(raw.train, fitted.columns), fitted.lines)
            facts = {
                "rows": "lines of one text" if fitted.lines else "documents",
                "characters": f"{sum(map(len, texts)):,} in the training rows",
                "blocks": f"of {fitted.max_length:,} tokens, without padding",
            }
            facts |= self.beginning_fact(fitted)
        else:
            some = _texts(some_of(raw.train), fitted.roles, fitted.separator)
            lengths = self.token_counts(list(some), fitted)
            facts = _named(length_facts(lengths, fitted.max_length), fitted)
            facts |= self._packed(lengths, raw.train.num_rows, fitted) | self._on_prompts(fitted)
            answers = "segments labelled true" if fitted.form == SEGMENTS else "answers"
            learned = answers if self.section.completions_only else "instructions and answers"
            facts["learned"] = learned
        facts["tokenizer"] = f"{len(self.tokenizer(fitted.tokenizer)):,} tokens"
        columns = {name: role for role, name in fitted.roles.by_name.items()}
        summary = self.text_summary(raw, fitted, columns, facts)
        if fitted.form == "text":
            return summary
        return replace(summary, samples=self._shown(raw, fitted))

    def _packed(self, lengths: list[int], rows: int, fitted: CausalLmFitted) -> dict[str, str]:
        """The fact on packing, unless it is off."""
        if self.section.packing == "off" or not lengths:
            return {}
        train = self.config.train
        batch = None if train.batch_tokens else train.batch_rows
        fact = packing_fact(lengths, fitted.max_length, rows, batch)
        tried = "; tried when training begins" if self.section.packing == "auto" else ""
        return {"packing": fact + tried}

    def _shown(self, raw: RawData, fitted: CausalLmFitted) -> tuple[tuple[Part, ...], ...]:
        """The first rows as they are learned; those that cannot be written are told later."""
        prompts = self.prompts(fitted)
        tokenizer = self.tokenizer(fitted.tokenizer)
        end = tokenizer.eos_token or ""
        shown = []
        for row in _rows(raw.train.slice(0, _SHOWN), fitted.roles):
            with contextlib.suppress(DataError):
                shown += [
                    shown_parts(
                        marked,
                        tokenizer.decode(marked.beginning),
                        end,
                        not self.section.completions_only,
                    )
                    for marked in prompts.marked(row)
                ]
        return tuple(shown[:_SHOWN])

    def _on_prompts(self, fitted: CausalLmFitted) -> dict[str, str]:
        """Facts on what is not written as it stands in the data."""
        facts = {}
        if fitted.chat or fitted.form == "messages":
            facts["chat template"] = self.template_name(fitted.tokenizer)
        if fitted.chat:
            facts["prompts"] = "a turn of the user, in the chat template"
        elif fitted.form == SEGMENTS:
            facts["prompts"] = "segments as they stand, without a chat template"
        elif fitted.form == "pairs":
            facts["prompts"] = f"end in {fitted.separator!r}" if fitted.separator else "as they are"
        facts |= self.beginning_fact(fitted)
        if fitted.date:
            facts["date"] = f"{fitted.date} in every conversation, as the chat template writes it"
        chat = fitted.chat or fitted.form == "messages"
        return facts | self.unused_facts(fitted.context, chat, fitted.tokenizer)

    def inputs(self, fitted: CausalLmFitted) -> tuple[str, ...]:
        """Return the columns to continue: the text, the instruction, or the conversation."""
        return (fitted.columns[0], *fitted.context.values())


def _named(facts: dict[str, str], fitted: CausalLmFitted) -> dict[str, str]:
    """The facts on lengths, with what becomes of answers that do not fit."""
    if "cut" in facts and fitted.too_long == "drop":
        facts["too long"] = f"{facts.pop('cut')}: answers that reach beyond are not learned"
    return facts


def _texts(table: pa.Table, roles: Roles, separator: str) -> Iterator[str]:
    """Each instruction with its answers, as one text."""
    for row in _rows(table, roles):
        if roles.form == "pairs":
            yield prompt_text(row, separator) + str(row["completion"])
        elif roles.form == SEGMENTS:
            yield whole_text(row)
        else:
            yield chat_lines(row)


def _rows(table: pa.Table, roles: Roles) -> Iterator[dict[str, Any]]:
    """The rows with their values by role."""
    for piece in in_windows(by_role(table, roles.by_name)):
        yield from piece.to_pylist()


def _faults_of_pairs(table: pa.Table, roles: Roles) -> list[str | None]:
    """A fault for rows whose prompt or completion is blank."""
    return [_fault_of_pair(row, roles) for row in _rows(table, roles)]


def _fault_of_pair(row: dict[str, Any], roles: Roles) -> str | None:
    prompt, completion = roles.columns
    if fault := fault_of_text(row["completion"], completion):
        return fault
    if isinstance(row["prompt"], bytes):
        return fault_of_text(row["prompt"], prompt)
    return None if prompt_text(row, "").strip() else f"{prompt} is empty"


def _faults_of_messages(table: pa.Table, roles: Roles) -> list[str | None]:
    """A fault for rows that are no conversation with an answer."""
    return [_fault_of_messages(row) for row in _rows(table, roles)]


def _fault_of_messages(row: dict[str, Any]) -> str | None:
    if "messages" in row:
        return fault_of_answers(row["messages"])
    return fault_in(row["prompt"]) or fault_of_answers(row["completion"], ASSISTANT)


def _faults_of_segments(table: pa.Table, roles: Roles) -> list[str | None]:
    """A fault for rows of which nothing can be learned."""
    return [fault_of_segments(row[SEGMENTS]) for row in _rows(table, roles)]


_FAULTS = {
    "pairs": _faults_of_pairs, "messages": _faults_of_messages, SEGMENTS: _faults_of_segments,
}  # fmt: skip


def _on_turns(raw: RawData, roles: Roles) -> Iterator[Note]:
    """Notes on conversations that are not learned as they stand."""
    if roles.form != "messages":
        return
    last = list(roles.by_name)[len(roles.columns) - 1]
    for split, table in raw.splits.items():
        values = (row.get(last) for row in _rows(table, roles))
        yield from notes_on_turns(values, roles.by_name[last], split)


def _unread(raw: RawData, column: str, section: CausalLmConfig) -> Iterator[Note]:
    """A note on the other columns where one was taken for plain text without a name for it."""
    others = [plain(name, 40) for name in raw.train.column_names if name != column]
    if section.text or column.lower() in TEXT_NAMES or not others:
        return
    yield Note(
        f"the column {plain(column, 40)} is read as plain text, and {', '.join(others[:8])} "
        f"{'is' if len(others) == 1 else 'are'} not used; set task.prompt and task.completion, or "
        "task.messages, where these are conversations",
        column=plain(column, 40),
        read_as="plain text",
        change="task.prompt",
    )


def _missing_context(raw: RawData, roles: Roles) -> Iterator[Note]:
    """Notes on splits without a column that belongs to the prompts."""
    for split, table in raw.splits.items():
        for role, name in roles.context.items():
            if name not in table.column_names:
                have = f"are without {role}"
                if role == VARIABLES:
                    have = "have the variables that all training rows share"
                yield Note(
                    f"{split} has no column {plain(name, 40)}; its prompts {have}",
                    column=plain(name, 40),
                    rows=table.num_rows,
                )
