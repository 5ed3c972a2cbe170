"""Metrics by the names that other programs gave them: their split, and which values are better."""

from __future__ import annotations

import re
from typing import Literal

from engine.files.sanitize import plain

Direction = Literal["higher", "lower", "unknown"]

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = {
    "train": TRAIN, "training": TRAIN,
    "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "eval": VALIDATION,
    "evaluation": VALIDATION, "dev": VALIDATION,
    "test": TEST, "testing": TEST,
}  # fmt: skip
"""The splits by the words that people use for them."""
_LONGEST = 64
_SAME = {"lr": "learning_rate", "acc": "accuracy", "": "value"}
_PREFIX = re.compile(r"([a-z]+)[/_.:-]+(.+)")
_SUFFIX = re.compile(r"(.+)/([a-z]+)")
_LOWER = re.compile(
    r"loss|error|err$|perplexity|ppl|nll|entropy|mse|rmse|mae|smape|mape|mase|wer$|cer$|ece$|brier"
)
_HIGHER = re.compile(
    r"acc|f1|auc|precision|recall|bleu|rouge|meteor|chrf|mrr|ndcg|map|iou|dice|r2|reward|"
    r"spearman|pearson|exact_match|matthews|kappa|score"
)


def metric_of(tag: str, split: str = "") -> tuple[str, str]:
    """Return the name and the split of a curve: ``val/loss`` is the validation loss.

    A tag that names no split belongs to ``split``, or else to the training.
    """
    name = plain(tag, _LONGEST).strip().lower().replace(" ", "_")
    if (prefix := _PREFIX.fullmatch(name)) and prefix[1] in SPLITS:
        name, split = prefix[2], SPLITS[prefix[1]]
    elif (suffix := _SUFFIX.fullmatch(name)) and suffix[2] in SPLITS:
        name, split = suffix[1], SPLITS[suffix[2]]
    elif name.startswith("epoch_") and split:  # as Keras calls them
        name = name.removeprefix("epoch_")
    return _SAME.get(name, name), split or TRAIN


def direction_of(name: str) -> Direction:
    """Return which values of a metric are better, by the words in its name."""
    if _LOWER.search(name):
        return "lower"
    return "higher" if _HIGHER.search(name) else "unknown"
