"""Data of preference tuning: prompts with a chosen and a rejected answer, or with a label."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
from typing_extensions import override

from engine.config.tasks.preference import PreferenceConfig
from engine.data.load import load_texts
from engine.data.on_disk import in_windows
from engine.data.raw import TRAIN, RawData
from engine.data.splits import cut_splits
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.chat import ChatFitted, ChatPipeline
from engine.reports.counted import counted
from engine.reports.data_summary import DataSummary
from engine.text.chat.chat_prompts import ChatPrompts, chat_lines
from engine.text.chat.conversation import ends_of
from engine.text.chat.media import media_faults
from engine.text.chat.message_trees import by_tree, holds_trees, tree_comparisons
from engine.text.chat.plain_prompts import PlainPrompts, prompt_text, separator_of
from engine.text.chat.prompts import Prompts
from engine.text.chat.roles import by_role, reads_transcripts, transcript_notes
from engine.text.chat.template_dates import names_date
from engine.text.chat.template_variables import VARIABLES, variables_of
from engine.text.chat.turns import system_prompt
from engine.text.columns import chosen
from engine.text.preferences.columns import FURTHER, has_answers, preference_columns
from engine.text.preferences.forms import with_answers
from engine.text.preferences.rows import compared, fault_of, label_of
from engine.text.preferences.several import lists_of_answers, one_by_one
from engine.text.rows import some_of, without_faults


class PreferenceFitted(ChatFitted):
    """The columns, and the form in which prompts and answers are written."""

    columns: dict[str, str]
    """By roles: prompt, chosen and rejected, or completion and label; those of a prompt's context.
    """
    chat: bool
    """Whether prompts and answers go through a chat template."""
    transcripts: bool = False
    """Whether texts of whole conversations are read as turns."""


class PreferencePipeline(ChatPipeline[PreferenceFitted]):
    """Prompts with answers of which one is better."""

    section: PreferenceConfig
    fitted_type = PreferenceFitted

    def load(self) -> RawData:
        """Rows that cannot be compared are left out."""
        raw = load_texts(self.config.data)
        data = self.config.data
        if not has_answers(raw.train, self.section) and holds_trees(raw.train):
            raw, data = tree_comparisons(raw), by_tree(data)
        raw = with_answers(raw, self.section)
        columns = preference_columns(raw.train, self.section)
        for table in raw.splits.values():
            for role, name in columns.items():
                chosen(table, name, f"task.{role}")
        said = self._transcripts(raw.train, columns)
        raw = raw.with_splits(raw.splits, *transcript_notes(said))

        def faults(table: pa.Table) -> list[str | None]:
            media = media_faults(table, list(columns.values()))
            own = (fault_of(row, bool(said)) for row in _rows(table, columns))
            return [one or other for one, other in zip(media, own, strict=True)]

        if lists_of_answers(raw.train, columns):
            # Pairs of one row stay in one split.
            raw = one_by_one(cut_splits(raw, data), columns, self.section.loss == "kto")
            columns = preference_columns(raw.train, self.section)
            raw = without_faults(raw, faults)
        else:
            raw = cut_splits(without_faults(raw, faults), data)
        if "label" in columns:
            _check_labels(raw.splits[TRAIN], columns)
        return raw

    def _transcripts(self, table: pa.Table, columns: dict[str, str]) -> list[str]:
        """Return the columns of texts of whole conversations that are read as turns."""
        texts = (columns.get(role) for role in ("prompt", "chosen", "rejected", "completion"))
        return [name for name in texts if name and reads_transcripts(table, name, self.section)]

    def fit(self, raw: RawData) -> PreferenceFitted:
        """Train a tokenizer where the network is new."""
        columns = preference_columns(raw.train, self.section)
        said = bool(self._transcripts(raw.train, columns))
        some = [compared(row, said) for row in _rows(some_of(raw.train), columns)]
        turns = any(isinstance(side.prompt, list) for side in some) or any(
            isinstance(answer, list) for side in some for answer in side.answers.values()
        )
        written = [side.row(answer) for side in some for answer in side.answers.values()]
        separator = "\n" if turns else separator_of(written)
        trained = self.learn_tokenizer(_texts(raw.train, columns, turns, separator, said))
        tokenizer = self.tokenizer(trained)
        chat = turns or self.writes_texts_as_chat(trained)
        fitted = PreferenceFitted(
            tokenizer=trained,
            max_length=self.limit(self.section.max_length, trained),
            columns=columns,
            chat=chat,
            separator=separator,
            # Fixed, so that the tokens are the same on any later day.
            date=date.today().isoformat() if chat and names_date(tokenizer) else "",
            beginning=self.beginning(chat, trained),
            template_begin=self.template_begin(chat, trained),
            transcripts=said,
        )
        return self.with_common(fitted, raw.train)

    def prompts(self, fitted: PreferenceFitted) -> Prompts:
        """Return the one way to write the prompts of this data."""
        tokenizer = self.chat_tokenizer(fitted)
        if fitted.chat:
            variables, system = fitted.variables, fitted.system or ""
            return ChatPrompts(tokenizer, fitted.date, variables=variables, system=system)
        return PlainPrompts(tokenizer.eos_token or "", fitted.separator, fitted.beginning)

    def ends(self, fitted: PreferenceFitted) -> list[int]:
        """Return the tokens that end a text: the tokenizer's own, and the template's."""
        return ends_of(self.tokenizer(fitted.tokenizer), fitted.chat)

    @override
    def system_prompts(self, table: pa.Table, fitted: PreferenceFitted) -> Iterator[str]:
        for row in _rows(table, fitted.columns):
            asked = compared(row, fitted.transcripts).asked
            yield system_prompt(asked["prompt"], asked.get("system"))

    @override
    def template_variables(
        self, table: pa.Table, fitted: PreferenceFitted
    ) -> Iterator[dict[str, Any]]:
        if VARIABLES in fitted.columns:
            for row in _rows(table, fitted.columns):
                yield variables_of(row.get(VARIABLES))

    def summarize(self, raw: RawData, fitted: PreferenceFitted) -> DataSummary:
        """Columns, the form of the answers, and how long they are."""
        columns, some = fitted.columns, some_of(raw.train)
        form = (fitted.chat, fitted.separator, fitted.transcripts)
        texts = list(_texts(some, columns, *form))
        facts = self.measured(texts, fitted)
        facts["answers"] = _answers_fact(raw.train, columns)
        facts["prompts"] = "through the chat template" if fitted.chat else "as plain text"
        if "prompt" not in columns:
            one = "label" in columns
            facts["prompts"] += f", what {'stands before' if one else 'both answers begin with'}"
        if fitted.chat:
            facts["chat template"] = self.template_name(fitted.tokenizer)
        facts |= self.beginning_fact(fitted)
        if fitted.date:
            facts["date"] = f"{fitted.date} in every conversation, as the chat template writes it"
        facts |= self.unused_facts(columns, fitted.chat, fitted.tokenizer)
        facts["tokenizer"] = f"{len(self.tokenizer(fitted.tokenizer)):,} tokens"
        return self.text_summary(raw, fitted, {name: role for role, name in columns.items()}, facts)

    def inputs(self, fitted: PreferenceFitted) -> tuple[str, ...]:
        """Return the columns of a prompt to continue."""
        first = next(role for role in ("prompt", "chosen", "completion") if role in fitted.columns)
        further = [role for role in FURTHER if role in fitted.columns]
        return tuple(fitted.columns[role] for role in (first, *further))


def _rows(table: pa.Table, columns: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The rows with their values by role."""
    for piece in in_windows(by_role(table, columns)):
        yield from piece.to_pylist()


def _texts(
    table: pa.Table, columns: dict[str, str], turns: bool, separator: str, transcripts: bool
) -> Iterator[str]:
    """Each prompt with each of its answers, as one text."""
    for row in _rows(table, columns):
        side = compared(row, transcripts)
        for answer in side.answers.values():
            written = side.row(answer)
            yield (chat_lines(written) if turns else prompt_text(written, separator) + str(answer))


def _check_labels(table: pa.Table, columns: dict[str, str]) -> None:
    """Refuse labels that are all alike; raises :class:`DataError`."""
    labels = {label_of(row) for row in _rows(table, columns)}
    if len(labels) < 2:
        only = "true" if True in labels else "false"
        raise DataError(
            f"Every label in {plain(columns['label'], 60)} is {only}, and kto learns from the "
            "difference between desirable and undesirable answers.",
            "Add answers with the other label, or choose another column as task.label.",
        )


def _answers_fact(table: pa.Table, columns: dict[str, str]) -> str:
    if "label" not in columns:
        return "a chosen and a rejected one for each prompt"
    good = sum(label_of(row) is True for row in _rows(table, columns))
    bad = table.num_rows - good
    return f"{counted(good, 'desirable answer')}, {counted(bad, 'undesirable answer')}"
