"""The fields of preference tuning."""

from __future__ import annotations

from typing import ClassVar, Literal

from typing_extensions import override

from engine.config.fields import option
from engine.config.metric import Metric
from engine.config.tasks.generation import GenerationConfig

_USUAL_BETA = 0.1
_USUAL_BETA_OF_SIMPO = 2.0


class PreferenceConfig(GenerationConfig):
    """Columns, length, and the loss function with its parameters."""

    kind: Literal["preference"] = "preference"
    title = "Preference tuning"
    implementation = "engine.tasks.preference:Preference"
    pipeline = "engine.pipelines.preference:PreferencePipeline"
    splits_by_column = True
    answers_untrained = False  # the untuned model is the baseline
    converses = True
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", higher_is_better=False, help="value of the loss function"),
        Metric(
            "accuracy",
            percent=True,
            help="share of pairs whose chosen answer has the higher reward; without pairs, of all "
            "pairs of a good and a bad answer",
        ),
        Metric("margin", help="reward of the chosen answers less that of the rejected ones"),
        Metric("chosen_reward", help="mean reward of the chosen answers"),
        Metric("rejected_reward", help="mean reward of the rejected answers"),
        Metric("chosen_logp", help="mean log-probability of the chosen answers, in nats"),
        Metric("rejected_logp", help="mean log-probability of the rejected answers, in nats"),
    )

    loss: Literal["dpo", "ipo", "orpo", "simpo", "kto"] = option(
        "dpo", "Loss function; kto learns from single answers with a label too"
    )
    beta: float | None = option(
        None,
        "Weight of the preference; with a reference, larger values keep closer to it. Empty is "
        "2 for simpo, else 0.1",
        gt=0,
        le=1000,
    )
    label_smoothing: float = option(
        0.0,
        "Share of pairs that are the wrong way round, for dpo and simpo",
        ge=0,
        lt=0.5,
        advanced=True,
    )
    gamma: float = option(0.5, "Target margin of the rewards, for simpo", ge=0, le=100)
    desirable_weight: float = option(
        1.0, "Weight of the desirable answers, for kto", ge=0, le=1000, advanced=True
    )
    undesirable_weight: float = option(
        1.0, "Weight of the undesirable answers, for kto", ge=0, le=1000, advanced=True
    )
    prompt: str = option(
        "",
        "Column with prompts; empty looks for one, else takes the common beginning of both answers",
        column=True,
    )
    chosen: str = option("", "Column with chosen answers; empty looks for one", column=True)
    rejected: str = option("", "Column with rejected answers; empty looks for one", column=True)
    completion: str = option(
        "", "Column with single answers, for kto; empty looks for one", column=True
    )
    label: str = option(
        "", "Column that is true for desirable answers, for kto; empty looks for one", column=True
    )
    input: str = option(
        "",
        "Column with further text of each prompt; empty looks for input or context, - takes none",
        column=True,
        advanced=True,
    )
    system: str = option(
        "",
        "Column with system prompts; empty looks for one, - takes none",
        column=True,
        advanced=True,
    )
    history: str = option(
        "",
        "Column with earlier turns; empty looks for one, - takes none",
        column=True,
        advanced=True,
    )
    tools: str = option(
        "",
        "Column with tools for the chat template; empty looks for one, - takes none",
        column=True,
        advanced=True,
    )
    max_length: int = option(
        512,
        "Maximum length of a prompt with an answer; rows with longer ones are left out",
        ge=4,
        le=1_000_000,
        unit="tokens",
    )

    @property
    @override
    def method(self) -> str:
        """The loss function, as papers write it."""
        return "SimPO" if self.loss == "simpo" else self.loss.upper()

    @property
    def used_beta(self) -> float:
        """The beta in use: the field's, or the usual one of the loss."""
        if self.beta is not None:
            return self.beta
        return _USUAL_BETA_OF_SIMPO if self.loss == "simpo" else _USUAL_BETA

    @property
    def has_reference(self) -> bool:
        """Whether the loss compares with the network as it is before the first update."""
        return self.loss in ("dpo", "ipo", "kto")
