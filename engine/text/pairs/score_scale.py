"""The scale of similarity scores, and scores as the cosine that vectors are to have."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from engine.config.tasks.embedding import EmbeddingConfig
from engine.errors import DataError

_TOPS = (1.0, 5.0, 10.0, 100.0)
"""The highest scores of usual scales, which begin at 0."""


class ScoreScale(BaseModel):
    """The lowest and the highest score that a pair can have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    high: float

    def __contains__(self, score: float) -> bool:
        """Return whether a score is on the scale."""
        return self.low <= score <= self.high

    def cosine(self, score: float) -> float:
        """Return the cosine for a score: from 0 to 1; a scale from −1 to 1 is one of cosines."""
        if (self.low, self.high) == (-1.0, 1.0):
            return score
        return (score - self.low) / (self.high - self.low)

    @property
    def words(self) -> str:
        """The scale in words."""
        ends = f"{self.low:g} to {self.high:g}"
        same = self.cosine(self.low) == self.low and self.cosine(self.high) == self.high
        return ends if same else f"{ends}, learned as a cosine from 0 to 1"


def scale_of(scores: Iterable[float | None], section: EmbeddingConfig) -> ScoreScale:
    """Return the scale that is set, else the smallest usual one that holds all scores.

    Raises :class:`DataError`.
    """
    known = [score for score in scores if score is not None]
    if not known:
        raise DataError("No training row has a score.", "Set task.score.")
    least, most = min(known), max(known)
    low = section.score_min
    if low is None:
        low = 0.0 if least >= 0 else -1.0 if least >= -1 and most <= 1 else least
    high = section.score_max
    if high is None:
        high = next((top for top in _TOPS if most <= top), most)
    if low >= high:
        raise DataError(
            f"The scores of all training rows are {least:g}.", "Set task.score_min and score_max."
        )
    return ScoreScale(low=low, high=high)
