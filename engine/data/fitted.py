"""The state that a task fits on its training rows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Fitted(BaseModel):
    """State that a task fitted on the training rows; JSON, no code."""

    model_config = ConfigDict(frozen=True, extra="forbid")
