"""JSON that anybody may have written: whatever is wrong with it is a ``ValueError``."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    """The value in a text. Raises ``ValueError``, also for one that is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
