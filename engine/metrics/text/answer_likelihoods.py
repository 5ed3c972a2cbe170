"""Log-probabilities of answers by a network, as the losses of preference tuning take them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.batches.source import Batch, Source
from engine.config.tasks.preference import PreferenceConfig
from engine.data.labels import IGNORED
from engine.metrics.text.preference_losses import Likelihoods, joined
from engine.models.language.token_losses import label_losses

_AT_ONCE = 256


def likelihoods(network: nn.Module, batch: Batch, section: PreferenceConfig) -> Likelihoods:
    """Return those of a batch of :class:`~engine.text.preferences.tokens.PreferenceSource`."""
    first, second = batch.targets["labels"], batch.targets["second_labels"]
    text = _whole_text(batch, first) if section.loss == "orpo" else first
    nats = _nats(network, batch, text, second, apart=section.loss == "kto")
    learned = torch.stack([first != IGNORED, second != IGNORED], 1)
    answers = -(nats * learned).sum(2)
    return Likelihoods(
        answers=answers,
        # Until it is measured, the network is its own: nothing was trained yet.
        reference=batch.targets.get("reference", answers.detach()),
        tokens=learned.sum(2),
        text=nats[:, 0].sum(1),
        text_tokens=(text != IGNORED).sum(1),
        desirable=batch.targets["desirable"],
    )


def measured(network: nn.Module, source: Source, batch_size: int) -> Tensor:
    """Return the log-probabilities of both answers of each sample, ``[samples, 2]``."""
    plan = source.evaluation_plan(batch_size)
    values = torch.empty(len(source), 2)
    for rows, batch in zip(plan, source.read(plan), strict=True):
        first, second = batch.targets["labels"], batch.targets["second_labels"]
        nats = _nats(network, batch, first, second, apart=False)
        values[rows] = -nats.sum(2).float().cpu()
    return values


def untuned(source: Source) -> Likelihoods:
    """Return those of the network before the first update, as they were measured.

    That of the whole text is not known.
    """
    parts = []
    for batch in source.read(source.evaluation_plan(_AT_ONCE)):
        first, second = batch.targets["labels"], batch.targets["second_labels"]
        reference = batch.targets["reference"]
        unknown = torch.full_like(reference[:, 0], torch.nan)
        tokens = torch.stack([(first != IGNORED).sum(1), (second != IGNORED).sum(1)], 1)
        desirable = batch.targets["desirable"]
        parts.append(Likelihoods(reference, reference, tokens, unknown, tokens[:, 0], desirable))
    return joined(parts)


def _nats(network: nn.Module, batch: Batch, first: Tensor, second: Tensor, apart: bool) -> Tensor:
    """Return the nats of each token of both answers, ``[rows, 2, length]``.

    ``apart``, those of the second answers are without gradient.
    """
    other = batch.targets["second"]
    if apart:
        nats = label_losses(network, batch.inputs, first)
        with torch.no_grad():
            others = label_losses(network, other, second)
        return torch.stack([nats, others], 1)
    inputs = {name: torch.cat([part, other[name]]) for name, part in batch.inputs.items()}
    nats = label_losses(network, inputs, torch.cat([first, second]))
    return torch.stack(nats.chunk(2), 1)


def _whole_text(batch: Batch, labels: Tensor) -> Tensor:
    """Return the labels of all tokens but the first, those of the prompt too."""
    ids, mask = batch.inputs["input_ids"], batch.inputs["attention_mask"]
    following = torch.where(mask[:, 1:].bool(), ids[:, 1:], IGNORED)
    following = torch.cat([following, torch.full_like(labels[:, :1], IGNORED)], 1)
    return torch.where(labels == IGNORED, following, labels)
