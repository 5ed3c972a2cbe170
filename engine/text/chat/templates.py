"""Chat templates by name, for base models that bring none.

Each writes turns in the form of the family that it is named after, from which servers know where
an answer ends.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from engine.errors import TrainingError
from engine.files.sanitize import plain
from engine.text.chat.template_dates import dated, rewritten
from engine.text.chat.template_variables import with_defaults
from engine.text.tokens.beginning import beginning_of


@dataclass(frozen=True)
class ChatTemplate:
    """A template, and the tokens without which it would be spelled in pieces."""

    text: str
    marks: Sequence[str] = ()


_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_QWEN = (
    "{% if not messages or messages[0]['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n{% endif %}"
) + _CHATML
_LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}"
    "<|end_header_id|>\n\n{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
_WITH_SYSTEM = (
    "{% set system = '' %}{% if messages and messages[0]['role'] == 'system' %}"
    "{% set system = messages[0]['content'] | trim + '\n\n' %}{% set messages = messages[1:] %}"
    "{% endif %}{{ bos_token }}{% for message in messages %}"
    "{% set before = system if loop.first else '' %}"
)
"""For families without a system turn: its text stands before the first turn."""
_GEMMA = _WITH_SYSTEM + (
    "<start_of_turn>{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{{ before }}{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
_MISTRAL = _WITH_SYSTEM + (
    "{% if message['role'] == 'assistant' %} {{ message['content'] | trim }}{{ eos_token }}"
    "{% else %}[INST] {{ before }}{{ message['content'] | trim }}[/INST]{% endif %}{% endfor %}"
)
_ROLES = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}"
    "{{ eos_token }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)

ROLES = ChatTemplate(_ROLES)
"""Each turn under its role, ended by the end of a text: fits any tokenizer."""
KNOWN = {
    "roles": ROLES,
    "chatml": ChatTemplate(_CHATML, ("<|im_start|>", "<|im_end|>")),
    "llama3": ChatTemplate(_LLAMA3, ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")),
    "gemma": ChatTemplate(_GEMMA, ("<start_of_turn>", "<end_of_turn>")),
    "mistral": ChatTemplate(_MISTRAL),
    "qwen": ChatTemplate(_QWEN, ("<|im_start|>", "<|im_end|>")),
}


def marks_of(name: str) -> Sequence[str]:
    """Return the tokens that a template by this name needs, none for names that are no template."""
    return KNOWN[name].marks if name in KNOWN else ()


def use_template(tokenizer: Any, name: str) -> None:
    """Give ``tokenizer`` the template ``name``; raises :class:`TrainingError` if it lacks tokens.

    Marks that are spelled in pieces would be learned, but no server would stop at them.
    """
    known = tokenizer.get_vocab()
    if missing := [mark for mark in KNOWN[name].marks if mark not in known]:
        fitting = [other for other in KNOWN if all(mark in known for mark in marks_of(other))]
        raise TrainingError(
            f"task.chat_template: the tokenizer has no token {plain(missing[0], 40)}, by which the "
            f"template {name} marks turns.",
            f"Choose {' or '.join(fitting)}.",
        )
    tokenizer.chat_template = KNOWN[name].text


def begin_of_template(tokenizer: Any, name: str) -> str:
    """Return what is to stand before a template of ours, as Jinja reads it.

    It writes the tokens that the tokenizer itself writes before a text, such as BOS, which a base
    model has seen before each: a template that a model brings decides by itself.
    """
    begin = beginning_of(tokenizer)
    own = name not in KNOWN and tokenizer.chat_template
    if own or not begin or "bos_token" in _by_name(name):
        return ""
    if begin == [tokenizer.bos_token_id]:
        return "{{ bos_token }}"
    text = "".join(tokenizer.convert_ids_to_tokens(begin))
    read = tokenizer(text, add_special_tokens=False)["input_ids"]
    return text if read == begin and "{" not in text else ""


def begun_template(tokenizer: Any, name: str, begin: str) -> Any:
    """Return a tokenizer whose template is the one of ours by ``name`` behind ``begin``.

    It is returned as it is where there is no ``begin``, or in an export, which has it already.
    """
    if not begin or (name not in KNOWN and tokenizer.chat_template):
        return tokenizer
    made = copy.copy(tokenizer)
    made.chat_template = begin + _by_name(name)
    return made


def _by_name(name: str) -> str:
    return KNOWN.get(name, ROLES).text


def as_trained(
    tokenizer: Any,
    chat: bool,
    date: str = "",
    variables: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    """Return the tokenizer to export: with the template of training, its ``date`` and variables."""
    if not chat or tokenizer.chat_template:
        fixed = dated(tokenizer, date)
        return rewritten(fixed, lambda template: with_defaults(template, variables))
    with_template = copy.copy(tokenizer)
    with_template.chat_template = ROLES.text
    return with_template
