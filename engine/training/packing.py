"""Packing of a training's batches, where the network gives the same outputs for packed samples.

It is tried with the network itself, on samples of the data: no list of architectures would be
complete, and a network that ignores the borders of samples would learn from others' texts.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from engine.data.raw import TRAIN
from engine.errors import TrainingError
from engine.files.sanitize import plain
from engine.hardware.device import Compute
from engine.hardware.memory import out_of_memory
from engine.models.language.attention import attention_of, transformer_in
from engine.models.language.segment_lengths import segments
from engine.models.language.segments import SEGMENTS
from engine.runs.events import Log
from engine.text.tokens.source import TokenSource
from engine.training.material import Material
from engine.training.training_session import TrainingSession

_COMPARED = 16
"""Tokens of each sample whose outputs are compared."""
_TOLERANCES = {"float32": 1e-4, "tf32": 5e-3, "half": 3e-2}
"""Differences of outputs by the order of sums alone, as shares of the largest output."""


def pack_batches(
    training: TrainingSession, material: Material, network: nn.Module, resumed: bool
) -> None:
    """Pack the batches of the training split as ``task.packing`` says.

    What ``auto`` decides at the start of a run is saved, as the order of samples follows from it.
    Raises :class:`TrainingError` where samples cannot be packed and are to be.
    """
    session, task, source = training.session, training.task, material.sources[TRAIN]
    wanted = getattr(task.section, "packing", "off")
    # A run that was resumed and has not decided is older than packing.
    if not isinstance(source, TokenSource) or wanted == "off" or (resumed and wanted == "auto"):
        return
    obstacle = "" if resumed else _obstacle(training, source, network)
    if training.group.any(bool(obstacle)):
        if wanted == "on":
            raise TrainingError(
                f"task.packing: {obstacle or 'another process cannot pack its samples'}.",
                "Choose task.packing=auto or off.",
            )
        _settle(training, "off")
        session.events.write(Log(level="info", message=f"Batches are not packed: {obstacle}."))
        return
    _separate(network)
    source.packed = True
    if wanted == "auto":
        _settle(training, "on")


def _settle(training: TrainingSession, packing: str) -> None:
    training.session.settle([f"task.packing={packing}"], write=training.group.leads)
    training.task.config = training.session.config


def _obstacle(training: TrainingSession, source: TokenSource, network: nn.Module) -> str:
    """Return why batches cannot be packed; empty where they can."""
    if training.group.sharded:
        return "the network is sharded"
    if training.task.config.compute.compile:
        return "a compiled network would be compiled anew for each batch"
    if len(source) < 2:
        return "there is only one sample"
    model = transformer_in(network)
    if model is None:
        return "the network is none of transformers"
    before = attention_of(model)
    try:
        _separate(network)
        obstacle = training.group.within(
            network, partial(_difference, network, source, training.compute)
        )
    except Exception as error:  # a network may refuse such rows by any exception
        if isinstance(error, RuntimeError) and out_of_memory(error):
            raise
        said = (str(error).splitlines() or [type(error).__name__])[0]
        obstacle = f"the network takes no packed samples ({plain(said, 200)})"
    if not obstacle and before == "eager":
        obstacle = "eager attention would compute a mask over the whole row"
    if obstacle:
        model.set_attn_implementation(before)
    return obstacle


def _separate(network: nn.Module) -> None:
    """Let a network attend within segments; flash attention does by the positions of tokens."""
    model = transformer_in(network)
    if model is not None and attention_of(model) == "sdpa":
        model.set_attn_implementation(SEGMENTS)


def _difference(network: nn.Module, source: TokenSource, compute: Compute) -> str:
    """Return the difference of packed samples and single ones; empty where there is none."""
    order = source.lengths.argsort()
    # The longest in the middle: it goes beyond sliding windows, and has others on both sides.
    some = order[[0, len(order) // 2]] if len(order) == 2 else order[[0, -1, len(order) // 2]]
    batch = next(source.read([some]))
    lengths = source.lengths[some].tolist()
    samples = [ids[:length] for ids, length in zip(batch.inputs["input_ids"], lengths, strict=True)]
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad(), compute.autocast():
            alone = torch.cat([_outputs(network, [ids]) for ids in samples])
            together = _outputs(network, samples)
    finally:
        network.train(was_training)
    worst = float((alone - together).abs().max() / alone.abs().max().clamp(min=1e-12))
    if worst <= _TOLERANCES[_precision(network, compute)]:
        return ""
    return f"the outputs of packed samples differ from those of single ones (by {worst:.1%})"


def _outputs(network: nn.Module, samples: list[Tensor]) -> Tensor:
    """Logits of some tokens of each sample, which are in one row."""
    lengths = [len(ids) for ids in samples]
    places, begin = [], 0
    for length in lengths:
        places.append(torch.linspace(begin, begin + length - 1, min(_COMPARED, length)).long())
        begin += length
    ids = torch.cat(samples)
    call: Any = network
    with segments(lengths):
        logits: Tensor = call(
            input_ids=ids[None],
            position_ids=torch.cat([torch.arange(length) for length in lengths])[None].to(ids),
            logits_to_keep=torch.cat(places).to(ids.device),
            use_cache=False,
        ).logits
    return logits[0].float()


def _precision(network: nn.Module, compute: Compute) -> str:
    kinds = {parameter.dtype for parameter in network.parameters()} | {compute.dtype}
    if kinds & {torch.float16, torch.bfloat16}:
        return "half"
    # Either of torch's interfaces may have been used.
    tf32 = compute.device.type == "cuda" and torch.backends.cuda.matmul.allow_tf32
    return "tf32" if tf32 else "float32"
