"""The section that says where and in which precision a run computes."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import Section, option

Attention = Literal["auto", "sdpa", "eager", "flash_attention_2"]


Kernel = Literal["auto", "fused", "foreach", "forloop"]


class ComputeConfig(Section):
    """Where and in which number format the run computes."""

    device: Literal["auto", "cuda", "mps", "cpu"] = option(
        "auto", "auto takes CUDA, then MPS, then the CPU"
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto", "auto takes bfloat16 where the device computes in it"
    )
    threads: int = option(
        0, "CPU threads; 0 takes as many as there are cores", ge=0, le=1024, advanced=True
    )
    compile: bool = option(False, "Compile the network before training", advanced=True)
    attention: Attention = option(
        "auto",
        "How transformers compute attention; auto takes sdpa where the network has it, "
        "flash_attention_2 needs CUDA, half precision and the package flash-attn",
        advanced=True,
    )
    optimizer_kernel: Kernel = option(
        "auto",
        "How AdamW and SGD pass over the weights; auto takes fused on CPUs and CUDA, the fastest",
        advanced=True,
    )
    loader_threads: int | None = option(
        None,
        "Threads that read batches ahead of the network; 0 reads each when it is needed, empty "
        "decides by data and device",
        ge=0,
        le=256,
        advanced=True,
    )
    pinned_memory: bool = option(
        True,
        "Hand batches to a GPU in memory that cannot be paged out, so that it fetches them by "
        "itself",
        advanced=True,
    )
