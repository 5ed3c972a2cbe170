"""The section that says where and in which precision a run computes."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import Section, option

Attention = Literal["auto", "sdpa", "eager", "flash_attention_2"]


Kernel = Literal["auto", "fused", "foreach", "forloop"]


class ComputeConfig(Section):
    """Device, precision and implementation of the computation.

    ``tf32`` is on by default. It matters for ``precision=float32`` only, for ``auto`` is bfloat16
    on the GPUs that have TF32. It keeps the range of float32 and more mantissa than bfloat16 (10
    bits against 7), and torch uses it for convolutions anyway; off means float32 for these as well.

    ``cudnn_benchmark`` is off by default, as in torch: the algorithm that is the fastest now need
    not be the fastest after a resume, so the bits may differ, and its trials take memory that the
    estimate does not count.

    ``deterministic`` takes precedence over ``cudnn_benchmark``, and leaves ``tf32`` alone, which
    rounds the same way every time.
    """

    device: Literal["auto", "cuda", "mps", "cpu"] = option(
        "auto", "Device; auto takes CUDA, then MPS, then the CPU"
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto",
        "Precision of the computation; auto takes bfloat16 mixed precision where the "
        "device supports it",
    )
    threads: int = option(
        0,
        "CPU threads; 0 takes the number of cores",
        ge=0,
        le=1024,
        advanced=True,
        automatic="0",
    )
    tf32: bool = option(
        True,
        "TF32 for float32 matrix products and convolutions on NVIDIA GPUs since Ampere: faster, "
        "with a mantissa of 10 bits",
        advanced=True,
    )
    cudnn_benchmark: bool = option(
        False,
        "cuDNN benchmark mode: time the algorithms for each input shape and take the fastest; for "
        "images of one size, slow where shapes vary",
        advanced=True,
    )
    deterministic: bool = option(
        False,
        "Deterministic algorithms only, so that the same run gives the same bits: slower, and "
        "operations without one fail",
        advanced=True,
    )
    compile: bool = option(
        False, "Compile the network with torch.compile before training", advanced=True
    )
    attention: Attention = option(
        "auto",
        "Attention implementation of transformers; auto takes sdpa where the network "
        "supports it, flash_attention_2 needs CUDA, half precision and the package "
        "flash-attn",
        advanced=True,
    )
    kernels: Literal["none", "auto"] = option(
        "none",
        "Kernels of transformers' norms and feed-forward layers; auto takes Liger's fused ones "
        "on CUDA, which need dltui[liger]",
        advanced=True,
    )
    optimizer_kernel: Kernel = option(
        "auto",
        "Optimizer implementation of AdamW and SGD; auto takes fused on CPUs and CUDA, the fastest",
        advanced=True,
    )
    image_cache: float = option(
        20.0,
        "Disk space for decoded images of each split, so that files are decoded only once; random "
        "resized crops need the files; 0 disables the cache",
        ge=0,
        unit="GB",
        advanced=True,
    )
    loader_threads: int | None = option(
        None,
        "Data loader threads that prefetch batches; 0 disables prefetching, empty decides "
        "by data and device",
        ge=0,
        le=256,
        advanced=True,
    )
    pinned_memory: bool = option(
        True,
        "Copy batches to the GPU from pinned (page-locked) memory",
        advanced=True,
    )
