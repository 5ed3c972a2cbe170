"""A finished language model without its adapter, and prompts on which its copies are tried."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from engine.artifacts.build import holds_adapter, without_adapter
from engine.artifacts.comparison import CPU
from engine.artifacts.handover.answers import PROMPTS, TOKENS
from engine.artifacts.handover.gguf_file import Talk
from engine.artifacts.model_folder import load_exported
from engine.data.fitted import Fitted
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.errors import DataError, RunError, UserError
from engine.pipelines.chat import ChatPipeline
from engine.runs.directory import RunDirectory
from engine.tasks.task import Task
from engine.tasks.writer import Writer, Writes
from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.chat.conversation import end_of_turn
from engine.text.generation.prompt_tokens import prompt_tokens
from engine.text.tokens.beginning import begun, last_tokens

_OF_PLAIN_TEXT = 32
"""Tokens of a prompt from a text that is continued."""


@dataclass(frozen=True)
class Speaker:
    """A run's language model, with the prompts."""

    folder: Path
    task: Task[Any]
    fitted: Fitted
    writer: Writer
    network: nn.Module
    """The whole network; an adapter is merged into it."""
    prompts: list[list[int]]
    system: str
    """The system prompt of training; empty if its rows differ."""

    @property
    def converses(self) -> bool:
        """Whether prompts are conversations in a chat template."""
        return isinstance(self.writer.prompts, ChatPrompts)

    @property
    def chat_template(self) -> str:
        """The template of training, with its date; empty where prompts are no conversations."""
        if not self.converses:
            return ""
        template: str = self.writer.to_export.get_chat_template()
        return template

    @property
    def talk(self) -> Talk:
        """The metadata of a GGUF file about its use."""
        tokenizer = self.writer.tokenizer
        bos = tokenizer.bos_token_id
        begins = bos is not None and all(prompt[:1] == [bos] for prompt in self.prompts)
        end = end_of_turn(tokenizer) if self.converses else None
        return Talk(self.task.config.name, self.chat_template, begins, end)


def speaker_of(run: RunDirectory) -> Speaker:
    """Load the model of a run; raises :class:`~engine.errors.UserError`."""
    task, fitted, network = load_exported(run.model, CPU)
    if not isinstance(task, Writes):
        raise RunError(
            f"The run {run.id} has no model that writes texts.",
            "ollama, gguf and vllm are for language models; export it in another format.",
        )
    writer = task.writer(fitted)
    prompts, system = _held_out(task, fitted, run)
    system = system if writer.system is None else writer.system
    room = max(1, writer.longest - TOKENS) if writer.prompts else _OF_PLAIN_TEXT
    whole = without_adapter(network).eval() if holds_adapter(run.model) else network
    bos = writer.tokenizer.bos_token_id
    cut = [
        last_tokens(prompt, room, bos) if writer.prompts else prompt[:room] for prompt in prompts
    ]
    return Speaker(run.model, task, fitted, writer, whole, cut, system)


def _held_out(task: Task[Any], fitted: Any, run: RunDirectory) -> tuple[list[list[int]], str]:
    """Return prompts of held-out rows, and their system prompt if they have one in common."""
    try:
        splits = task.pipeline.load().splits
    except UserError:  # the data may be elsewhere by now
        return _sampled(task, fitted, run), ""
    table = next(splits[name] for name in (TEST, VALIDATION, TRAIN) if splits.get(name))
    table = table.slice(0, PROMPTS)
    source = task.encode_new(table, fitted, CPU, lambda _: None)
    batch = next(source.read(source.plan(PROMPTS)))
    masks = batch.inputs.get("attention_mask", batch.inputs["input_ids"] >= 0)
    pairs = zip(batch.inputs["input_ids"], masks, strict=True)
    systems: set[str] = set()
    if isinstance(task.pipeline, ChatPipeline):
        systems.update(task.pipeline.system_prompts(table, fitted))
    return [row[mask.bool()].tolist() for row, mask in pairs], (
        systems.pop() if len(systems) == 1 else ""
    )


def _sampled(task: Any, fitted: Any, run: RunDirectory) -> list[list[int]]:
    """Return the prompts of the run's samples."""
    views = (run.report.read() or {}).get("views") or []
    texts = [
        str(item["prompt"])
        for view in views
        for item in view.get("items") or ()
        if "prompt" in item
    ]
    if not texts:
        raise DataError(
            "The data of this run cannot be read, and the run has no samples, so the export could "
            "not be tried.",
            "Put the data back.",
        )
    writer = task.writer(fitted)
    tokenizer = writer.tokenizer
    [asked] = prompt_tokens(tokenizer, [writer.asked(texts[0])])
    begin = asked[:1] if asked[0] == tokenizer.bos_token_id else []
    ids = tokenizer(texts[:PROMPTS], add_special_tokens=False)["input_ids"]
    return [begun(one, begin) for one in ids]
