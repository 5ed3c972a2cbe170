"""The decoding parameters in the configuration of a network, which goes with it when exported."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

_OF_SAMPLING = (
    "temperature", "top_p", "top_k", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff",
)  # fmt: skip
_OF_BEAMS = ("early_stopping", "length_penalty")


def marks_of(tokenizer: Any, ends: Sequence[int]) -> dict[str, Any]:
    """The tokens that pad and end texts, by the names that ``generate`` has."""
    end = ends[0] if len(ends) == 1 else list(ends) or None
    return {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": end}


def also_ends(network: nn.Module, tokenizer: Any) -> list[int]:
    """Return the tokens at which texts of the base model end, too, such as a call of a tool.

    A training need not have all of them in its rows, and forgets none of them. Those that are
    ordinary text for the tokenizer, or begin texts, are defaults of an architecture for another
    vocabulary.
    """
    known = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    others = (tokenizer.bos_token_id, tokenizer.unk_token_id, tokenizer.cls_token_id,
              tokenizer.mask_token_id)  # fmt: skip
    return [end for end in noted_ends(network) if end in known and end not in others]


def noted_ends(network: Any) -> list[int]:
    """Return the tokens at which ``network.generate`` stops by itself."""
    noted = getattr(getattr(network, "generation_config", None), "eos_token_id", None)
    return [noted] if isinstance(noted, int) else list(noted or ())


def record_decoding(network: nn.Module, used: Mapping[str, Any]) -> None:
    """Make ``used`` the defaults of ``network.generate``, here and where it is exported to.

    Settings of the base model that belong to another kind of decoding are removed: they have no
    effect, and transformers does not save them.
    """
    model: Any = network
    without: tuple[str, ...] = () if used.get("do_sample") else _OF_SAMPLING
    without += _OF_BEAMS if used.get("num_beams") == 1 else ()
    settings = copy.deepcopy(model.generation_config)
    settings.update(**dict.fromkeys(without), **used)
    try:
        settings.validate(strict=True)
    except ValueError:  # of the base's other settings: a network has to be saved in any case
        return
    model.generation_config = settings
