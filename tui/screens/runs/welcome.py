"""What the home screen says while there are no runs: five experiments, a key each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from textual.content import Content

EXPERIMENTS: Mapping[str, tuple[str, str, str]] = {
    "1": ("Vision", "digits-cnn", "handwritten digits, a small CNN"),
    "2": ("Text", "entities-bert", "names in sentences, a small BERT"),
    "3": ("Generation", "replies-llama", "helpful replies, a small Llama"),
    "4": ("Time series", "seasons-dlinear", "power load a day ahead, DLinear"),
    "5": ("Tables", "breast-cancer-mlp", "tumours by thirty measures, an MLP"),
}
"""Domain, preset and what is learned, by key; each trains in seconds on any machine."""


def welcome() -> Content:
    """Return the experiments, and how to begin with data of one's own."""
    return Content("\n").join(_lines())


def _lines() -> Iterator[Content]:
    yield Content.styled("There are no runs yet.", "bold")
    yield Content("")
    yield Content("Train one in seconds, without a download:")
    yield Content("")
    for key, (domain, _, learned) in EXPERIMENTS.items():
        name = Content.styled(f" {domain:<11}  ", "bold $foreground")
        yield Content.styled(f" {key} ", "bold $primary reverse") + name + Content(f"{learned:<36}")
    yield Content("")
    for key, text in (("n", "with data of your own"), ("P", "from one of all presets")):
        yield Content.styled(f" {key} ", "bold $primary") + Content(f" {text:<49}")
