"""Reading a folder of photographs against torchvision's ``ImageFolder`` and ``DataLoader``.

    python tests/benchmarks/photographs.py FOLDER [--size 128] [--epochs 2] [--workers 2]

Each side decodes, resizes, crops and flips in batches of 64, in a process of its own, without a
network; its processor seconds, wall-clock and peak memory (for a loader's workers, that of the
largest) are printed after the imports, the start and each epoch.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import torch

BATCH = 64


def of_dltui(folder: str, size: int, epochs: int) -> Iterator[str]:
    from engine import RunConfig
    from engine.batches.source import Noise, epoch_plan
    from engine.hardware import allocator
    from engine.hardware.device import choose
    from engine.processes.collector import collect_seldom
    from engine.tasks.create import create_task
    from engine.training.material import prepare

    yield "imports"
    # What follows on memory and garbage is as in every run.
    collect_seldom()
    allocator.return_freed_arrays()
    config = RunConfig.parse(
        {
            "task": {
                "kind": "image_classification",
                "image_size": size,
                "augmentation": {"flip": "horizontal", "crop": size // 16},
            },
            "data": {
                "kind": "image_folder",
                "path": folder,
                "validation_fraction": 0,
                "test_fraction": 0.001,
            },
            "model": {"kind": "cnn"},
            "compute": {"device": "cpu"},
        }
    )
    source = prepare(create_task(config), choose(config.compute), lambda event: None).sources[
        "train"
    ]
    allocator.return_freed_memory()
    allocator.keep_freed_memory()
    yield "start"
    for epoch in range(epochs):
        noise = Noise(0, epoch, torch.device("cpu"))
        for _ in source.read(epoch_plan(source, BATCH, 0, epoch), 0, noise):
            pass
        yield f"epoch {epoch + 1}"


def of_torchvision(folder: str, size: int, epochs: int, workers: int) -> Iterator[str]:
    from torchvision import datasets, transforms

    yield "imports"
    changes = [
        transforms.Resize(size + size // 8),
        transforms.RandomCrop(size),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize([0.5] * 3, [0.25] * 3),
    ]
    images = datasets.ImageFolder(folder, transforms.Compose(changes))
    loader = torch.utils.data.DataLoader(images, BATCH, shuffle=True, num_workers=workers)
    yield "start"
    for epoch in range(epochs):
        for _ in loader:
            pass
        yield f"epoch {epoch + 1}"


def measured(steps: Iterator[str], name: str) -> None:
    begin = time.perf_counter()
    for step in steps:
        own, others = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        seconds = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
        peak = max(own.ru_maxrss, others.ru_maxrss) / 1024
        wall = time.perf_counter() - begin
        print(f"{name:12} {step:8} {seconds:7.1f} s {wall:7.1f} s {peak:7,.0f} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--side", choices=("dltui", "torchvision"))
    given = parser.parse_args()
    sides: dict[str, Callable[[], Iterator[str]]] = {
        "dltui": lambda: of_dltui(given.folder, given.size, given.epochs),
        "torchvision": lambda: of_torchvision(
            given.folder, given.size, given.epochs, given.workers
        ),
    }
    if given.side:
        measured(sides[given.side](), given.side)
        return
    print(f"{'':12} {'after':8} {'processor':>9} {'wall':>9} {'peak':>11}")
    for side in sides:
        subprocess.run([sys.executable, *sys.argv, "--side", side], check=True)


if __name__ == "__main__":
    main()
