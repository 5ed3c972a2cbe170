"""The fields of language modelling."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.config.fields import option
from engine.config.metric import Metric
from engine.config.tasks.generation import GenerationConfig
from engine.files.paths import anchored


class CausalLmConfig(GenerationConfig):
    """Columns, length of the blocks, and what is learned of instructions."""

    kind: Literal["causal_lm"] = "causal_lm"
    title = "Language modelling"
    implementation = "engine.tasks.causal_lm:CausalLm"
    pipeline = "engine.pipelines.causal_lm:CausalLmPipeline"
    splits_by_column = True
    learns_tokens = True
    converses = True
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", higher_is_better=False, help="cross-entropy in nats a token"),
        Metric("perplexity", higher_is_better=False, help="e to the loss"),
        Metric(
            "nats_per_character",
            higher_is_better=False,
            help="cross-entropy a character, to hold different tokenizers against each other",
        ),
        Metric("accuracy", percent=True, help="share of tokens that were the likeliest"),
    )

    text: str = option("", "Column with plain text; empty finds it", column=True)
    prompt: str = option("", "Column with prompts; empty looks for one", column=True)
    completion: str = option("", "Column with completions; empty looks for one", column=True)
    messages: str = option("", "Column with conversations; empty looks for one", column=True)
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
        "Column with earlier turns, which are not learned; empty looks for one, - takes none",
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
        128,
        "Maximum length of a block; longer conversations are truncated",
        ge=4,
        le=1_000_000,
        unit="tokens",
    )
    join: Literal["auto", "lines", "documents"] = option(
        "auto",
        "Treat rows of plain text as lines of one text, or each as a document",
        advanced=True,
    )
    too_long: Literal["drop", "cut"] = option(
        "drop",
        "Answers that reach beyond max_length: do not learn them, or learn their beginning",
    )
    completions_only: bool = option(True, "Compute the loss on completions only, not on prompts")
    packing: Literal["auto", "on", "off"] = option(
        "auto",
        "Packing: train on the samples of a batch in one row, without padding, each with its own "
        "positions and attention; auto packs where the network gives the same outputs",
        advanced=True,
    )
    forgetting_path: str = option(
        "",
        "Text file of another kind, a text a line: its loss shows what is forgotten; empty takes "
        "built-in sentences for pre-trained models, - takes none",
        advanced=True,
    )

    def anchored(self) -> CausalLmConfig:
        """The same with the whole path of the text."""
        if self.forgetting_path in ("", "-"):
            return self
        return self.model_copy(update={"forgetting_path": anchored(self.forgetting_path)})
