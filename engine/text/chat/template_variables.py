"""Variables that rows give to their chat template, as TRL reads them.

Those that all rows share are written into the exported template as its defaults, in the one form
that transformers, vLLM and llama.cpp read alike; who calls the template may still set others.
"""

from __future__ import annotations

import json
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


def with_defaults(template: str, variables: Mapping[str, Any]) -> str:
    """Return a template that has these variables where its caller sets none of their names."""
    lines = [
        f"{{%- if {name} is not defined %}}{{%- set {name} = {_literal(value)} %}}{{%- endif %}}\n"
        for name, value in variables.items()
        if name.isidentifier()  # no template can read others
    ]
    return "".join(lines) + template


def _literal(value: Any) -> str:
    """Return a value as Jinja writes it: JSON has the same literals, but for what is missing."""
    return json.dumps(without_nulls(value), ensure_ascii=False)
