"""Choice of the columns of preference data: prompt, both answers, or one answer and its label."""

from __future__ import annotations

import pyarrow as pa

from engine.config.tasks.preference import PreferenceConfig
from engine.errors import DataError
from engine.text.chat.roles import CONTEXT, holds_messages, reads_transcripts
from engine.text.chat.template_variables import VARIABLES
from engine.text.columns import by_name, chosen

_CONVERSATIONS = ("messages", "conversations", "conversation")
_PROMPTS = ("prompt", "instruction", "question", "query", *_CONVERSATIONS)
_CHOSEN = ("chosen", "chosen_response", "preferred", "preferred_output", "accepted", "response_j")
_REJECTED = (
    "rejected", "rejected_response", "rejected_messages", "non_preferred", "non_preferred_output",
    "response_k",
)  # fmt: skip
_COMPLETIONS = ("completion", "response", "output", "answer")
_LABELS = ("label", "labels", "kto_tag", "desirable")
FURTHER = ("input", "system", "history", "tools", VARIABLES)
"""Roles of columns that belong to a prompt."""
_NONE = "-"


def preference_columns(table: pa.Table, section: PreferenceConfig) -> dict[str, str]:
    """Return the columns by their roles; raises :class:`DataError` where answers are missing.

    The roles are ``prompt``, where there is such a column, ``chosen`` and ``rejected``, or
    ``completion`` and ``label``; and those of :data:`FURTHER` where there are such.
    """
    answers = _answers(table, section)
    prompt = _named(table, section, "prompt", _PROMPTS)
    whole = _is_whole(table, section, answers, prompt)
    # ms-swift has the prompt and the chosen answer in one conversation.
    prompt = None if whole or prompt == answers.get("chosen") else prompt
    if not prompt and "label" in answers and not whole:
        chosen(table, "", "task.prompt")
    roles = {"prompt": prompt, **answers} if prompt else dict(answers)
    rest = table.select([name for name in table.column_names if name not in roles.values()])
    for role in FURTHER:
        names = CONTEXT[role]
        if getattr(section, role, "") != _NONE and (name := _named(rest, section, role, names)):
            roles[role] = name
    if "prompt" not in roles and "input" in roles:  # OpenAI's name for the prompt
        roles["prompt"] = roles.pop("input")
    return roles


def has_answers(table: pa.Table, section: PreferenceConfig) -> bool:
    """Return whether the answers are in columns that are chosen, or called as such."""
    if any((section.chosen, section.rejected, section.completion, section.label)):
        return True
    single = all(by_name(table, names) for names in (_COMPLETIONS, _LABELS))
    return single or by_name(table, _REJECTED) is not None


def _answers(table: pa.Table, section: PreferenceConfig) -> dict[str, str]:
    """Return the columns of the answers, in the form that the loss can learn from."""
    pair = {
        "chosen": _named(table, section, "chosen", _CHOSEN),
        "rejected": _named(table, section, "rejected", _REJECTED),
    }
    if pair["rejected"] and not pair["chosen"]:
        # ms-swift has the chosen answer where other tasks have the only one.
        pair["chosen"] = by_name(table, (*_CONVERSATIONS, *_COMPLETIONS))
    single = {
        "completion": _named(table, section, "completion", (*_COMPLETIONS, *_CONVERSATIONS)),
        "label": _named(table, section, "label", _LABELS),
    }
    forms = [single, pair] if section.loss == "kto" else [pair]
    for form in forms:
        if all(form.values()):
            return {role: name for role, name in form.items() if name}
    if section.loss != "kto" and all(single.values()):
        raise DataError(
            f"task.loss: {section.loss} compares two answers, and this data has single answers "
            "with a label.",
            "Set task.loss to kto.",
        )
    role = next(role for role, name in pair.items() if not name)
    chosen(table, "", f"task.{role}")
    raise AssertionError("an empty name is refused")


def _is_whole(
    table: pa.Table, section: PreferenceConfig, answers: dict[str, str], prompt: str | None
) -> bool:
    """Return whether single answers stand in conversations that have their prompts."""
    if "label" not in answers or prompt not in (None, answers["completion"]):
        return False
    name = answers["completion"]
    return holds_messages(table, name) or reads_transcripts(table, name, section)


def _named(
    table: pa.Table, section: PreferenceConfig, role: str, names: tuple[str, ...]
) -> str | None:
    """Return the column that the field names, else the first with one of ``names``."""
    name: str = getattr(section, role, "")
    return chosen(table, name, f"task.{role}") if name else by_name(table, names)
