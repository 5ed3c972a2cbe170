"""Data of language models: plain text, pairs of prompt and completion, or conversations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import pyarrow as pa

from engine.config.tasks.causal_lm import CausalLmConfig
from engine.data.load import load_texts
from engine.data.on_disk import in_windows
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.data.splits import cut_splits
from engine.errors import DataError
from engine.pipelines.generation import GenerationPipeline
from engine.pipelines.text import TextFitted
from engine.reports.data_summary import DataSummary
from engine.text.blocks import are_lines, pieces, sizes_of, tail_rows
from engine.text.columns import by_name, chosen, find_text, is_list
from engine.text.rows import blank, some_of, texts_in, without_faults
from engine.text.summary import summary_of

Form = Literal["text", "pairs", "messages"]

_PROMPTS = ("prompt", "instruction", "question", "input", "query")
_COMPLETIONS = ("completion", "response", "output", "answer", "target")
_MESSAGES = ("messages", "conversations", "conversation")


class CausalLmFitted(TextFitted):
    """The format of the data, and its columns."""

    form: Form
    columns: list[str]
    """The text, prompt and completion, or messages."""
    lines: bool


class CausalLmPipeline(GenerationPipeline[CausalLmFitted]):
    """Texts, or conversations with answers to learn."""

    section: CausalLmConfig
    fitted_type = CausalLmFitted

    def load(self) -> RawData:
        """Plain text is cut at its end, instructions at random."""
        raw = load_texts(self.config.data)
        form, columns = self._columns(raw.train)
        if form == "text":
            return self._cut_text(raw, columns[0])
        faults = blank if form == "pairs" else _strange_messages
        return cut_splits(
            without_faults(raw, lambda table: faults(table, columns)), self.config.data
        )

    def _cut_text(self, raw: RawData, column: str) -> RawData:
        data = self.config.data
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
            notes.append(f"the last {share:.0%} of the text, {count:,} rows, are kept for {name}")
        if left < 1:
            raise DataError("No rows are left to train on.", "Lower data.test_fraction.")
        if data.max_samples is not None and data.max_samples < left:
            notes.append(f"the first {data.max_samples:,} of {left:,} training rows are used")
            left = data.max_samples
        splits[TRAIN] = raw.train.slice(0, left)
        return raw.with_splits(splits, *notes)

    def _columns(self, table: pa.Table) -> tuple[Form, list[str]]:
        """Return format and columns of the data, from the fields or from the columns' names."""
        section = self.section
        if section.text:
            return "text", [chosen(table, section.text, "task.text")]
        messages = section.messages or by_name(table, _MESSAGES)
        if section.messages or (messages and is_list(table, messages)):
            return "messages", [chosen(table, messages or "", "task.messages")]
        prompt = section.prompt or by_name(table, _PROMPTS)
        completion = section.completion or by_name(table, _COMPLETIONS)
        if section.prompt or section.completion or (prompt and completion):
            chosen_prompt = chosen(table, prompt or "", "task.prompt")
            return "pairs", [chosen_prompt, chosen(table, completion or "", "task.completion")]
        return "text", [find_text(table)]

    def fit(self, raw: RawData) -> CausalLmFitted:
        """Train a tokenizer where the network is new."""
        form, columns = self._columns(raw.train)
        lines = False
        texts: Iterable[str]
        if form == "text":
            lines = are_lines(texts_in(raw.train, columns), self.section.join)
            texts = pieces(texts_in(raw.train, columns), lines)
        else:
            texts = _texts(raw.train, form, columns)
        trained = self.learn_tokenizer(texts)
        return CausalLmFitted(
            tokenizer=trained,
            max_length=self.limit(self.section.max_length, trained),
            form=form,
            columns=columns,
            lines=lines,
        )

    def summarize(self, raw: RawData, fitted: CausalLmFitted) -> DataSummary:
        """Columns, and how long the texts are."""
        names = {"text": ["text"], "pairs": ["prompt", "completion"], "messages": ["messages"]}
        roles = dict(zip(fitted.columns, names[fitted.form], strict=True))
        if fitted.form == "text":
            texts = pieces(texts_in(raw.train, fitted.columns), fitted.lines)
            facts = {
                "rows": "lines of one text" if fitted.lines else "documents",
                "characters": f"{sum(map(len, texts)):,} in the training rows",
                "blocks": f"of {fitted.max_length:,} tokens, without padding",
            }
        else:
            some = _texts(some_of(raw.train), fitted.form, fitted.columns)
            facts = self.measured(list(some), fitted)
            learned = "answers" if self.section.completions_only else "instructions and answers"
            facts["learned"] = learned
        facts["tokenizer"] = f"{len(self.tokenizer(fitted.tokenizer)):,} tokens"
        return summary_of(self.config, raw, roles, facts)

    def inputs(self, fitted: CausalLmFitted) -> tuple[str, ...]:
        """Return the column to continue: the text, the instruction, or the conversation."""
        return (fitted.columns[0],)


def _texts(table: pa.Table, form: Form, columns: Sequence[str]) -> Iterator[str]:
    """Each instruction with its answers, as one text."""
    for piece in in_windows(table.select(list(columns))):
        if form == "pairs":
            parts = (piece[name].to_pylist() for name in columns)
            yield from ("\n".join(map(str, texts)) for texts in zip(*parts, strict=True))
        else:
            for turns in piece[columns[0]].to_pylist():
                yield "\n".join(f"<|{turn['role']}|>\n{turn['content']}" for turn in turns)


def _strange_messages(table: pa.Table, columns: Sequence[str]) -> list[str | None]:
    """A fault for rows that are no conversation with an answer."""
    pieces = in_windows(table.select(list(columns)))
    return [_strange(turns) for piece in pieces for turns in piece[columns[0]].to_pylist()]


def _strange(turns: Any) -> str | None:
    if not turns:
        return "the conversation is empty"
    for turn in turns:
        if not isinstance(turn, dict) or not {"role", "content"} <= turn.keys():
            return "a turn has no role or content"
        if turn["content"] is None:
            return "a turn is empty"
    return None if any(turn["role"] == "assistant" for turn in turns) else "there is no answer"
