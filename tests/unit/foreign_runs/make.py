"""Make the runs in this folder by the programs themselves.

``python make.py wandb`` (wandb 0.31.0) and ``python make.py transformers`` (transformers 5.24.0,
torch 2.15.0) made what is here. Neither needs a network.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def wandb_run() -> None:
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    import wandb

    settings = wandb.Settings(
        console="off", disable_git=True, save_code=False, x_disable_meta=True,
        x_disable_stats=True, x_disable_machine_info=True, x_save_requirements=False,
        host="host", program="train.py",
    )  # fmt: skip
    config = {"lr": 0.1, "batch_size": 16, "model": {"width": 3}, "api_key": "hidden"}
    with tempfile.TemporaryDirectory() as folder:
        run = wandb.init(
            project="project", id="fixture", name="red \x1b[31m run", config=config, dir=folder,
            settings=settings,
        )  # fmt: skip
        for step in range(160):
            row = {"train/loss": 1 / (step + 1), "epoch": step / 40}
            if step % 20 == 0:
                row |= {"val/loss": 1.1 / (step + 1), "val/acc": step / 160}
            if step == 50:
                row["train/loss"] = math.nan
            if step == 60:
                row["train/loss"] = math.inf
            if step == 70:
                row["image"] = wandb.Histogram([1, 2, 3])
            run.log(row)
        run.config.update({"seed": 7})
        run.finish()
        (made,) = Path(folder).glob("wandb/offline-run-*/run-*.wandb")
        shutil.copy(made, HERE / "run-fixture.wandb")


def transformers_run() -> None:
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        BertConfig,
        Trainer,
        TrainingArguments,
    )

    def row(number: int) -> dict[str, object]:
        words = torch.randint(0, 50, (8,), generator=torch.Generator().manual_seed(number))
        return {"input_ids": words, "labels": int(words[0] > 25)}

    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32,
    )  # fmt: skip
    rows = [row(number) for number in range(64)]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        arguments = TrainingArguments(
            "out", num_train_epochs=4, logging_steps=4, eval_strategy="epoch",
            save_strategy="epoch", per_device_train_batch_size=8, report_to=[],
            load_best_model_at_end=True, metric_for_best_model="accuracy", use_cpu=True,
            learning_rate=5e-3, disable_tqdm=True,
        )  # fmt: skip
        trainer = Trainer(
            AutoModelForSequenceClassification.from_config(config), arguments,
            train_dataset=rows, eval_dataset=rows,
            compute_metrics=lambda p: {
                "accuracy": float((p.predictions.argmax(-1) == p.label_ids).mean())
            },
        )  # fmt: skip
        trainer.train()
        trainer.save_model()
        trainer.save_state()
        for name in ("trainer_state.json", "config.json"):
            shutil.copy(Path("out", name), HERE / name)


if __name__ == "__main__":
    {"wandb": wandb_run, "transformers": transformers_run}[sys.argv[1]]()
