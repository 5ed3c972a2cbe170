"""Preference tuning of a language model: the better of two answers is to become the likelier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.batches.source import Batch, Source
from engine.config.run_config import RunConfig
from engine.config.tasks.preference import PreferenceConfig
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.errors import DataError
from engine.metrics.evaluator import Evaluator
from engine.metrics.text.answer_likelihoods import likelihoods, measured, untuned
from engine.metrics.text.preference import PreferenceEvaluator, evaluate_untuned
from engine.metrics.text.preference_losses import Likelihoods, losses, rewards
from engine.pipelines.preference import PreferenceFitted, PreferencePipeline
from engine.reports.counted import counted
from engine.reports.views import Texts, View
from engine.runs.events import Log, Report
from engine.tasks.chat_files import chat_files
from engine.tasks.continuations import Continuations
from engine.tasks.network_files import NetworkFiles
from engine.tasks.shown_samples import ShownSamples
from engine.tasks.text import TextTask
from engine.tasks.writer import ASKED_FOR, Writer
from engine.text.chat.prompts import Prompt
from engine.text.chat.roles import by_role
from engine.text.chat.usable_samples import without_faulty
from engine.text.columns import chosen
from engine.text.generation.finite_outputs import or_why_not
from engine.text.generation.prompt_tokens import encoded_prompts, prompt_tokens, written_prompts
from engine.text.preferences.rows import compared, label_of
from engine.text.preferences.tokens import PreferenceSource, PreferenceTokens
from engine.text.row_notes import warn
from engine.text.tokens.cache import encoded
from engine.text.tokens.source import TokenSource, token_inputs

_SHOWN = 3
_LONGEST_SHOWN = 400
"""Characters of a prompt or an answer beside others."""


class Preference(TextTask[PreferenceFitted]):
    """Log-probabilities of answers to a prompt, held against each other."""

    pipeline: PreferencePipeline
    section: PreferenceConfig

    head = "causal_lm"

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._held_out: dict[str, PreferenceSource] = {}

    @override
    def encode(
        self, table: pa.Table, fitted: PreferenceFitted, device: torch.device, report: Report
    ) -> Source:
        """Both answers behind their prompt; those that are too long are left out and counted."""
        tokenizer = self.pipeline.chat_tokenizer(fitted)
        single = self.section.loss == "kto"
        prompts = self.pipeline.prompts(fitted)
        tokenise = PreferenceTokens(
            tokenizer, fitted.max_length, prompts, single, fitted.transcripts
        )
        rows = by_role(table, fitted.columns)
        rows = rows.append_column("row", pa.array(range(table.num_rows), pa.int64()))
        form = [fitted.chat, fitted.separator, tokenizer.chat_template, fitted.date, single,
                fitted.beginning, fitted.transcripts, fitted.variables]  # fmt: skip
        samples = encoded(rows, tokenise, [*self.cache_key(fitted), "preference", *form], report)
        samples, faults = without_faulty(samples)
        if not len(samples):
            raise DataError(
                f"No row can be used: {' '.join(map(str, faults))}", "Raise task.max_length."
            )
        for note in faults:
            report(warn(note))
        return PreferenceSource(samples, tokenizer.pad_token_id, device, table)

    @override
    def encode_new(
        self, table: pa.Table, fitted: PreferenceFitted, device: torch.device, report: Report
    ) -> Source:
        """Encode prompts to continue, as tokens."""
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)

        def collate(samples: pa.Table) -> Batch:
            return Batch(token_inputs(samples, tokenizer.pad_token_id), None, samples.num_rows)

        prompts = self._prompts(table, fitted)
        samples = encoded_prompts(tokenizer, prompts, self.cache_key(fitted), report)
        return TokenSource(samples, collate, device, table)

    def _prompts(self, table: pa.Table, fitted: PreferenceFitted) -> list[Prompt]:
        names = self.pipeline.inputs(fitted)
        chosen(table, names[0], "The data to predict from")
        # An answer may be a whole conversation, with instructions that the prompt lacks.
        columns = {
            role: name
            for role, name in fitted.columns.items()
            if name in names or role in ("chosen", "completion")
        }
        given = by_role(table, columns).to_pylist()
        rows = [compared(row, fitted.transcripts).asked for row in given]
        return written_prompts(self.pipeline.prompts(fitted), rows)

    @override
    def build_network(self, fitted: PreferenceFitted) -> nn.Module:
        """The network, which notes what its texts are generated with."""
        network = super().build_network(fitted)
        self._continuations(fitted).record_in(network, self.pipeline.ends(fitted))
        return network

    @override
    def files(self, fitted: PreferenceFitted) -> NetworkFiles:
        """With the tokenizer and the chat template of training."""
        return chat_files(self.writer(fitted).to_export)

    def writer(self, fitted: PreferenceFitted) -> Writer:
        """Return what a conversation with the model needs."""
        return Writer(
            tokenizer=self.pipeline.chat_tokenizer(fitted),
            prompts=self.pipeline.prompts(fitted),
            sampling=self._continuations(fitted).sampling,
            longest=self.pipeline.longest_conversation(fitted),
            context={role: name for role, name in fitted.columns.items() if role in ASKED_FOR},
            system=fitted.system,
        )

    @override
    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Mean over the pairs, or over single answers."""
        return losses(likelihoods(network, batch, self.section), self.section).mean()

    def settle_start(
        self,
        network: nn.Module,
        sources: Mapping[str, Source],
        known: Mapping[str, Tensor],
        report: Report,
    ) -> dict[str, Tensor]:
        """Measure the answers' log-probabilities where the loss or the baseline needs them."""
        wanted = {
            split: source
            for split, source in sources.items()
            if isinstance(source, PreferenceSource)
            and (self.section.has_reference or split != TRAIN)
        }
        kept = {split: known[split] for split, source in wanted.items()
                if split in known and len(known[split]) == len(source)}  # fmt: skip
        missing = {split: source for split, source in wanted.items() if split not in kept}
        if missing:
            said = counted(sum(map(len, missing.values())), "sample")
            report(Log(level="info", message=f"Measuring the untuned model on {said}."))
        size = self.config.train.batch_rows
        found = {**kept, **{split: measured(network, each, size)
                             for split, each in missing.items()}}  # fmt: skip
        for split, source in wanted.items():
            source.reference = found[split]
        self._held_out = {split: source for split, source in wanted.items() if split != TRAIN}
        return found

    @override
    def evaluator(self, fitted: PreferenceFitted) -> Evaluator:
        """Loss, rewards, and the rows that are the most wrong."""

        def show(rows: pa.Table, given: Likelihoods) -> Sequence[View]:
            some = by_role(rows, fitted.columns).to_pylist()
            return [Texts("Worst rows", _with_rewards(some, given, self.section, fitted))]

        return PreferenceEvaluator(self.section, partial(likelihoods, section=self.section), show)

    @override
    def predict(
        self, network: nn.Module, batch: Batch, fitted: PreferenceFitted
    ) -> list[dict[str, Any]]:
        """Return each prompt and the network's continuation."""
        prompts = self._prompts(batch.rows, fitted)
        return self._continuations(fitted).records(network, batch, prompts)

    @override
    def samples(self, network: nn.Module, source: Source, fitted: PreferenceFitted) -> ShownSamples:
        """Continuations of a few prompts, beside the answers of the data."""
        batch = next(source.read(source.plan(_SHOWN)[:1]))
        rows = by_role(batch.rows, fitted.columns).to_pylist()[:_SHOWN]
        sides = [compared(row, fitted.transcripts) for row in rows]
        prompts = self.pipeline.prompts(fitted)
        asked = [prompts.prompt(side.asked) for side in sides]
        tokens = prompt_tokens(self.pipeline.tokenizer(fitted.tokenizer), asked)
        writing = self._continuations(fitted).while_training
        texts = or_why_not(lambda: writing.texts(network, tokens), len(tokens))
        return ShownSamples([
            {"prompt": _shown(side.prompt), "continuation": text}
            | {name: _shown(answer) for name, answer in side.answers.items()}
            for side, text in zip(sides, texts, strict=True)
        ])  # fmt: skip

    def _continuations(self, fitted: PreferenceFitted) -> Continuations:
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
        seed = self.config.train.seed
        return Continuations.of(self.section, seed, tokenizer, fitted.max_length)

    @override
    def baselines(self, raw: RawData, fitted: PreferenceFitted) -> list[Baseline]:
        """Evaluate the untuned model; its accuracy is that of its log-probabilities."""
        source = self._held_out.get(TEST) or self._held_out.get(VALIDATION)
        if source is None or source.reference is None:
            return []
        return [Baseline("the untuned model", evaluate_untuned(untuned(source), self.section))]


def _with_rewards(
    rows: Sequence[Mapping[str, Any]],
    given: Likelihoods,
    section: PreferenceConfig,
    fitted: PreferenceFitted,
) -> list[dict[str, str]]:
    """Prompt and answers of each row, each answer with its reward."""
    values, good = rewards(given, section).tolist(), given.desirable.tolist()
    items = []
    for row, both, first in zip(rows, values, good, strict=True):
        side = compared(row, fitted.transcripts)
        names = list(side.answers)
        if section.loss == "kto":
            names = names if "label" in row else ["chosen" if first else "rejected"]
        item = {"prompt": _shown(side.prompt)}
        for name, reward in zip(names, both, strict=False):
            item |= {name: _shown(side.answers[name]), f"{name} reward": f"{reward:+.3f}"}
        if "label" in row:
            item["label"] = "desirable" if label_of(row) else "undesirable"
        items.append(item)
    return items


def _shown(value: Any) -> str:
    """Return a text, or the turns of a conversation, short enough to stand beside others."""
    if not isinstance(value, str):
        value = "\n".join(f"{turn['role']}: {turn['content']}" for turn in value)
    return value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…"
