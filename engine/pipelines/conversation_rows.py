"""Load texts, pairs and conversations of language models in the forms that people keep them in."""

from __future__ import annotations

from engine.config.data.base import DataConfig
from engine.config.tasks.causal_lm import CausalLmConfig
from engine.data.load import load_texts
from engine.data.raw import RawData
from engine.text.chat.alternating_texts import with_sides
from engine.text.chat.message_trees import by_tree, holds_trees, tree_conversations
from engine.text.chat.mixed_forms import in_one_form
from engine.text.chat.tool_answers import with_called_turns
from engine.text.file_texts import files_as_documents


def load_rows(data: DataConfig, section: CausalLmConfig) -> tuple[RawData, DataConfig]:
    """Return the data, and the settings by which it is split.

    Columns that are chosen are taken as they are. Raises :class:`DataError`.
    """
    raw = files_as_documents(load_texts(data), section.join)
    if any((section.text, section.prompt, section.completion, section.messages)):
        return raw, data
    if holds_trees(raw.train):
        return tree_conversations(raw), by_tree(data)
    return in_one_form(with_called_turns(with_sides(raw)), section), data
