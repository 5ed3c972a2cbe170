"""The private names of transformers that this package uses.

``tests/train/test_unusual_models.py`` checks that they exist and behave as expected.
"""

from __future__ import annotations

from typing import Any


def attention_name(config: Any) -> str:
    """Return the implementation of attention that a configuration asks for."""
    return str(config._attn_implementation)


def is_stateful(network: Any) -> bool:
    """Return whether a network keeps a state that cannot be taken apart, in place of the tokens."""
    return bool(getattr(network, "_is_stateful", False))


def switches_vocabulary(tokenizer: Any) -> bool:
    """Return whether a tokenizer has another vocabulary for targets, and takes it for them."""
    return hasattr(tokenizer, "_switch_to_target_mode")
