"""Hand a finished language model over to the programs that serve it: GGUF, Ollama, vLLM.

All that is written is loaded back by transformers, and its greedy answers to ten held-out prompts
are held against the run's own before it is kept.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from engine.artifacts.build import ADAPTER, holds_adapter, load_network
from engine.artifacts.handover.answers import TOKENS, Difference, differences, greedy, logits
from engine.artifacts.handover.families import context_length, family_of
from engine.artifacts.handover.gguf_file import (
    as_written,
    check_installed,
    read_gguf,
    write_gguf,
)
from engine.artifacts.handover.llama import Llama, is_installed
from engine.artifacts.handover.modelfile import conversation_template, modelfile, prompt_template
from engine.artifacts.handover.turns import between_turns, rendering, stop_tokens
from engine.artifacts.outputs import distance
from engine.artifacts.stored_type import cast_weights, rounded, type_named
from engine.artifacts.tracing import REFUSALS, reason_of
from engine.config.models.weights_path import base_of_adapter
from engine.errors import TrainingError, UserError
from engine.files.sanitize import first_line, plain
from engine.files.slugs import to_name
from engine.runs.directory import RunDirectory
from engine.service.speaker import Speaker, speaker_of
from engine.text.chat.plain_prompts import PlainPrompts
from engine.text.generation.continuation import ends_for
from engine.text.tokens.beginning import beginning_of

_TOLERANCE = 1e-4
"""Largest difference of logits, in parts of the largest of them."""
_CONTEXT = 4096
"""Tokens for which a server reserves memory, where the model can read as many."""
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM reserves memory for."""
_GGUF, _PEFT = "model.gguf", ("adapter_config.json", "adapter_model.safetensors")
_SAID = 3
"""Number of differing answers that are shown in full."""


@dataclass
class Handed:
    """The description of the files written, for the report."""

    command: str
    difference: float = 0.0
    """Largest difference of a logit from the same weights in memory."""
    notes: list[str] = field(default_factory=list)
    rounded: str = ""
    """The type that the weights were rounded to before they were compared."""


def _gguf(speaker: Speaker, written: Path, target: Path, dtype: str) -> Handed:
    """One file with weights, tokenizer and chat template."""
    handed = Handed(shlex.join(["llama-server", "-m", str(target)]))
    _write_gguf(speaker, written, dtype, handed)
    return handed


def _write_gguf(speaker: Speaker, path: Path, dtype: str, handed: Handed) -> None:
    check_installed()
    dtype = _gguf_type(speaker, dtype)
    write_gguf(path, speaker.network, speaker.writer.tokenizer, dtype, speaker.talk)
    try:
        network, tokenizer = read_gguf(path, speaker.network)
    except REFUSALS as error:
        raise _thrown_away(f"transformers cannot load the file: {reason_of(error)}") from error
    _check_tokens(speaker, lambda text: tokenizer(text, add_special_tokens=False)["input_ids"])
    rounded_alike = as_written(speaker.network, dtype)
    _compare(speaker, rounded_alike, network, handed)
    handed.rounded = dtype
    if is_installed():
        _try_llama(speaker, path, rounded_alike, handed)


def _try_llama(speaker: Speaker, path: Path, network: nn.Module, handed: Handed) -> None:
    """Compare with llama.cpp: other tokens are an error, other answers are noted.

    It computes in another order and another precision, so that near ties may fall otherwise.
    """
    prompts, tokenizer = speaker.prompts, speaker.writer.tokenizer
    try:
        llama = Llama(path, max(map(len, prompts)) + TOKENS)
    except ValueError as error:
        raise _thrown_away(f"llama.cpp cannot load the file: {first_line(error)}") from error
    _check_tokens(speaker, llama.tokens)
    theirs = llama.greedy(prompts, tokenizer.eos_token_id)
    wrong = differences(tokenizer, greedy(network, tokenizer, prompts), theirs)
    handed.notes.append(
        f"llama.cpp gives {len(prompts) - len(wrong)} of {len(prompts)} greedy answers alike."
    )
    handed.notes += _lines(wrong)


def _gguf_type(speaker: Speaker, dtype: str) -> str:
    """Return the type of the weights, float16 where none was asked for."""
    if dtype == "stored":
        return str(type_named(dtype, speaker.task.config.model)).removeprefix("torch.")
    return dtype or "float16"


def _check_tokens(speaker: Speaker, tokens_of: Callable[[str], list[int]]) -> None:
    """Compare the tokens of the prompts' texts with those of another tokenizer.

    transformers reads blanks at the beginning otherwise where SentencePiece puts one before.
    """
    own = speaker.writer.tokenizer
    for text in map(str.lstrip, own.batch_decode(speaker.prompts)):
        meant, found = own(text, add_special_tokens=False)["input_ids"], tokens_of(text)
        if meant != found:
            raise _thrown_away(
                "its tokenizer cuts texts otherwise: "
                + differences(own, [meant], [found])[0].sentence
            )


