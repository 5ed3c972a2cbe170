"""The messages between a terminal and a host: a line of JSON each, validated at both ends.

The terminal sends :data:`Request` to the standard input of ``dltui --stdio`` and reads
:data:`Answer` from its standard output. Neither end trusts the other: ids cannot be paths, texts
and lists have limits, and a line that is no such message is an error. The set belongs to
:data:`PROTOCOL`: any change of it, even a new field, is another number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from engine.files.sanitize import plain
from engine.files.slugs import NAME_PATTERN
from engine.runs.annotations import LONGEST_NOTE, LONGEST_TAG, MOST_TAGS
from engine.runs.status import State

PROTOCOL = 3
LONGEST_LINE = 1 << 20
"""Bytes of a message at most, with its line end."""
PART = 128 << 10
"""Bytes of a file in one message at most."""
READ = 512 << 10
"""Bytes of a file that is fetched, in one message."""
MOST_FOLLOWED = 16
MOST_ROWS = 200
"""Runs in one message at most."""
MOST_METRICS = 200
MOST_QUEUED = 500
"""Runs of a queue in one message at most; of others only the number is sent."""

RunId = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN}$")]
Short = Annotated[str, StringConstraints(max_length=300)]
Long = Annotated[str, StringConstraints(max_length=2000)]
Natural = Annotated[int, Field(ge=0, lt=1 << 62)]
Moment = Annotated[FiniteFloat, Field(ge=0, le=1e11)]
"""Seconds since 1970, of a time that a calendar has."""
Seconds = Annotated[FiniteFloat, Field(ge=0, le=1e11)]
FileName = Literal[
    "config.toml",
    "config-asked.toml",
    "annotations.json",
    "report.json",
    "base.json",
    "evals.json",
    "gallery.jsonl",
    "log.txt",
]
"""The files of a run, besides its events, that screens read."""
Action = Literal[
    "stop", "checkpoint", "evaluate", "pause", "continue", "learning_rate", "epochs"
]  # fmt: skip
"""The requests of :mod:`engine.runs.control`."""
QueueAction = Literal["start", "stop", "earlier", "later", "remove"]
"""Changes of the queue; the last three are about one of its runs."""


class ProtocolError(ValueError):
    """A line that is no message of this protocol."""


class Message(BaseModel):
    """A message; an unknown field or a value of another type is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def line(self) -> bytes:
        """Return the message as it is sent, with its line end."""
        return self.model_dump_json().encode() + b"\n"


class Numbered(Message):
    """A request that is answered by a message with its number."""

    number: Natural


class Followed(Message):
    """A run that the terminal shows, and what the terminal has of it."""

    run: RunId
    position: Natural = 0
    """Bytes of ``events.jsonl`` that are known."""
    stamps: dict[FileName, Short] = {}
    """Stamps of the files that are known, as they came with them."""
    whole: bool = False
    """Whether all files are wanted, and not only those that a list shows."""


class Follow(Message):
    """Send what is new of these runs from now on, and of no others."""

    type: Literal["follow"] = "follow"
    runs: Annotated[tuple[Followed, ...], Field(max_length=MOST_FOLLOWED)]


class Control(Numbered):
    """Put a request to the process that trains a run."""

    type: Literal["control"] = "control"
    run: RunId
    action: Action
    value: int | FiniteFloat | None = None


class Annotate(Numbered):
    """Replace a run's annotations."""

    type: Literal["annotate"] = "annotate"
    run: RunId
    tags: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=LONGEST_TAG)], ...],
        Field(max_length=MOST_TAGS),
    ]
    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE)]
    pinned: bool


class Resume(Numbered):
    """Resume a run from its last checkpoint."""

    type: Literal["resume"] = "resume"
    run: RunId


class Discard(Numbered):
    """Move a run into the host's trash."""

    type: Literal["discard"] = "discard"
    run: RunId


class Launch(Numbered):
    """Start a new run, or put it into the host's queue; the answer has its id."""

    type: Literal["launch"] = "launch"
    config: Annotated[str, StringConstraints(max_length=256 << 10)]
    """The configuration as TOML."""
    queue: bool = False


class ChangeQueue(Numbered):
    """Start or stop the queue, or move or take out one of its runs."""

    type: Literal["change queue"] = "change queue"
    action: QueueAction
    run: RunId | None = None


class ListFiles(Numbered):
    """List the files of a run that make it complete elsewhere."""

    type: Literal["list"] = "list"
    run: RunId


class ReadFile(Numbered):
    """Read a part of one of those files."""

    type: Literal["read"] = "read"
    run: RunId
    path: Short
    offset: Natural


class Ping(Message):
    """The terminal is still there."""

    type: Literal["ping"] = "ping"


Request = (
    Follow
    | Control
    | Annotate
    | Resume
    | Discard
    | Launch
    | ChangeQueue
    | ListFiles
    | ReadFile
    | Ping
)


