"""Answers that are compared, as tokens and as batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from engine.batches.source import Batch, Noise, moved
from engine.data.labels import IGNORED
from engine.text.chat.instructions import ROW, Instructions
from engine.text.chat.prompts import Prompts, Row
from engine.text.preferences.rows import Compared, compared, label_of
from engine.text.tokens.padding import lengths_of, padded
from engine.text.tokens.source import TokenSource, token_inputs

Sample = dict[str, Any]
_KINDS = {
    "input_ids": pa.list_(pa.int64()),
    "first_labels": pa.list_(pa.int64()),
    "second_ids": pa.list_(pa.int64()),
    "second_labels": pa.list_(pa.int64()),
    "desirable": pa.bool_(),
    "row": pa.int64(),
    "fault": pa.string(),
    "literal": pa.bool_(),
}
"""The columns of samples. No ``labels``: a batch has its number of pairs, however long they are."""


@dataclass(frozen=True)
class _Tokens:
    """Ids and labels of an answer behind its prompt, or why there are none."""

    parts: list[list[int]]
    fault: str = ""
    literal: bool = False
    """Whether special tokens are plain text in it."""


_SEVERAL = _Tokens([[], []], "the chat template writes the turns of an answer in several forms")


@dataclass(frozen=True)
class PreferenceTokens:
    """Turns rows, with their number, into samples of two answers each.

    Rows with an answer longer than ``max_length`` have none. With ``single``, each answer is a
    sample of its own, and the second one is the last answer to another prompt before it.
    """

    tokenizer: Any
    max_length: int
    prompts: Prompts
    single: bool
    transcripts: bool = False

    def __call__(self, rows: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Rows by the roles of their columns."""
        given = [
            dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)
        ]
        samples = list(self._single(given) if self.single else self._pairs(given))
        return {name: [sample[name] for sample in samples] for name in _KINDS}

    def _pairs(self, rows: Sequence[Row]) -> Iterator[Sample]:
        sides = [compared(row, self.transcripts) for row in rows]
        firsts = self._tokens([side.row(side.answers["chosen"]) for side in sides])
        seconds = self._tokens([side.row(side.answers["rejected"]) for side in sides])
        for row, first, second in zip(rows, firsts, seconds, strict=True):
            fault = self._fault(first) or self._fault(second)
            yield _faulty(row["row"], fault) if fault else _sample(row["row"], first, second, True)

    def _single(self, rows: Sequence[Row]) -> Iterator[Sample]:
        answers = [answer for row in rows for answer in self._answers(row)]
        sides, texts = [side for _, side, _, _ in answers], [text for _, _, text, _ in answers]
        others = [texts[place] for place in _places_of_others([side.asked for side in sides])]
        firsts = self._tokens([side.row(text) for side, text in zip(sides, texts, strict=True)])
        seconds = self._tokens([side.row(text) for side, text in zip(sides, others, strict=True)])
        for (row, _, _, good), first, second in zip(answers, firsts, seconds, strict=True):
            fault = self._fault(first) or second.fault
            short = _Tokens([part[: self.max_length] for part in second.parts])
            yield _faulty(row, fault) if fault else _sample(row, first, short, good)

    def _tokens(self, rows: Sequence[Row]) -> list[_Tokens]:
        """Return ids and labels of each row, one more token than the maximum where there is one."""
        encode = Instructions(self.tokenizer, self.max_length + 1, True, self.prompts)
        numbered = [{**row, ROW: number} for number, row in enumerate(rows)]
        names = list(numbered[0]) if numbered else []
        tokens = encode({name: [row[name] for row in numbered] for name in names})
        found: list[list[_Tokens]] = [[] for _ in rows]
        columns = ("input_ids", "labels", ROW, "fault", "literal")
        for ids, labels, number, *further in zip(*(tokens[name] for name in columns), strict=True):
            found[number].append(_Tokens([ids, labels], *further))
        return [samples[0] if len(samples) == 1 else _SEVERAL for samples in found]

    def _fault(self, tokens: _Tokens) -> str:
        if tokens.fault or len(tokens.parts[0]) <= self.max_length:
            return tokens.fault
        return f"an answer ends beyond task.max_length ({self.max_length:,} tokens)"

    def _answers(self, row: Row) -> Iterator[tuple[int, Compared, Any, bool]]:
        """Yield a row's number, its prompt, and each answer with whether it is desirable."""
        side = compared(row, self.transcripts)
        for name, answer in side.answers.items():
            good = bool(label_of(row)) if "label" in row else name == "chosen"
            yield row["row"], side, answer, good


def _places_of_others(prompts: Sequence[Row]) -> list[int]:
    """Return for each answer, by its ``prompts``, the place of the last answer to another one.

    The places are a circle, as in TRL. Answers to the same prompt often stand side by side, and are
    no answers to other prompts. Where all prompts are alike, it is the answer before.
    """
    begins = [place for place in range(len(prompts)) if prompts[place] != prompts[place - 1]]
    if not begins:
        return [place - 1 for place in range(len(prompts))]
    others, last = [], begins[-1] - 1
    for place in range(len(prompts)):
        if prompts[place] != prompts[place - 1]:
            last = place - 1
        others.append(last)
    return others


def _sample(row: int, first: _Tokens, second: _Tokens, good: bool, fault: str = "") -> Sample:
    literal = first.literal or second.literal
    values = (*first.parts, *second.parts, good, row, fault, literal)
    return dict(zip(_KINDS, values, strict=True))


def _faulty(row: int, fault: str) -> Sample:
    return _sample(row, _Tokens([[], []]), _Tokens([[], []]), False, fault)


class PreferenceSource(TokenSource):
    """Samples of two answers each, with the log-probabilities of both before the first update."""

    def __init__(
        self, samples: datasets.Dataset, pad: int, device: torch.device, table: pa.Table
    ) -> None:
        """``table`` has the rows that the samples were made from."""
        super().__init__(samples, _Collate(pad), device, table.take(samples.data["row"]))
        second = torch.from_numpy(lengths_of(samples.data.column("second_ids")))
        self.lengths = torch.maximum(self.lengths, second)
        self.reference: Tensor | None = None
        """``[samples, 2]``, once measured."""

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches, with the reference where it is known."""
        for numbers, batch in zip(plan[start:], super().read(plan, start, noise), strict=True):
            if self.reference is not None:
                found = self.reference[numbers]
                batch.targets["reference"] = moved(found, self._device, self.pinned)
            yield batch


class _Collate:
    """Samples as a batch: the first answers are the inputs, the second ones are targets."""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def __call__(self, samples: pa.Table) -> Batch:
        second_ids = samples.select(["second_ids"]).rename_columns(["input_ids"])
        inputs, other = token_inputs(samples, self._pad), token_inputs(second_ids, self._pad)
        width = max(inputs["input_ids"].shape[1], other["input_ids"].shape[1])
        fills = {"input_ids": self._pad, "attention_mask": 0}
        targets = {
            "labels": _wide(padded(samples["first_labels"], IGNORED), width, IGNORED),
            "second": {name: _wide(part, width, fills[name]) for name, part in other.items()},
            "second_labels": _wide(padded(samples["second_labels"], IGNORED), width, IGNORED),
            "desirable": torch.tensor(samples["desirable"].to_pylist()),
        }
        inputs = {name: _wide(part, width, fills[name]) for name, part in inputs.items()}
        return Batch(inputs, targets, samples.num_rows)


def _wide(rows: Tensor, width: int, fill: int) -> Tensor:
    return F.pad(rows, (0, width - rows.shape[1]), value=fill)
