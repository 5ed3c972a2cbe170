"""Data sets of the Hugging Face hub, by name."""

from __future__ import annotations

from typing import Literal

from engine.config.data.base import DataConfig
from engine.config.fields import option

SUGGESTED = (
    "stanfordnlp/imdb",
    "nyu-mll/glue",
    "uoft-cs/cifar10",
    "ylecun/mnist",
    "zalando-datasets/fashion_mnist",
    "ethz/food101",
    "rajpurkar/squad",
    "eriktks/conll2003",
    "Salesforce/wikitext",
    "Helsinki-NLP/opus_books",
    "abisee/cnn_dailymail",
)


class HubConfig(DataConfig):
    """A data set's name on the hub and the names of its splits.

    The environment says where it is kept (``HF_HOME``), who asks (``HF_TOKEN``) and whether the
    network may be used (``HF_HUB_OFFLINE``).
    """

    kind: Literal["hub"] = "hub"
    title = "Hugging Face hub"
    implementation = "engine.data.hub_download:load_from_hub"

    name: str = option("", "Name on the hub, as owner/name", suggestions=SUGGESTED, max_length=300)
    config: str = option("", "Configuration (subset) of the data set; empty if there is only one")
    revision: str = option("main", "Branch, tag or commit", advanced=True)
    train_split: str = option("train", "Name of the training split", advanced=True)
    validation_split: str = option(
        "",
        "Name of the validation split; empty finds it, none cuts one from the training split",
        advanced=True,
    )
    test_split: str = option(
        "",
        "Name of the test split; empty finds it, none cuts one from the training split",
        advanced=True,
    )

    @property
    def label(self) -> str:
        """Name and configuration."""
        return f"{self.name} {self.config}".strip()