class Hello(Message):
    """The first message of a host; any version can read it."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["hello"] = "hello"
    protocol: Natural
    version: Short


class Row(Message):
    """A run as a list shows it, see :class:`engine.runs.summary.RunSummary`."""

    run: RunId
    name: Short
    state: State
    started: Moment
    seconds: Seconds
    task: Short = ""
    data: Short = ""
    model: Short = ""
    metric: Short = ""
    metrics: Annotated[dict[Short, FiniteFloat], Field(max_length=MOST_METRICS)] = {}
    done: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None
    paused: bool = False
    problem: Long = ""
    tags: Annotated[tuple[Short, ...], Field(max_length=MOST_TAGS)] = ()
    note: Long = ""
    pinned: bool = False
    noted: Moment | None = None
    """The time at which the newest worker took over."""


class Rows(Message):
    """Runs that are new or have changed, and runs that are gone."""

    type: Literal["rows"] = "rows"
    rows: Annotated[tuple[Row, ...], Field(max_length=MOST_ROWS)] = ()
    gone: Annotated[tuple[RunId, ...], Field(max_length=MOST_ROWS)] = ()
    complete: bool = False
    """Whether all runs have been sent."""


class Gpu(Message):
    """A GPU; memory in bytes, ``load`` in percent."""

    name: Short = ""
    memory: Natural = 0
    memory_total: Natural = 0
    load: Annotated[FiniteFloat, Field(ge=0, le=1000)] | None = None


class Machine(Message):
    """Use of the host and the length of its queue; memory and disk in bytes."""

    type: Literal["machine"] = "machine"
    cpu_percent: Annotated[FiniteFloat, Field(ge=0, le=1e6)]
    memory: Natural
    memory_total: Natural
    gpus: Annotated[tuple[Gpu, ...], Field(max_length=64)] = ()
    free: Natural = 0
    waiting: Natural = 0
    working: bool = False


class QueuedRun(Message):
    """A run of the host's queue; ``device`` is the GPU that it was started on, if any."""

    run: RunId
    state: State
    device: Short = ""


class Queued(Message):
    """The host's queue from its head on, whenever it has changed."""

    type: Literal["queued"] = "queued"
    runs: Annotated[tuple[QueuedRun, ...], Field(max_length=MOST_QUEUED)] = ()
    more: Natural = 0
    """Further runs, which are not listed."""
    running: bool = False
    """Whether the queue has been started."""


class Events(Message):
    """Lines of a followed run's ``events.jsonl``."""

    type: Literal["events"] = "events"
    run: RunId
    start: Natural
    """Bytes of the host's file before these lines; lines that begin elsewhere do not continue."""
    position: Natural
    """Bytes that are known once this message and its parts are taken."""
    data: str
    begin: bool = False
    """Whether what is known so far is to be dropped."""
    more: bool = False
    """Whether another part follows, without which this one must not be used."""


class File(Message):
    """A part of a followed run's file; with the last part it replaces the one before.

    Of a file that is too large to be followed only its size is sent.
    """

    type: Literal["file"] = "file"
    run: RunId
    name: FileName
    stamp: Short
    data: str
    more: bool = False
    too_large: Natural = 0
    """Bytes of a file that is not sent."""


class Current(Message):
    """All that there is so far of a followed run has been sent."""

    type: Literal["current"] = "current"
    run: RunId


class Done(Message):
    """A request was carried out, or the reason why not."""

    type: Literal["done"] = "done"
    number: Natural
    run: RunId | None = None
    """The run that a :class:`Launch` has made."""
    problem: Long = ""


class Entry(Message):
    """A file of a run, its path relative to the run directory."""

    path: Short
    size: Natural
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class FileList(Message):
    """The answer to :class:`ListFiles`."""

    type: Literal["files"] = "files"
    number: Natural
    files: Annotated[tuple[Entry, ...], Field(max_length=2000)]


class Part(Message):
    """The answer to :class:`ReadFile`: bytes in base 64, empty at the end of the file."""

    type: Literal["part"] = "part"
    number: Natural
    data: str


Answer = Hello | Rows | Machine | Queued | Events | File | Current | Done | FileList | Part

_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="type")])
_ANSWER: TypeAdapter[Answer] = TypeAdapter(Annotated[Answer, Field(discriminator="type")])


def in_parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield a text in parts that a message has room for, and whether another part follows.

    An empty text is one part.
    """
    places = range(0, max(1, len(text)), PART)
    for place in places:
        yield text[place : place + PART], place != places[-1]


def read_request(line: bytes) -> Request:
    """Return the request in a line. Raises :class:`ProtocolError`."""
    try:
        return _REQUEST.validate_json(line)
    except ValidationError as error:
        raise ProtocolError(_why(error)) from error


def read_answer(line: bytes) -> Answer:
    """Return the answer in a line. Raises :class:`ProtocolError`."""
    try:
        return _ANSWER.validate_json(line)
    except ValidationError as error:
        raise ProtocolError(_why(error)) from error


def _why(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(map(str, first["loc"]))
    return plain(f"{field}: {first['msg']}" if field else first["msg"])
