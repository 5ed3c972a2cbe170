"""Choice of the columns of language models, and what each adds to a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import pyarrow as pa

from engine.config.tasks.causal_lm import CausalLmConfig
from engine.config.tasks.generation import GenerationConfig
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.chat.labelled_texts import SEGMENTS, holds_segments
from engine.text.chat.template_variables import VARIABLES
from engine.text.chat.transcripts import are_transcripts
from engine.text.chat.turns import fault_in, holds_turns
from engine.text.columns import by_name, chosen, find_text, has_texts, is_list, is_text

Form = Literal["text", "pairs", "messages", "segments"]

_PROMPTS = ("prompt", "instruction", "question", "input", "query", "problem", "user", "human")
_COMPLETIONS = (
    "completion", "response", "output", "answer", "target", "chosen", "solution", "assistant",
    "gpt", "bot",
)  # fmt: skip
_MESSAGES = ("messages", "conversations", "conversation", "contents")
_LOOKED_AT = 100
"""Rows that show whether a column holds conversations."""
CONTEXT = {
    "input": ("input", "context"),
    "system": ("system", "system_prompt", "systeminstruction", "system_instruction"),
    "history": ("history",),
    "tools": ("tools", "functions"),
    VARIABLES: (VARIABLES,),
}
"""Names of columns by their roles beside prompt and completion."""
_ADDED: Mapping[Form, tuple[str, ...]] = {
    "text": (),
    "pairs": ("input", "system", "history", "tools", VARIABLES),
    "messages": ("system", "tools", VARIABLES),
    "segments": (),
}
_NONE = "-"


@dataclass(frozen=True)
class Roles:
    """The format of the data, and its columns."""

    form: Form
    columns: list[str]
    """The text, prompt and completion, or messages; two where both sides are messages."""
    context: dict[str, str] = field(default_factory=dict)
    """Further columns of a prompt by their roles."""

    @property
    def by_name(self) -> dict[str, str]:
        """All columns by their roles."""
        names = ("prompt", "completion") if len(self.columns) == 2 else (self.form,)
        return {**dict(zip(names, self.columns, strict=True)), **self.context}


def roles_in(table: pa.Table, section: CausalLmConfig) -> Roles:
    """Return format and columns of the data, from the fields or from the columns' names."""
    form, columns = _columns(table, section)
    context = {role: _added(table, section, role, columns) for role in _ADDED[form]}
    return Roles(form, columns, {role: name for role, name in context.items() if name})


def by_role(table: pa.Table, roles: Mapping[str, str]) -> pa.Table:
    """The columns of ``table`` under the names of their roles; those it lacks are left out."""
    present = {role: name for role, name in roles.items() if name in table.column_names}
    return pa.table({role: table[name] for role, name in present.items()})


def _columns(table: pa.Table, section: CausalLmConfig) -> tuple[Form, list[str]]:
    if section.text:
        return "text", [chosen(table, section.text, "task.text")]
    segments = section.messages or by_name(table, (SEGMENTS,)) or ""
    pairs = section.prompt or section.completion
    if segments in table.column_names and not pairs and holds_segments(table, segments):
        return "segments", [segments]
    messages = section.messages or by_name(table, _MESSAGES)
    if section.messages or (messages and _holds_objects(table, messages)):
        return "messages", [chosen(table, messages or "", "task.messages")]
    prompt = section.prompt or by_name(table, _PROMPTS)
    completion = section.completion or by_name(table, _COMPLETIONS)
    if pairs or (prompt and completion):
        columns = [
            chosen(table, prompt or "", "task.prompt"),
            chosen(table, completion or "", "task.completion"),
        ]
        talks = any(
            holds_messages(table, name) or reads_transcripts(table, name, section)
            for name in columns
        )
        return ("messages" if talks else "pairs"), columns
    names = [*filter(None, [completion]), *table.column_names]
    if found := next((name for name in names if _talks(table, name, section)), None):
        return "messages", [found]
    _check_texts(table)
    return "text", [find_text(table)]


def _check_texts(table: pa.Table) -> None:
    """Refuse tables whose texts are in lists; raises :class:`DataError`."""
    if has_texts(table):
        return
    for name in filter(partial(is_list, table), table.column_names):
        kind = table.schema.field(name).type.value_type
        if pa.types.is_struct(kind):
            what = f"objects with {' and '.join(plain(part.name, 40) for part in kind)}"
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            what = "texts"
        else:
            continue
        raise DataError(
            f"The column {plain(name, 60)!r} has lists of {what}, not turns of a conversation.",
            "Write turns with role and content, or from and value; or prompt and completion as "
            "texts.",
        )


def _talks(table: pa.Table, name: str, section: CausalLmConfig) -> bool:
    return _conversations(table, name) or reads_transcripts(table, name, section)


def reads_transcripts(table: pa.Table, name: str, section: GenerationConfig) -> bool:
    """Whether most of the first texts of a column are transcripts, which are read as turns."""
    if section.chat_template == "none" or not is_text(table, name):
        return False
    return are_transcripts(_first(table, name))


def _added(table: pa.Table, section: CausalLmConfig, role: str, taken: list[str]) -> str | None:
    """The column of a further role, if there is one."""
    name: str = getattr(section, role, "")
    if name == _NONE:
        return None
    if name:
        return chosen(table, name, f"task.{role}")
    return by_name(table.select([name for name in table.column_names if name not in taken]),
                   CONTEXT[role])  # fmt: skip


def holds_messages(table: pa.Table, name: str) -> bool:
    """Whether a column has lists or objects, or JSON of turns."""
    if is_list(table, name) or pa.types.is_struct(table.schema.field(name).type):
        return True
    return _conversations(table, name)


def transcript_notes(names: Sequence[str]) -> list[Note]:
    """Return a note on the columns whose transcripts are read as turns, if there are any."""
    note = Note(
        "texts in which Human: and Assistant: stand before what each side says are read as turns; "
        "task.chat_template=none leaves them as they are",
        column=", ".join(plain(name, 40) for name in names),
        read_as="conversations",
        change="task.chat_template",
        kind="converted",
    )
    return [note] if names else []


def _holds_objects(table: pa.Table, name: str) -> bool:
    """Whether a column that is called as conversations are may be one, with faults or without."""
    if holds_messages(table, name):
        return True
    return is_text(table, name) and any(map(holds_turns, _first(table, name)))


def _first(table: pa.Table, name: str) -> list[Any]:
    return [value for value in table[name][:_LOOKED_AT].to_pylist() if value is not None]


def _conversations(table: pa.Table, name: str) -> bool:
    """Whether one of the first values is a conversation, or the JSON of one."""
    if not (is_list(table, name) or is_text(table, name)):
        return False
    return any(holds_turns(value) and fault_in(value) is None for value in _first(table, name))
