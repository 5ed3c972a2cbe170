"""A transformer: one that was trained before, or a small one from scratch."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.models.pretrained import PATH_HELP, PretrainedModelConfig

SUGGESTED = (
    "distilbert/distilbert-base-uncased",
    "google-bert/bert-base-cased",
    "FacebookAI/roberta-base",
    "sentence-transformers/all-MiniLM-L6-v2",
    "google-t5/t5-small",
)


class TransformerConfig(PretrainedModelConfig):
    """The pre-trained weights, or the size of a network from scratch."""

    kind: Literal["transformer"] = "transformer"
    title = "transformer"
    implementation = "engine.models.language.transformer:build_transformer"

    path: str = option("", PATH_HELP, suggestions=SUGGESTED)
    intermediate_size: int = option(
        0,
        "Width of the feed-forward layers; 0 takes four times the hidden size",
        ge=0,
        advanced=True,
        weights="new",
        automatic="0",
    )
    vocab_size: int = option(
        8000,
        "Vocabulary size of the tokenizer that is trained on the data",
        ge=100,
        le=500_000,
        weights="new",
    )
    lowercase: bool = option(True, "Lowercase all text in that tokenizer", weights="new")
