"""The section about adapters (LoRA and its relatives, with peft's names) and what they target."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator, model_validator
from pydantic_core import PydanticCustomError

from engine.config.combination import LARGEST_RANK
from engine.config.fields import Section, option

ALL_LINEAR, ATTENTION, PEFT_DEFAULT = "all-linear", "attention", "peft-default"
TARGET_PRESETS = (ALL_LINEAR, ATTENTION, PEFT_DEFAULT)


class AdapterConfig(Section):
    """The fine-tuning method and the layers that it adapts."""

    method: Literal["none", "lora", "dora", "rslora"] = option(
        "none", "Fine-tuning method; none trains the network itself"
    )
    r: int = option(8, "LoRA rank: width of the adapter matrices", ge=1, le=LARGEST_RANK)
    lora_alpha: int | None = option(
        None, "LoRA alpha: the adapter is scaled by alpha / r; empty takes 2·r", ge=1
    )
    lora_dropout: float = option(0.0, "Dropout on the inputs of the adapter", ge=0, lt=1)
    target_modules: tuple[str, ...] = option(
        (ALL_LINEAR,),
        "Layers that get an adapter, by name; or all-linear, attention, peft-default",
        suggestions=TARGET_PRESETS,
        layers=True,
        min_length=1,
    )
    target_pattern: str = option(
        "",
        "Regular expression that full layer names must match, instead of target_modules",
        advanced=True,
    )
    quantization: Literal["none", "nf4"] = option(
        "none", "Quantization of the frozen weights; nf4 (4-bit, QLoRA) needs dltui[quant]"
    )
    bias: Literal["none", "all", "lora_only"] = option(
        "none", "Biases that are trained in addition to the adapter", advanced=True
    )
    init_lora_weights: Literal["default", "gaussian", "pissa"] = option(
        "default", "Initialization of the adapter", advanced=True
    )
    modules_to_save: tuple[str, ...] = option(
        (),
        "Layers that are trained in full beside the adapter; a new head always is",
        advanced=True,
    )

    @field_validator("target_pattern")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise PydanticCustomError(
                "not_allowed", "is not a regular expression: {why}", {"why": str(error)}
            ) from None
        return value

    @model_validator(mode="after")
    def _pissa_is_lora(self) -> AdapterConfig:
        if self.init_lora_weights == "pissa" and self.method in ("dora", "rslora"):
            raise PydanticCustomError(
                "mismatch",
                "pissa goes with the method lora, not with {method}",
                {"field": "init_lora_weights", "method": self.method},
            )
        return self

    @model_validator(mode="after")
    def _quantized_is_frozen(self) -> AdapterConfig:
        if self.quantized and not self.active:
            raise PydanticCustomError(
                "mismatch",
                "{quantization} freezes the network in four bits, which only an adapter can train: "
                "choose lora, or adapter.quantization none",
                # The field that is always in sight.
                {"field": "method", "quantization": self.quantization},
            )
        return self

    @property
    def quantized(self) -> bool:
        """Whether frozen weights are kept in four bits."""
        return self.quantization != "none"

    @property
    def active(self) -> bool:
        """Whether there is an adapter."""
        return self.method != "none"

    @property
    def alpha(self) -> int:
        """The scale that is used."""
        return self.lora_alpha if self.lora_alpha is not None else 2 * self.r
