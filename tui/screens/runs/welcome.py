"""The home screen while there are no runs: five experiments, a key each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from textual.content import Content

from tui.format.text import literal

EXPERIMENTS: Mapping[str, tuple[str, str, str]] = {
    "1": ("Vision", "digits-cnn", "handwritten digits, a small CNN"),
    "2": ("Text", "entities-bert", "names in sentences, a small BERT"),
    "3": ("Generation", "replies-llama", "helpful replies, a small Llama"),
    "4": ("Time series", "seasons-dlinear", "power load a day ahead, DLinear"),
    "5": ("Tables", "breast-cancer-mlp", "tumours by thirty measures, an MLP"),
}
"""Domain, preset and what is learned, by key; each trains in seconds on any machine."""
START = "start "
"""The beginning of the names of the actions that start one of them."""


def welcome(new_key: str, presets_key: str) -> Content:
    """Return the experiments, and the keys to begin with your own data or a preset."""
    return Content("\n").join(_lines(new_key, presets_key))


def _lines(new_key: str, presets_key: str) -> Iterator[Content]:
    yield Content.styled("There are no runs yet.", "bold")
    yield Content("")
    yield Content("Train one in seconds, without a download:")
    yield Content("")
    for key, (domain, _, learned) in EXPERIMENTS.items():
        name = Content.styled(f" {domain:<11}  ", "bold $foreground")
        yield Content.styled(f" {key} ", "bold $primary reverse") + name + Content(f"{learned:<36}")
    yield Content("")
    begin = ((new_key, "with data of your own"), (presets_key, "from one of all presets"))
    for key, text in begin:
        yield literal(f" {key} ").stylize("bold $primary") + Content(f" {text:<49}")
