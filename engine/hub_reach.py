"""Whether the Hugging Face hub can be reached at all.

Its library tries again for half a minute where there is no network. One request with a short
time-out shows that beforehand; then only local files are used.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants, get_session
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

_SECONDS = 60
"""Time for which the result is cached."""
_asked: dict[str, tuple[float, bool]] = {}


@contextmanager
def offline_where_unreachable() -> Iterator[None]:
    """Act as if ``HF_HUB_OFFLINE`` was set inside the block, if the hub does not answer."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _answers(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _answers(endpoint: str) -> bool:
    """Whether there is a way to the hub, however slow; proxies are heeded."""
    asked, answer = _asked.get(endpoint, (-_SECONDS, False))
    if time.monotonic() - asked > _SECONDS:
        answer = _connects(endpoint)
        _asked[endpoint] = time.monotonic(), answer
    return answer


def _connects(endpoint: str) -> bool:
    try:
        get_session().head(endpoint, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except HTTPError as error:
        # By name, for the hub's library changes the one below it from time to time. Whatever else
        # happens, such as an answer that comes late, is for the hub's library to deal with.
        return type(error).__name__ not in ("ConnectError", "ConnectTimeout")
    return True
