"""Data that the program carries, so that every task runs without a network or files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from engine.config.data.base import DataConfig
from engine.config.fields import option

_CLASSES = ("tabular_classification",)


@dataclass(frozen=True, slots=True)
class BuiltinData:
    """The description of a built-in data set, known before it is made."""

    place: str
    """``module:function`` of what makes it."""
    about: str
    tasks: tuple[str, ...]
    """Kinds of task that it serves."""


BUILTIN: dict[str, BuiltinData] = {
    "digits": BuiltinData(
        "engine.data.builtin.toy:digits",
        "1,797 handwritten digits, 8×8 pixels, 10 classes",
        ("image_classification",),
    ),
    "shapes": BuiltinData(
        "engine.data.builtin.shapes:shapes",
        "600 drawn images, 64×64 pixels, of circles, squares and triangles, with masks and boxes",
        ("object_detection", "semantic_segmentation"),
    ),
    "discs": BuiltinData(
        "engine.data.builtin.discs:discs",
        "600 drawn images, 64×64 pixels, of a disc among squares, with its diameter",
        ("image_regression",),
    ),
    "iris": BuiltinData(
        "engine.data.builtin.toy:iris", "150 flowers, 4 measures, 3 species", _CLASSES
    ),
    "wine": BuiltinData(
        "engine.data.builtin.toy:wine", "178 wines, 13 measures, 3 growers", _CLASSES
    ),
    "breast-cancer": BuiltinData(
        "engine.data.builtin.toy:breast_cancer", "569 tumours, 30 measures, 2 classes", _CLASSES
    ),
    "diabetes": BuiltinData(
        "engine.data.builtin.toy:diabetes",
        "442 patients, 10 measures, progression in a year",
        ("tabular_regression",),
    ),
    "seasons": BuiltinData(
        "engine.data.builtin.seasons:hourly",
        "4,320 hours of a made-up power load, with temperature and wind",
        ("forecasting",),
    ),
    "months": BuiltinData(
        "engine.data.builtin.seasons:monthly",
        "480 months of made-up passengers, more each year",
        ("forecasting",),
    ),
    "docstrings": BuiltinData(
        "engine.data.builtin.docstrings:docstrings",
        "docstrings of Python's standard library; which package each is from",
        ("text_classification", "causal_lm"),
    ),
    "entities": BuiltinData(
        "engine.data.builtin.synthetic_text:entities",
        "2,000 made-up sentences with persons, places and organisations",
        ("token_classification",),
    ),
    "questions": BuiltinData(
        "engine.data.builtin.synthetic_text:questions",
        "800 questions on made-up biographies",
        ("question_answering",),
    ),
    "replies": BuiltinData(
        "engine.data.builtin.replies:replies",
        "2,000 made-up questions of customers, each with a helpful and a curt reply",
        ("preference",),
    ),
    "paraphrases": BuiltinData(
        "engine.data.builtin.paraphrases:paraphrases",
        "2,000 made-up questions, and passages that answer in other words",
        ("embedding",),
    ),
    "similar": BuiltinData(
        "engine.data.builtin.paraphrases:similar",
        "2,000 made-up pairs of sentences, scored by how much they have in common",
        ("text_regression", "embedding"),
    ),
    "dates": BuiltinData(
        "engine.data.builtin.dates:dates",
        "4,000 dates in figures, and the same in words",
        ("seq2seq",),
    ),
}
"""By name; of those that serve a task the first is its usual one."""


class BuiltinConfig(DataConfig):
    """One of the data sets that come with the program."""

    kind: Literal["builtin"] = "builtin"
    title = "built-in data"
    implementation = "engine.data.builtin.load:load_builtin"

    name: str = option("digits", "Built-in data set", suggestions=tuple(BUILTIN))

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in BUILTIN:
            raise PydanticCustomError(
                "not_allowed", "there is {known}", {"known": ", ".join(BUILTIN)}
            )
        return value

    @classmethod
    def offers(cls, task: str) -> dict[str, Mapping[str, str]]:
        """The data sets that serve the task."""
        return {"name": {name: data.about for name, data in BUILTIN.items() if task in data.tasks}}

    @property
    def label(self) -> str:
        """The name."""
        return self.name
