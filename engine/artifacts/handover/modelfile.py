"""The Modelfile of Ollama: weights, template, stop tokens and sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.artifacts.handover.turns import Between
from engine.errors import TrainingError

_QUOTES = '"""'
_FORBIDDEN = (_QUOTES, "{{", "}}")
"""The characters that a text of a Modelfile's template cannot hold."""


def conversation_template(between: Between, begins_with: str) -> str:
    """Return a template in Go's language for conversations.

    ``begins_with`` is the token that Ollama puts before each prompt by itself.
    """
    begin = between.begin.removeprefix(begins_with)
    first = begin
    if between.before_system is not None:
        before = between.before_system.removeprefix(begins_with)
        first = (
            "{{ if $.System }}" + _plain(before) + "{{ $.System }}"
            + _plain(between.behind_system) + "{{ else }}" + _plain(begin) + "{{ end }}"
        )  # fmt: skip
    else:
        _plain(first)
    # Ollama gives the system prompt as a first message, and as .System.
    return (
        "{{ range $i, $m := .Messages }}"
        '{{ if eq $m.Role "user" }}'
        "{{ if or (eq $i 0) (and (eq $i 1) $.System) }}" + first + "{{ end }}"
        "{{ $m.Content }}"
        "{{ if eq (len (slice $.Messages $i)) 1 }}" + _plain(between.ask)
        + "{{ else }}" + _plain(between.behind_user) + "{{ end }}"
        '{{ else if eq $m.Role "assistant" }}{{ $m.Content }}'
        "{{ if ne (len (slice $.Messages $i)) 1 }}" + _plain(between.behind_answer) + "{{ end }}"
        "{{ end }}{{ end }}"
    )  # fmt: skip


def prompt_template(separator: str | None) -> str:
    """Return a template for prompts without roles; ``separator`` None continues a text as it is."""
    if separator is None:
        return "{{ .Prompt }}"
    return "{{ if .System }}{{ .System }}\n{{ end }}{{ .Prompt }}" + _plain(separator)


def modelfile(
    source: str, template: str, system: str, stops: Sequence[str], parameters: Mapping[str, Any]
) -> str:
    """Return the text of a Modelfile for the weights at ``source``."""
    lines = [f"FROM {source}", f"TEMPLATE {_QUOTES}{template}{_QUOTES}"]
    if system:
        lines.append(f"SYSTEM {_QUOTES}{_quoted(system)}{_QUOTES}")
    lines += [f"PARAMETER {name} {value}" for name, value in parameters.items()]
    lines += [f'PARAMETER stop "{_escaped(stop)}"' for stop in stops]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Return a text that stands in a template; raises :class:`TrainingError`."""
    for mark in _FORBIDDEN:
        if mark in text:
            raise TrainingError(
                f"The chat template writes {mark!r}, which a Modelfile cannot hold.",
                "Export it for vllm or as gguf.",
            )
    return text


def _quoted(text: str) -> str:
    if _QUOTES in text:
        raise TrainingError(f"The system prompt has {_QUOTES!r}, which a Modelfile cannot hold.")
    return text


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
