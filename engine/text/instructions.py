"""Instructions with their answers as tokens, and which of these are learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.data.labels import IGNORED
from engine.errors import DataError
from engine.text.bpe import CHAT_TEMPLATE

Turn = Mapping[str, str]


@dataclass(frozen=True)
class Instructions:
    """Turns rows into ``input_ids`` and ``labels``, which are the tokens one place later."""

    tokenizer: Any
    max_length: int
    completions_only: bool

    def __call__(self, rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Rows with ``prompt`` and ``completion``, or with ``messages``."""
        if "messages" in rows:
            marked = [self.of_messages(turns) for turns in rows["messages"]]
        else:
            marked = [
                self.of_pair(prompt, completion)
                for prompt, completion in zip(rows["prompt"], rows["completion"], strict=True)
            ]
        samples = [self._sample(*text) for text in marked]
        names = ("input_ids", "labels", "characters")
        return {name: [sample[i] for sample in samples] for i, name in enumerate(names)}

    def of_pair(self, prompt: str, completion: str) -> tuple[str, list[tuple[int, int]]]:
        """Return the whole text, and the span of the completion in it."""
        text = prompt + gap_between(prompt, completion)
        return text + completion + self.tokenizer.eos_token, [(len(text), len(text + completion))]

    def of_messages(self, turns: Sequence[Turn]) -> tuple[str, list[tuple[int, int]]]:
        """Return the conversation in the tokenizer's chat template, and the assistant's spans."""
        text = chat(self.tokenizer, turns)
        spans = []
        for number, turn in enumerate(turns):
            if turn["role"] == "assistant":
                before = chat(self.tokenizer, turns[:number], ask=True) if number else ""
                until = chat(self.tokenizer, turns[: number + 1])
                if not (until.startswith(before) and text.startswith(until.rstrip())):
                    raise DataError(
                        "The chat template of this model rewrites earlier turns, so that answers "
                        "cannot be told apart.",
                        "Set task.completions_only to false, or choose another model.",
                    )
                spans.append((len(before), len(until)))
        return text, spans

    def _sample(
        self, text: str, spans: Sequence[tuple[int, int]]
    ) -> tuple[list[int], list[int], int]:
        tokens = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True,
            truncation=True, max_length=self.max_length + 1,
        )  # fmt: skip
        ids, offsets = tokens["input_ids"], tokens["offset_mapping"]
        # The mark of the end behind a completion is learned with it.
        end = self.tokenizer.eos_token_id
        learned = [
            not self.completions_only
            or any(begin <= first and (last <= until or ids[place] == end) and first <= until
                   for begin, until in spans)
            for place, (first, last) in enumerate(offsets)
        ]  # fmt: skip
        labels = [token if keep else IGNORED for token, keep in zip(ids, learned, strict=True)]
        characters = sum(
            last - first
            for (first, last), label in zip(offsets[1:], labels[1:], strict=True)
            if label not in (IGNORED, end)
        )
        return ids[:-1], labels[1:], characters


def gap_between(prompt: str, completion: str) -> str:
    """A line's end where neither side brings a blank."""
    return "" if prompt[-1:].isspace() or completion[:1].isspace() else "\n"


def chat(tokenizer: Any, turns: Sequence[Turn], ask: bool = False) -> str:
    """A conversation as text; with ``ask``, up to the assistant's next turn."""
    template = None if tokenizer.chat_template else CHAT_TEMPLATE
    text: str = tokenizer.apply_chat_template(
        [dict(turn) for turn in turns], chat_template=template, tokenize=False,
        add_generation_prompt=ask,
    )  # fmt: skip
    return text
