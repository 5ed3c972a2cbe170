"""JSON that anybody may have written: whatever is wrong with it is a ``ValueError``."""

from __future__ import annotations

import json
from typing import Any


class Numeral(str):
    """A number as it is written."""


def loads(text: str | bytes, numerals: bool = False) -> Any:
    """Return the value in a text, with its numbers as :class:`Numeral` if ``numerals``.

    Raises ``ValueError``, also for one that is nested too deeply.
    """
    parse = Numeral if numerals else None
    try:
        return json.loads(text, parse_int=parse, parse_float=parse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
