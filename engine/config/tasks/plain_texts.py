"""The field of tasks that read texts as they stand."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.tasks.base import TaskConfig


class PlainTextsConfig(TaskConfig):
    """The reading of special tokens that are written in the texts."""

    special_tokens: Literal["plain", "special"] = option(
        "plain",
        "Special tokens that are written in the texts, such as [SEP]: read them as plain text, or "
        "as the tokens of the model",
        advanced=True,
    )
