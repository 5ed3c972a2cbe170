"""A network that is sharded between processes (FSDP) learns the same as a whole one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import transformers
from torch import nn

from engine import RunConfig
from engine.adapters.frozen import compress_frozen
from engine.adapters.lora import with_adapter
from engine.config.adapter import AdapterConfig
from engine.errors import TrainingError
from engine.files.paths import runs_folder
from engine.hardware.device import Compute
from engine.launch.start import start
from engine.models.weights.blocks import blocks
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Log, Started
from engine.runs.status import State
from engine.service.predict import answer
from engine.text.tokens.bpe import bpe_from, train_bpe
from engine.training.checkpoints import checkpoint
from engine.training.distributed.fsdp import FullySharded
from engine.training.distributed.row_shares import RowShares
from engine.training.distributed.shardable import check
from engine.training.distributed.sharded import entire

CPU = {"device": "cpu", "threads": 1}
FULL = Compute(torch.device("cpu"), torch.float32, threads=1)
HALF = Compute(torch.device("cpu"), torch.float16, threads=1)
TABLE = {
    "name": "table",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "breast-cancer"},
    "model": {"kind": "mlp", "hidden": [24], "dropout": 0.0, "normalization": "none"},
    "train": {"max_steps": 24, "batch_size": 51, "eval_steps": 4, "save_steps": 4,
              "lr_scheduler_type": "constant"},
    "compute": CPU,
}  # fmt: skip
SMALL = {
    "kind": "transformer", "vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "dropout": 0.0,
}  # fmt: skip
VERSE = ["The owl and the cat", "went to sea in a boat,", "", "and the boat was green.", ""]


def begun(values: Mapping[str, Any], *changes: str) -> RunDirectory:
    return RunDirectory.create(runs_folder(), RunConfig.parse(values).override(changes))


def gone_on(run: RunDirectory, *changes: str) -> RunDirectory:
    """Resume a run with another configuration, as on another machine."""
    run.config.write(run.config.read().override(changes))
    start(run).wait(240)
    return run


def evaluations(run: RunDirectory) -> list[Evaluated]:
    return list(run.events.newest(Evaluated))[::-1]


def held_against(several: RunDirectory, one: RunDirectory, within: float = 1e-5) -> None:
    assert several.status.state() is State.FINISHED, several.events.last()
    ours = {event.step: event for event in evaluations(one) if event.split == "validation"}
    theirs = {event.step: event for event in evaluations(several) if event.split == "validation"}
    assert ours.keys() == theirs.keys()
    for step, event in ours.items():
        assert theirs[step].metrics == pytest.approx(event.metrics, abs=within), step
        assert theirs[step].train_loss == pytest.approx(event.train_loss, abs=within), step


@pytest.mark.slow
def test_any_number_of_processes_resumes_from_a_checkpoint() -> None:
    undisturbed = gone_on(begun(TABLE))
    run = begun(TABLE)
    for steps, processes, strategy in [(8, 2, "fsdp"), (12, 1, "fsdp"), (18, 4, "fsdp"),
                                       (24, 2, "ddp")]:  # fmt: skip
        gone_on(run, f"train.max_steps={steps}", f"train.devices={processes}",
                f"train.strategy={strategy}")  # fmt: skip
    assert [event.resumed_step for event in run.events.newest(Started)] == [18, 12, 8, 0]
    last = {event.step: event for event in evaluations(run) if event.split == "validation"}
    for event in evaluations(undisturbed):
        if event.split == "validation":
            assert last[event.step].metrics == pytest.approx(event.metrics, abs=1e-5)
    saved, whole = (checkpoint.load_newest(r.checkpoints)[1] for r in (run, undisturbed))
    for part in ("network", "optimizer"):
        torch.testing.assert_close(saved[part], whole[part], atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_processes_without_a_row_of_a_batch_keep_the_others_company() -> None:
    # Three rows for four processes; SGD, unlike AdamW, depends on the scale of gradients.
    changes = ["train.batch_size=3", "train.max_steps=9", "train.optimizer=sgd",
               "train.learning_rate=0.1", "train.max_grad_norm=0"]  # fmt: skip
    one = gone_on(begun(TABLE, *changes))
    held_against(gone_on(begun(TABLE, *changes, "train.devices=4", "train.strategy=fsdp")), one)


def language(folder: Path, **changes: Any) -> dict[str, Any]:
    (folder / "verse.txt").write_text("\n".join(VERSE * 60))
    return {
        "name": "verse",
        "task": {"kind": "causal_lm", "max_length": 16, "max_new_tokens": 12, "temperature": 0},
        "data": {"kind": "file", "path": str(folder / "verse.txt")},
        "model": SMALL | {"gradient_checkpointing": True},
        "train": {"epochs": 2, "batch_size": 8, "gradient_accumulation_steps": 2,
                  "learning_rate": 1e-2},
        "compute": CPU,
    } | changes  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "adapter", "precision", "within"),
    [
        ("fsdp", {}, "float32", 1e-5),
        ("fsdp", {"method": "lora", "r": 4}, "float32", 1e-5),
        # The frozen weights have half the bytes; eight bits of mantissa are 4e-3 of each number.
        ("fsdp", {"method": "lora", "r": 4, "init_lora_weights": "pissa"}, "bfloat16", 2e-2),
        ("ddp", {}, "float32", 1e-5),
    ],
)
def test_transformers_are_shared_with_gradient_checkpointing_and_adapters_or_without(
    tmp_path: Path, strategy: str, adapter: dict[str, Any], precision: str, within: float
) -> None:
    values = language(tmp_path, adapter=adapter, compute=CPU | {"precision": precision})
    one = gone_on(begun(values))
    several = begun(values, "train.devices=2", f"train.strategy={strategy}")
    # Training a tokenizer again may number its tokens differently.
    shutil.copy(one.fitted, several.fitted)
    gone_on(several)
    for ours, theirs in zip(evaluations(one), evaluations(several), strict=True):
        assert theirs.metrics["loss"] == pytest.approx(ours.metrics["loss"], abs=within)
        assert theirs.train_loss == pytest.approx(ours.train_loss, abs=within)
    names = [{path.name for path in run.model.iterdir()} for run in (one, several)]
    assert names[0] == names[1]
    if precision == "float32":
        assert answer(several.id, ["The owl"]) == answer(one.id, ["The owl"])


def in_four_bits(seed: int = 0) -> nn.Module:
    """A decoder in four bits with trained LoRA weights."""
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=50, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=2,
    )  # fmt: skip
    adapter = AdapterConfig(method="lora", quantization="nf4", r=4)
    network = with_adapter(transformers.LlamaForCausalLM(config), adapter, "")
    compress_frozen(network, True, FULL)
    return network


def test_weights_of_four_bits_are_sharded(in_processes: Callable[..., list[Any]]) -> None:
    rows = torch.randint(50, (4, 8), generator=torch.Generator().manual_seed(0))

    def work(rank: int) -> Any:
        group = FullySharded(rank, 2)
        whole = in_four_bits()
        bytes_of = {name: part.numel() for name, part in whole.named_parameters()}
        network: Any = group.shard(whole, torch.device("cpu"))
        packed = {n: p for n, p in network.named_parameters() if n.endswith(".packed")}
        half = [2 * p.to_local().numel() == bytes_of[n] for n, p in packed.items()]
        loss = network(input_ids=rows, labels=rows, use_cache=False).loss
        (loss / 2).backward()
        gradients = {n: entire(p.grad) for n, p in network.named_parameters() if p.requires_grad}
        return half, loss.item(), {name: part.tolist() for name, part in gradients.items()}

    one: Any = in_four_bits()
    loss = one(input_ids=rows, labels=rows, use_cache=False).loss
    loss.backward()
    for half, found, gradients in in_processes(work):
        assert half == [True] * 14
        assert found == pytest.approx(loss.item(), abs=1e-6)
        for name, weight in one.named_parameters():
            if weight.requires_grad:
                theirs = torch.tensor(gradients[name])
                torch.testing.assert_close(theirs, weight.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.slow
def test_any_number_of_processes_resumes_an_adapter_of_four_bits(tmp_path: Path) -> None:
    values = language(tmp_path, adapter={"method": "lora", "r": 4, "quantization": "nf4"})
    values["model"] = values["model"] | {"hidden_size": 64}
    values["train"] = values["train"] | {
        "max_steps": 12, "eval_steps": 4, "save_steps": 4, "lr_scheduler_type": "constant",
    }  # fmt: skip
    one = gone_on(begun(values))
    several = begun(values)
    # Training a tokenizer again may number its tokens differently.
    shutil.copy(one.fitted, several.fitted)
    for steps, processes, strategy in [(4, 2, "fsdp"), (8, 1, "fsdp"), (12, 2, "fsdp")]:
        gone_on(several, f"train.max_steps={steps}", f"train.devices={processes}",
                f"train.strategy={strategy}")  # fmt: skip
    assert [event.resumed_step for event in several.events.newest(Started)] == [8, 4, 0]
    last = {event.step: event for event in evaluations(several) if event.split == "validation"}
    for event in evaluations(one):
        if event.split == "validation":
            assert last[event.step].metrics == pytest.approx(event.metrics, abs=1e-5)
    assert {path.name for path in several.model.iterdir()} == {p.name for p in one.model.iterdir()}
    assert answer(several.id, ["The owl"]) == answer(one.id, ["The owl"])


def base_of(folder: Path) -> str:
    """A decoder with a vocabulary so large that losses are computed in chunks."""
    tokenizer = bpe_from(train_bpe(VERSE * 9, 300))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=100_000, hidden_size=8, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


@pytest.mark.slow
def test_the_loss_of_a_large_vocabulary_is_computed_from_weights_that_are_there(
    tmp_path: Path,
) -> None:
    model = {"kind": "transformer", "path": base_of(tmp_path / "base")}
    steps = {"max_steps": 3, "batch_size": 128, "learning_rate": 1e-2}
    values = language(tmp_path, model=model, train=steps)
    one = gone_on(begun(values))
    assert one.status.state() is State.FINISHED, one.events.last()
    several = gone_on(begun(values, "train.devices=2", "train.strategy=fsdp"))
    for ours, theirs in zip(evaluations(one), evaluations(several), strict=True):
        assert theirs.metrics["loss"] == pytest.approx(ours.metrics["loss"], abs=1e-5)
        assert theirs.train_loss == pytest.approx(ours.train_loss, abs=1e-5)


def wait_for(what: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


@pytest.mark.slow
def test_after_a_kill_all_processes_resume_from_the_checkpoint() -> None:
    changes = ["train.max_steps=400", "train.eval_steps=100", "train.save_steps=20",
               "train.devices=2", "train.strategy=fsdp", "model.dropout=0.3"]  # fmt: skip
    undisturbed = gone_on(begun(TABLE, *changes))
    handle = start(begun(TABLE, *changes))
    run = handle.run
    wait_for(lambda: any(one.step >= 20 for one in checkpoint.found(run.checkpoints)))
    ranks = psutil.Process(handle.process.pid).children()
    max(ranks, key=lambda process: int(process.environ()["RANK"])).kill()
    handle.wait(240)
    held_against(run, undisturbed, within=0)
    assert any(
        "Process 2 of 2 was ended by SIGKILL" in log.message for log in run.events.newest(Log)
    )
    assert next(run.events.newest(Started)).resumed_step >= 20


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("train.optimizer=adamw_8bit", "train.optimizer"),
        ("train.auto_batch_size=true", "train.auto_batch_size"),
        ("compute.compile=true", "compute.compile"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(field: str, said: str) -> None:
    values = TABLE | {"adapter": {"method": "lora"}}
    with pytest.raises(TrainingError, match=said):
        check(
            RunConfig.parse(values).override([field]),
            FULL,
        )


def test_gradients_in_float16_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"compute\.precision"):
        check(RunConfig.parse(TABLE), HALF)


def test_the_layers_of_a_transformer_are_its_blocks() -> None:
    small = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_heads": 2, "vocab_size": 9}
    network = transformers.T5ForConditionalGeneration(
        transformers.T5Config(num_layers=2, num_decoder_layers=3, **small)
    )
    assert [type(part).__name__ for part in blocks(network)] == ["T5Block"] * 5


def test_a_layer_that_shares_weights_with_another_is_no_block() -> None:
    layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3), nn.ReLU()])
    network = nn.ModuleDict({"layers": layers, "out": nn.Linear(3, 3)})
    network["out"].weight = layers[1].weight
    assert blocks(network) == [layers[0]]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("rows", [1, 2, 5, 8])
@pytest.mark.parametrize("least", [1, 2])
def test_every_process_has_rows_and_each_row_counts_once(size: int, rows: int, least: int) -> None:
    counted: list[int] = []
    for rank in range(size):
        shares = RowShares(rank, size, all_compute=True)
        (share,) = shares.of([torch.arange(rows)], least)
        assert len(share) >= min(least, rows)
        counted += [] if shares.idle(torch.arange(rows), least) else share.tolist()
    assert sorted(counted) == list(range(rows))
