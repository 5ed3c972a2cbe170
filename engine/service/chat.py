"""A conversation with a finished language model: its next answer, piece by piece."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from engine.artifacts.build import holds_adapter
from engine.errors import DataError, RunError
from engine.reports.counted import counted
from engine.service.loaded_models import pretrained_experiment
from engine.service.model_source import exported_model
from engine.service.pieces import Pieces
from engine.service.predict import loaded
from engine.tasks.writer import Writer, Writes
from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.chat.conversation import Refused
from engine.text.chat.template_variables import VARIABLES
from engine.text.generation.continuation import Sampling
from engine.text.generation.prompt_tokens import prompt_tokens
from engine.text.generation.streaming import streamed
from engine.text.tokens.beginning import last_tokens

Turns = Sequence[Mapping[str, str]]


def answer(
    pieces: Pieces,
    run: str,
    turns: Turns = (),
    system: str | None = None,
    context: Mapping[str, str] | None = None,
    sampling: Mapping[str, Any] | None = None,
    base: bool = False,
    device: str = "cpu",
) -> dict[str, Any]:
    """Return the model's answer to ``turns``, of which the last is the user's.

    ``system`` is the system prompt, None for that of the training; ``context`` are further values
    of the prompt by role, ``sampling`` values of :class:`Sampling` other than the run's. With
    ``base``, the model answers from which the training began. Pieces are ``{"text"}``, all that was
    written so far; the answer has ``text``, ``tokens``, ``seconds``, ``ending`` and ``notes``.
    Without turns the model is only loaded, and ``context`` (columns by role), ``values`` (what all
    training rows have in them, by role, and as ``system``), ``keeps_turns`` and ``has_base`` are
    returned. Raises :class:`~engine.errors.UserError`.
    """
    folder = exported_model(run)
    place = torch.device(device)
    task, fitted, network = loaded.base(folder, place) if base else loaded.get(folder, place)
    if not isinstance(task, Writes):
        raise RunError(f"The model of {run} writes no texts.", "Use predict.")
    writer = task.writer(fitted)
    if not turns:
        return {
            "context": dict(writer.context),
            "values": _values(writer),
            "keeps_turns": writer.prompts is not None,
            "has_base": pretrained_experiment(folder) is not None,
        }
    wanted = replace(writer.sampling, **(sampling or {}))
    system = (writer.system or "") if system is None else system
    ids, blanks, notes = _prompt(writer, turns, system, context or {}, wanted)
    left = max(1, writer.longest - len(ids))
    wanted = replace(wanted, max_new_tokens=min(wanted.max_new_tokens, left))
    begin = time.monotonic()
    with _without_adapter(network) if base and holds_adapter(folder) else contextlib.nullcontext():
        written = streamed(
            network, writer.tokenizer, ids, wanted,
            lambda text: pieces.send({"text": text.removeprefix(blanks)}), pieces.stopped,
        )  # fmt: skip
    return {
        "text": written.text.removeprefix(blanks),
        "tokens": written.tokens,
        "seconds": time.monotonic() - begin,
        "ending": written.ending,
        "notes": notes,
    }


def _values(writer: Writer) -> dict[str, str]:
    """Return what all training rows have beside their messages, as it is typed."""
    variables = json.dumps(dict(writer.variables), ensure_ascii=False) if writer.variables else ""
    return {"system": writer.system or "", VARIABLES: variables}


def _without_adapter(network: nn.Module) -> AbstractContextManager[None]:
    """Switch the adapter off, so that the network is its base."""
    from engine.adapters.lora import peft_model  # seconds, for models with an adapter alone

    off: AbstractContextManager[None] = peft_model(network).disable_adapter()
    return off


def _prompt(
    writer: Writer, turns: Turns, system: str, context: Mapping[str, str], sampling: Sampling
) -> tuple[list[int], str, list[str]]:
    """Return the prompt's tokens, the blanks before its answer, and what was left out of it.

    Turns that no longer fit are left out, the oldest first; then the first tokens of the last one.
    """
    # A long answer is shortened rather than the question before it.
    room = max(1, writer.longest - sampling.max_new_tokens, writer.longest // 2)
    turns = turns if writer.prompts else turns[-1:]
    left_out = 0
    while True:
        row = _row(writer, turns[left_out:], system, context)
        try:
            prompt = writer.prompts.prompt(row) if writer.prompts else writer.asked(row["prompt"])
        except Refused as error:
            raise DataError(
                f"The chat template of this model refuses the conversation: {error.reason}.",
                f"Ask with{'out the' if system.strip() else ' a'} system prompt, or begin a new "
                "conversation.",
            ) from error
        [ids] = prompt_tokens(writer.tokenizer, [prompt])
        if len(ids) <= room or len(turns) - left_out <= 2:
            break
        left_out += 2  # a question and its answer
    notes = []
    if left_out:
        notes.append(
            f"The first {counted(left_out, 'turn')} did not fit: prompt and answer have at most "
            f"{writer.longest:,} tokens."
        )
    if len(ids) > room:
        notes.append(
            f"The first {counted(len(ids) - room, 'token')} of the prompt did not fit: prompt and "
            f"answer have at most {writer.longest:,} tokens."
        )
    return last_tokens(ids, room, writer.tokenizer.bos_token_id), prompt.blanks, notes


def _row(writer: Writer, turns: Turns, system: str, context: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a prompt by role."""
    given = {**context, "system": system}
    if isinstance(writer.prompts, ChatPrompts):
        return {**given, "messages": [dict(turn) for turn in turns]}
    *earlier, last = turns
    return {**given, "history": [dict(turn) for turn in earlier], "prompt": last["content"]}
