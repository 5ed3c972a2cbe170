"""Lines out of a stream of bytes, none longer than a limit."""

from __future__ import annotations

from collections.abc import Iterator

from engine.remote.messages import LONGEST_LINE, ProtocolError


class LineBuffer:
    """Takes bytes as they come and returns whole lines."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._rest = bytearray()

    def take(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that ``data`` completes, without their ends.

        Raises :class:`ProtocolError` for a line that is too long, complete or not.
        """
        self._rest += data
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            self._check(len(line))
            yield bytes(line)
        self._check(len(rest))

    def _check(self, length: int) -> None:
        if length >= self._longest:
            raise ProtocolError(f"a line is longer than {self._longest >> 10:,} kB")