def _compare(speaker: Speaker, ours: nn.Module, theirs: nn.Module, handed: Handed) -> None:
    """Compare what was read with the same weights in memory, and note how rounding changed them."""
    tokenizer, prompts = speaker.writer.tokenizer, speaker.prompts
    expected, found = logits(ours, prompts), logits(theirs, prompts)
    handed.difference = distance(expected, found)
    answers = greedy(theirs, tokenizer, prompts)
    differing = differences(tokenizer, greedy(ours, tokenizer, prompts), answers)
    wrong = [one.sentence for one in differing]
    largest = max(1.0, *(float(value.abs().max()) for value in expected))
    if not handed.difference <= _TOLERANCE * largest:
        wrong.append(f"logits differ by {handed.difference:.2g}")
    if wrong:
        raise _thrown_away("; ".join(wrong[:_SAID]))
    own = logits(speaker.network, prompts)
    changed = differences(tokenizer, greedy(speaker.network, tokenizer, prompts), answers)
    if changed:
        handed.notes.append(
            f"{len(changed)} of {len(prompts)} greedy answers differ from the run's own, whose "
            f"logits differ by up to {distance(own, found):.2g}."
        )
        handed.notes += _lines(changed)


def _lines(found: Sequence[Difference]) -> Iterator[str]:
    """The first differences, token by token."""
    return (line for one in found[:_SAID] for line in one.lines)


def _thrown_away(reason: str) -> TrainingError:
    return TrainingError(
        f"What was written says something else than the run's model, so it was thrown away: "
        f"{reason}."
    )


def _ollama(speaker: Speaker, written: Path, target: Path, dtype: str) -> Handed:
    """A folder with a Modelfile and the weights, as GGUF where that can be."""
    name, begins = to_name(speaker.task.config.name), speaker.talk.begins
    handed = Handed(shlex.join(["ollama", "create", name, "-f", str(target / "Modelfile")]))
    template, stops = _template(speaker, begins)
    written.mkdir()
    try:
        check_installed()
        family_of(speaker.network.config)
    except UserError as error:
        if dtype == "q8_0":
            raise
        _write_folder(speaker, written, dtype, handed)
        handed.notes.append(
            "The weights are safetensors files, which ollama converts if its version knows "
            f"{type(speaker.network).__name__}: {error.message}"
        )
        source, begins = ".", _adds_beginning(written)
        template, stops = _template(speaker, begins)
    else:
        _write_gguf(speaker, written / _GGUF, dtype, handed)
        source = f"./{_GGUF}"
    sampling = speaker.writer.sampling
    parameters = {
        "temperature": f"{sampling.temperature:g}", "top_p": f"{sampling.top_p:g}", "top_k": 0,
        "repeat_penalty": 1, "num_predict": sampling.max_new_tokens,
        "num_ctx": _served_length(speaker),
    }  # fmt: skip
    text = modelfile(source, template, speaker.system, stops, parameters)
    (written / "Modelfile").write_text(text, encoding="utf-8")
    return handed


def _adds_beginning(folder: Path) -> bool:
    """Return whether ollama puts a token before each prompt to a model that it converts."""
    record = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    return record.get("add_bos_token") is True


def _template(speaker: Speaker, begins: bool) -> tuple[str, list[str]]:
    """Return the template of training in Go's language, and the tokens that end an answer.

    ``begins`` tells whether Ollama puts the beginning-of-text token before a prompt.
    """
    tokenizer, prompts = speaker.writer.tokenizer, speaker.writer.prompts
    ends = tokenizer.convert_ids_to_tokens(ends_for(speaker.network, tokenizer))
    if prompts is None:
        return prompt_template(None), ends
    if isinstance(prompts, PlainPrompts):
        return prompt_template(prompts.separator), ends
    between = between_turns(rendering(prompts))
    bos = tokenizer.bos_token if begins else ""
    stops = stop_tokens(tokenizer, between.behind_answer, speaker.talk.end)
    return conversation_template(between, bos), list(dict.fromkeys([*stops, *ends]))


def _served_length(speaker: Speaker) -> int:
    """Return the length of texts to serve: as long as in training, or longer where it is cheap."""
    config: Any = speaker.network.config
    if not hasattr(config, "max_position_embeddings"):
        return max(_CONTEXT, speaker.writer.longest)
    return min(context_length(config), max(_CONTEXT, speaker.writer.longest))


def _write_folder(speaker: Speaker, folder: Path, dtype: str, handed: Handed) -> None:
    """Write the whole model as transformers reads it, and compare it."""
    speaker.task.files(speaker.fitted).save(speaker.network, folder)
    _write_tokenizer(speaker, folder)
    handed.notes += _on_beginning(speaker)
    reference = speaker.network
    if dtype:
        kind = type_named(dtype, speaker.task.config.model)
        cast_weights(folder, kind)
        reference = rounded(speaker.network, kind)
        handed.rounded = str(kind).removeprefix("torch.")
    try:
        network: nn.Module = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32
        )
    except REFUSALS as error:
        raise _thrown_away(f"transformers cannot load the folder: {reason_of(error)}") from error
    _compare(speaker, reference, network.eval(), handed)


