"""Downsampling of a long run's events: select the lines that matter before decoding any.

Lines are left out that would not be shown: surplus points of a curve, older resource records and
samples besides those before the first update, and all but the newest checkpoint and the newest
evaluation of splits that have no curve.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from engine.runs.history import CURVE_POINTS, CURVES, LOG_LINES, MEASUREMENTS, SAMPLES

_KEPT = 2 * CURVE_POINTS
"""Largest number of selected lines of a kind."""
_PROGRESS = b'{"event":"progress"'
_IN_PLACE = (b'{"event":"started"', b'{"event":"controlled"')
"""Events that are about the updates before them: resuming undoes some, a request changes them."""
_KIND = re.compile(rb'\{"event":"(\w+)"')
_SPLIT = re.compile(rb'"split":"([^"]*)"')
_CURVES = tuple(split.encode() for split in CURVES)
"""Splits of which all evaluations make a curve."""
_RECENT = {b"resources": MEASUREMENTS, b"samples": SAMPLES}

Numbered = tuple[int, bytes]


class _Sampled:
    """Each n-th of a growing number of lines; n doubles whenever they become too many."""

    def __init__(self) -> None:
        self.stride = 1
        self._count = 0
        self._kept: list[Numbered] = []
        self._special: dict[str, Numbered] = {}

    def extend(self, lines: Sequence[bytes]) -> None:
        """Select among these."""
        if not lines:
            return
        first = -self._count % self.stride
        places = range(self._count + first, self._count + len(lines), self.stride)
        self._kept += zip(places, lines[first :: self.stride], strict=True)
        self._special["last"] = (self._count + len(lines) - 1, lines[-1])
        self._count += len(lines)
        while len(self._kept) > _KEPT:
            self._kept = self._kept[::2]
            self.stride *= 2

    def keep(self, reason: str, back: int, line: bytes) -> None:
        """Keep the line at ``back`` from the end, until another one comes for this reason."""
        self._special[reason] = (self._count - back, line)

    def take(self) -> list[bytes]:
        """Return the selected lines in order, and start afresh."""
        chosen = sorted({*self._kept, *self._special.values()})
        self._kept, self._special, self._count = [], {}, 0
        return [line for _, line in chosen]


class EventDownsampler:
    """Downsamples the lines of ``events.jsonl`` block by block."""

    def __init__(self) -> None:
        self.last = b""
        """The last line."""
        self._progress = _Sampled()
        self._evaluated = {split: _Sampled() for split in _CURVES}
        self._log: deque[bytes] = deque(maxlen=LOG_LINES)
        self._recent = {kind: deque[bytes](maxlen=count) for kind, count in _RECENT.items()}
        self._latest: dict[bytes, bytes] = {}
        self._others: list[bytes] = []

    @property
    def strides(self) -> Mapping[str, int]:
        """Number of points for each one selected, by the split of the curve."""
        evaluated = {split.decode(): some.stride for split, some in self._evaluated.items()}
        updates = max(self._progress.stride, evaluated["train"])
        return evaluated | {"train": updates}

    def take(self, lines: Sequence[bytes]) -> Iterator[bytes]:
        """Select among these lines; yields those up to the last one that has to keep its place."""
        begin = 0
        if not self.last and lines:  # the first event has the start of the run
            yield lines[0]
            begin = 1
        for place in (
            i for i, line in enumerate(lines[begin:], begin) if line.startswith(_IN_PLACE)
        ):
            self._sort(lines[begin:place])
            yield from self.rest()
            yield lines[place]
            begin = place + 1
        self._sort(lines[begin:])
        self.last = lines[-1] if lines else self.last

    def rest(self) -> Iterator[bytes]:
        """Yield the selected lines that were not yielded yet."""
        yield from chain(
            self._others, self._progress.take(),
            *(some.take() for some in self._evaluated.values()), self._log,
            *self._recent.values(), self._latest.values(),
        )  # fmt: skip
        self._log.clear()
        for lines in self._recent.values():
            lines.clear()
        self._latest.clear()
        self._others.clear()

    def _sort(self, lines: Sequence[bytes]) -> None:
        progress = [line for line in lines if line.startswith(_PROGRESS)]
        self._progress.extend(progress)
        for back, line in enumerate(reversed(progress), 1):
            if b'"phase":"train"' in line and b'"loss":null' not in line:
                self._progress.keep("update", back, line)
                break
        if len(progress) < len(lines):
            for line in lines:
                if not line.startswith(_PROGRESS):
                    self._put(line)

    def _put(self, line: bytes) -> None:
        """Select a line that is not about progress."""
        found = _KIND.match(line)
        kind = found[1] if found else b""
        if kind == b"evaluated":
            self._put_evaluation(line)
        elif kind == b"checkpoint":
            self._latest[kind] = line
        elif kind in self._recent and b'"step":0,' not in line:
            self._recent[kind].append(line)
        elif kind == b"log":
            self._log.append(line)
        else:
            self._others.append(line)

    def _put_evaluation(self, line: bytes) -> None:
        split = _SPLIT.search(line)
        curve = self._evaluated.get(split[1] if split is not None else b"validation")
        if split is not None and curve is None:
            self._latest[split[0]] = line
        elif curve is not None:
            curve.extend([line])
            if b'"best":true' in line:
                curve.keep("best", 1, line)
