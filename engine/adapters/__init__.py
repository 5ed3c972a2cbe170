"""Adapters (LoRA and its relatives), 4-bit weights, frozen layers."""
