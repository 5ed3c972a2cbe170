"""Losses of preference tuning, from the log-probabilities of the answers.

Each equals that of TRL, also in what the papers leave open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.config.tasks.preference import PreferenceConfig


@dataclass(frozen=True)
class Likelihoods:
    """Log-probabilities of two answers to each prompt.

    They are the chosen and the rejected answer; or, for KTO, the answer and one to another prompt.
    """

    answers: Tensor
    """Sums over the tokens of each answer, in nats; ``[rows, 2]``."""
    reference: Tensor
    """The same by the network before the first update, ``[rows, 2]``."""
    tokens: Tensor
    """Number of tokens of each answer, ``[rows, 2]``."""
    text: Tensor
    """Negative log-probability of the prompt and the first answer together, ``[rows]``; ORPO's."""
    text_tokens: Tensor
    """Number of tokens in :attr:`text`, ``[rows]``."""
    desirable: Tensor
    """Whether the first answer is a good one, ``[rows]``."""

    def of(self, rows: Tensor) -> Likelihoods:
        """Return those of some rows, by their numbers."""
        return Likelihoods(*(getattr(self, part.name)[rows] for part in fields(self)))


def joined(parts: Sequence[Likelihoods]) -> Likelihoods:
    """Return those of several batches together, in the memory of the computer."""
    return Likelihoods(
        *(
            torch.cat([getattr(part, each.name).cpu() for part in parts])
            for each in fields(parts[0])
        )
    )


def losses(given: Likelihoods, section: PreferenceConfig) -> Tensor:
    """Return the loss of each row, ``[rows]``; that of the batch is the mean."""
    return _LOSSES[section.loss](given, section)


def rewards(given: Likelihoods, section: PreferenceConfig) -> Tensor:
    """Return the implicit rewards of both answers, ``[rows, 2]``.

    With a reference, β times the log-ratio to it; else β times the mean log-probability of a token.
    """
    if section.has_reference:
        return section.used_beta * _ratios(given)
    return section.used_beta * _means(given)


def _dpo(given: Likelihoods, section: PreferenceConfig) -> Tensor:
    """Direct preference optimization: −ln σ(β h), h the difference of both log-ratios.

    Rafailov et al. 2023, equation 7. With a smoothing ε, it is (1 − ε) of that and ε of the loss of
    the pair the other way round (Mitchell 2023, "cDPO").
    """
    return _smoothed(section.used_beta * _difference(_ratios(given)), section.label_smoothing)


def _ipo(given: Likelihoods, section: PreferenceConfig) -> Tensor:
    """Identity preference optimization: (h − 1 / 2β)².

    Azar et al. 2023, equation 17, where β is called τ. The log-ratios are means over the tokens of
    the answer, as the authors confirmed to TRL.
    """
    difference = _difference(_ratios(given) / given.tokens.clamp(min=1))
    return (difference - 1 / (2 * section.used_beta)) ** 2


def _orpo(given: Likelihoods, section: PreferenceConfig) -> Tensor:
    """Odds ratio preference optimization: the mean nats of the chosen text − β ln σ(ln odds ratio).

    Hong et al. 2024, equations 4 to 7, where β is called λ; odds are p / (1 − p) of the geometric
    mean p over an answer's tokens. The first term is over prompt and answer, as theirs and TRL's.
    """
    means = _means(given)
    log_odds = means - _log1mexp(means)
    text = given.text.sum() / given.text_tokens.sum().clamp(min=1)
    return text - section.used_beta * F.logsigmoid(_difference(log_odds))


def _simpo(given: Likelihoods, section: PreferenceConfig) -> Tensor:
    """Simple preference optimization: −ln σ(β d − γ), d the difference of mean log-probabilities.

    Meng et al. 2024, equation 6; smoothed as DPO is.
    """
    margin = section.used_beta * _difference(_means(given)) - section.gamma
    return _smoothed(margin, section.label_smoothing)


def _kto(given: Likelihoods, section: PreferenceConfig) -> Tensor:
    """Kahneman-Tversky optimization: λ (1 − σ(±β (r − z))), + for desirable answers.

    Ethayarajh et al. 2024, equations 7 and 8; r is the log-ratio of the answer, z the mean one of
    answers to other prompts in the batch, without gradient and at least 0.
    """
    ratios = _ratios(given)
    against = ratios[:, 1].detach().mean().clamp(min=0)
    signs = given.desirable.to(ratios.dtype) * 2 - 1
    lost = 1 - torch.sigmoid(section.used_beta * signs * (ratios[:, 0] - against))
    return lost * torch.where(given.desirable, section.desirable_weight, section.undesirable_weight)


_LOSSES: dict[str, Callable[[Likelihoods, PreferenceConfig], Tensor]] = {
    "dpo": _dpo,
    "ipo": _ipo,
    "orpo": _orpo,
    "simpo": _simpo,
    "kto": _kto,
}


def _ratios(given: Likelihoods) -> Tensor:
    return given.answers - given.reference


def _means(given: Likelihoods) -> Tensor:
    return given.answers / given.tokens.clamp(min=1)


def _difference(values: Tensor) -> Tensor:
    return values[:, 0] - values[:, 1]


def _smoothed(margin: Tensor, smoothing: float) -> Tensor:
    plain = -F.logsigmoid(margin)
    return plain if smoothing == 0 else (1 - smoothing) * plain - smoothing * F.logsigmoid(-margin)


def _log1mexp(values: Tensor) -> Tensor:
    """ln(1 − eˣ) of numbers below 0, precise at both ends (Mächler 2012)."""
    values = values.clamp(max=-torch.finfo(values.dtype).tiny)
    near = values > -0.6931472
    # The branch that is not taken must have finite gradients too.
    close, far = torch.where(near, values, -1.0), torch.where(near, -1.0, values)
    return torch.where(near, torch.log(-torch.expm1(close)), torch.log1p(-torch.exp(far)))
