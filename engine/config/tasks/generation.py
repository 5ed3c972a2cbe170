"""The fields that tasks which generate text share."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.tasks.base import TaskConfig


class GenerationConfig(TaskConfig):
    """Chat template, and sampling of generated texts, for samples and predictions."""

    domain = "generation"
    models = ("transformer",)
    answers_untrained = True
    fine_tuning_rate = 2e-5

    max_new_tokens: int = option(
        64, "Maximum number of generated tokens", ge=1, le=100_000, unit="tokens"
    )
    temperature: float = option(0.8, "Sampling temperature; 0 is greedy decoding", ge=0, le=10)
    top_p: float = option(
        0.95,
        "Top-p (nucleus) sampling: cumulative probability of the tokens to sample from",
        gt=0,
        le=1,
        advanced=True,
    )
    chat_template: Literal[
        "auto", "none", "roles", "chatml", "llama3", "gemma", "mistral", "qwen"
    ] = option(
        "auto",
        "Chat template for pairs and conversations: the model's own if it has one, none (pairs as "
        "plain text), or one by name, which is exported with the tokenizer",
    )
