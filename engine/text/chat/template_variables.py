"""Variables that rows give to their chat template, as TRL reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.data.written_value import written_value
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.chat.tools import without_nulls

VARIABLES = "chat_template_kwargs"
"""TRL's name of the column, and the role of it."""
_OWN = {
    "messages", "conversations", "conversation", "tools", "documents", "chat_template",
    "add_generation_prompt", "return_assistant_tokens_mask", "continue_final_message",
}  # fmt: skip
"""Names that are given to every template."""


def variables_of(value: Any) -> dict[str, Any]:
    """Return the variables by their names; raises :class:`DataError` for what is no object."""
    if value is None or not str(value).strip():
        return {}
    given = written_value(value) if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise DataError(f"{VARIABLES} is not an object: {plain(value, 60)}.")
    if taken := _OWN & given.keys():
        raise DataError(f"{VARIABLES} sets {min(taken)}, which is not a variable of a template.")
    return dict(without_nulls(given))
