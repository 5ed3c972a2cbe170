"""The loss of another process of a group, as errors of communication show it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist

_GLOO = "gloo/transport"
"""Part of gloo's message about a broken connection."""


class PeerLost(Exception):
    """Another process of the group is gone; it reports the error itself."""


@contextmanager
def among_peers() -> Iterator[None]:
    """Convert errors of communication to :class:`PeerLost`."""
    try:
        yield
    except RuntimeError as error:
        raise PeerLost(str(error)) from error


def lost_a_peer(error: Exception) -> bool:
    """Return whether an error, of whatever pass, means that another process is gone."""
    return isinstance(error, PeerLost | dist.DistError) or _GLOO in str(error)
