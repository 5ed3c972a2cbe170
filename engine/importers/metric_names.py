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
# Short names count only as words of their own: dice_cancer is no character error rate.
_LOWER = re.compile(
    r"loss|error|perplexity|cross_?entropy|brier|neg(?:ative)?_log_?likelihood|"
    r"(?<![a-z])(?:err|ppl|nll|n?r?mse|n?mae|[sw]?mape|w?ape|mase|wer|cer|ece)(?![a-z])"
)
_HIGHER = re.compile(
    r"accura|precision|recall|bleu|rouge|meteor|chrf|iou|dice|reward|auc|auroc|f1|f_?score|"
    r"spearman|pearson|exact_match|matthews|kappa|score|"
    r"(?<![a-z])(?:[a-z]?acc|mrr|ndcg|c?map|r2|mcc)(?![a-z])"
)
_NEGATED = re.compile(r"(?<![a-z])neg(?:ative)?_(?!log_?likelihood)")
"""Before an error of which the negative is meant, as scikit-learn's scorers are called."""
_UNDECIDED = re.compile(r"reject")
"""The reward of answers that are not to be given: neither direction is better by itself."""


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
    if _UNDECIDED.search(name):
        return "unknown"
    if _LOWER.search(name) or _NEGATED.search(name):
        return "higher" if _NEGATED.search(name) else "lower"
    return "higher" if _HIGHER.search(name) else "unknown"