def _on_beginning(speaker: Speaker) -> list[str]:
    """A note where servers begin a prompt otherwise than the training did."""
    tokenizer = speaker.writer.tokenizer
    begin = beginning_of(tokenizer)
    if speaker.converses or not begin or speaker.talk.begins:
        return []
    written = plain(tokenizer.decode(begin), 40)
    return [
        f"Prompts were learned without {written}, which the tokenizer writes before a text: ask "
        "with add_special_tokens off."
    ]


def _write_tokenizer(speaker: Speaker, folder: Path) -> None:
    speaker.task.files(speaker.fitted).companions(folder)
    if speaker.chat_template:
        text = speaker.chat_template
        (folder / "chat_template.jinja").write_text(text, encoding="utf-8")


def _vllm(speaker: Speaker, written: Path, target: Path, dtype: str) -> Handed:
    """A folder with the whole model, and the command that serves it."""
    if dtype == "q8_0":
        raise TrainingError("vllm reads no q8_0 from a folder.", "Choose bfloat16 or float16.")
    handed = Handed(_vllm_command(speaker, str(target), target))
    written.mkdir()
    _write_folder(speaker, written, dtype, handed)
    return handed


def _vllm_lora(speaker: Speaker, written: Path, target: Path, dtype: str) -> Handed:
    """A folder with the adapter alone, and the command that serves it on its base."""
    if dtype or not holds_adapter(speaker.folder):
        what = "An adapter keeps the type of its weights" if dtype else "This run has no adapter"
        raise TrainingError(f"{what}.", "Export the whole model: --to vllm.")
    record = json.loads((speaker.folder / ADAPTER).read_text())
    for reason in _beyond_vllm(record):
        raise TrainingError(f"vLLM serves no adapter {reason}.", "Merge it: --to vllm.")
    written.mkdir()
    for name in _PEFT:
        shutil.copy(speaker.folder / name, written)
    _write_tokenizer(speaker, written)
    handed = Handed("", notes=_on_beginning(speaker))
    network = load_network(speaker.task, speaker.fitted, written).eval()
    _compare(speaker, speaker.network, network, handed)
    name = to_name(speaker.task.config.name)
    rank = next((rank for rank in _RANKS if rank >= record["r"]), record["r"])
    handed.command = _vllm_command(
        speaker, record["base_model_name_or_path"], target, "--enable-lora",
        "--max-lora-rank", str(rank), "--lora-modules", f"{name}={target}",
    )  # fmt: skip
    return handed


def _beyond_vllm(record: dict[str, Any]) -> Iterator[str]:
    if record.get("use_dora"):
        yield "of the method dora"
    if record.get("modules_to_save") or record.get("trainable_token_indices"):
        yield "with modules or tokens that are trained in full"
    if record.get("bias", "none") != "none":
        yield "with biases"
    if record["r"] > _RANKS[-1]:
        yield f"of rank {record['r']}"


def _vllm_command(speaker: Speaker, model: str, target: Path, *options: str) -> str:
    """Return the command that serves a model with the template of training."""
    command = ["vllm", "serve", model, "--max-model-len", str(_served_length(speaker))]
    if speaker.chat_template:
        command += ["--chat-template", str(target / "chat_template.jinja")]
    if model != str(target):
        command += ["--tokenizer", str(target)]
    else:
        command += ["--served-model-name", to_name(speaker.task.config.name)]
    return shlex.join([*command, *options])


Recipient = Callable[[Speaker, Path, Path, str], Handed]
RECIPIENTS: dict[str, Recipient] = {
    "gguf": _gguf,
    "ollama": _ollama,
    "vllm": _vllm,
    "vllm-lora": _vllm_lora,
}
"""By name: writes the model at a first place, for use at a second one, in a type of weights."""


def hand_over(run: RunDirectory, form: str) -> Callable[[Path, Path, str], Handed]:
    """Load a run's model; return what writes it, as a recipient of :data:`RECIPIENTS` wants it.

    Raises :class:`~engine.errors.UserError`.
    """
    if form == "gguf":
        _check_gguf(run)
    return partial(_handed, speaker_of(run), RECIPIENTS[form])


def _check_gguf(run: RunDirectory) -> None:
    """Refuse what cannot be written before its weights are loaded, where its config is here."""
    check_installed()
    source = base_of_adapter(str(run.model)) or run.model
    try:
        config = transformers.AutoConfig.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError):  # told where the model is loaded
        return
    if config.architectures and config.architectures[0].endswith("ForCausalLM"):
        family_of(config)


def _handed(speaker: Speaker, write: Recipient, written: Path, target: Path, dtype: str) -> Handed:
    handed = write(speaker, written, target, dtype)
    if day := speaker.writer.date:
        handed.notes.append(
            f"The chat template writes the day {day}, as in training; that of the base model "
            "writes the day of the call."
        )
    return handed
