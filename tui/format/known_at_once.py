"""The cost of a run as far as it is known before its data is read and its network is built."""

from __future__ import annotations

from engine.config.needs import DOWNLOAD, GPU, needs_of
from engine.config.requirements import missing_extras
from engine.config.run_config import RunConfig
from engine.config.usual import BY_DATA, usual_value
from tui.format.key_settings import batch_size

_NEEDS = {DOWNLOAD: "a download unless it is on this machine", GPU: "a GPU for its size"}


def length_of(config: RunConfig) -> str:
    """Return how long a run trains and by which batches, in words; not what the data decides."""
    train = config.train
    known = []
    if train.max_steps is not None:
        known.append(f"{train.max_steps:,} updates")
    elif train.epochs is not None or usual_value(config, "train.epochs") != BY_DATA:
        known.append(f"{train.epoch_count:,} epoch{'s' * (train.epoch_count != 1)}")
    if train.max_minutes is not None:
        known.append(f"{train.max_minutes:g} min at most")
    if rows := batch_size(config):
        known.append(f"batches of {rows}")
    return ", ".join(known)


def needs_in_words(config: RunConfig) -> str:
    """Return what the run needs besides this program; looks for folders: call it in a thread."""
    needs = [_NEEDS[need] for need in needs_of(config) if need in _NEEDS]
    return f"needs {', '.join(needs)}" if needs else ""


def problems_of(config: RunConfig) -> list[str]:
    """Return a sentence for each extra that is missing; looks for packages: in a thread."""
    return [str(problem) for problem in missing_extras(config)]
