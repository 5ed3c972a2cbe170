"""The parts of ``make gpu``: a script each, run by ``gpu.py`` in a process of its own."""

BUDGETS = {
    "works": 90.0,
    "bits": 45.0,
    "speed": 120.0,
    "memory": 60.0,
    "cifar10": 90.0,
    "llama": 90.0,
    "packing": 45.0,
}
"""Seconds that each part may take on a GPU, in the order in which they run."""
