"""Sums of tensors over all processes: by torch, or through memory that processes share.

Torch's gloo sends everything through the network's loopback, by threads of its own: two processes
with a small network spent a seventh of their processor time on it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor
from typing_extensions import override

from engine.config.train import TrainConfig
from engine.training.checkpoints.peers import PeerLost, among_peers

_MOST = 4
"""Processes that share memory: each reads what all wrote, which grows with their square."""
_ROOM = 1 << 26
"""Most bytes that each process shares at once, twice over."""
_ALIGNED = 64
_MEETING = 300.0
"""Seconds within which the processes connect."""
_ADDRESS = 256
"""Bytes in which each process tells its address."""
_CREDENTIALS = struct.Struct("3i")
"""Process, user and group at the other end of a connection."""
_SIGNALS = 4096
"""Most signals that are read at once."""


class Pending(Protocol):
    """A sum that is under way."""

    def is_completed(self) -> bool:
        """Return whether the sum is there, without waiting."""

    def wait(self) -> object:
        """Wait for the sum."""


class Sums:
    """Sums by torch, between any processes and on any device."""

    def start(self, tensor: Tensor) -> Pending:
        """Begin to replace ``tensor`` by its sum; all processes start the same ones in order.

        Raises :class:`~engine.training.checkpoints.peers.PeerLost`, as ``wait`` does.
        """
        with among_peers():
            work: Any = dist.all_reduce(tensor, async_op=True)
        return _OfTorch(work)

    def release(self) -> None:
        """Release memory after all sums that were started; called by all processes."""


class _OfTorch:
    """A sum by torch."""

    def __init__(self, work: Any) -> None:
        self._work = work

    def is_completed(self) -> bool:
        return bool(self._work.is_completed())

    def wait(self) -> None:
        with among_peers():
            self._work.wait()


class SharedSums(Sums):
    """Sums in main memory: each process writes its own part and adds up the parts of all.

    All add them in the order of their ranks, so their sums have the same bits. Processes signal
    each other by a byte; that they all count the same signals tells what each one means.
    """

    def __init__(self, peers: Sequence[socket.socket], parts: Sequence[Tensor], rank: int) -> None:
        """``peers`` are connections to the others, ``parts`` the bytes of all, by rank."""
        self._peers = peers
        # One half after the other, so that none waits until all have read what it wrote last.
        self._halves = list(zip(*(part.chunk(2) for part in parts), strict=True))
        self._rank = rank
        self._heard = [0] * len(peers)
        """Signals received from each."""
        self._given = self._used = 0
        """Signals given; bytes used of the own half."""
        self._free = [0, 0]
        """The signal after which each half may be overwritten, the one in use first."""
        self._open: list[_Shared] = []

    @override
    def start(self, tensor: Tensor) -> Pending:
        """Write ``tensor`` for the others; torch sums what the memory has no room for."""
        size = _aligned(tensor.nbytes)
        room = self._halves[0][self._rank].nbytes
        if tensor.device.type != "cpu" or size > room:
            return super().start(tensor)
        if self._used + size > room:
            self.release()
        self.wait_for(self._free[0])
        place = slice(self._used, self._used + tensor.nbytes)
        flat = tensor.view(-1)
        parts = [part[place].view(flat.dtype) for part in self._halves[0]]
        parts[self._rank].copy_(flat)
        self._used += size
        started = _Shared(self, flat, parts, self._signal())
        self._open.append(started)
        return started

    @override
    def release(self) -> None:
        for one in self._open:
            one.wait()
        self._open.clear()
        self._used = 0
        self._free = [self._free[1], self._signal()]
        self._halves.reverse()

    def _signal(self) -> int:
        self._given += 1
        try:
            for peer in self._peers:
                peer.send(b"\0")
        except OSError as error:
            raise PeerLost(str(error)) from error
        return self._given

    def wait_for(self, signal: int) -> None:
        """Wait until each other process has given ``signal`` signals."""
        for number, peer in enumerate(self._peers):
            while self._heard[number] < signal:
                self._hear(number, peer, 0)

    def there(self, signal: int) -> bool:
        """Return whether each other process has given ``signal`` signals, without waiting."""
        for number, peer in enumerate(self._peers):
            if self._heard[number] < signal:
                with contextlib.suppress(BlockingIOError):
                    self._hear(number, peer, socket.MSG_DONTWAIT)
        return min(self._heard) >= signal

    def _hear(self, number: int, peer: socket.socket, how: int) -> None:
        try:
            received = len(peer.recv(_SIGNALS, how))
        except BlockingIOError:
            raise
        except OSError as error:
            raise PeerLost(str(error)) from error
        if not received:
            raise PeerLost("A process closed its connection.")
        self._heard[number] += received


class _Shared:
    """A sum through shared memory, complete when it was added up."""

    def __init__(self, sums: SharedSums, into: Tensor, parts: list[Tensor], signal: int) -> None:
        self._sums = sums
        self._into = into
        self._parts = parts
        self._signal = signal

    def is_completed(self) -> bool:
        if self._parts and self._sums.there(self._signal):
            self._add()
        return not self._parts

    def wait(self) -> None:
        if self._parts:
            self._sums.wait_for(self._signal)
            self._add()

    def _add(self) -> None:
        first, second, *others = self._parts
        torch.add(first, second, out=self._into)
        for part in others:
            self._into.add_(part)
        self._parts = []


def shared_bytes(train: TrainConfig, needed: int) -> int:
    """Return the bytes that a process on a CPU shares, for ``needed`` ones of an update."""
    one_node = train.processes == train.devices
    return 2 * min(_ROOM, needed) if one_node and train.processes <= _MOST else 0


def fastest_sums(rank: int, size: int, device: torch.device, needed: int) -> Sums:
    """Return sums through shared memory where the processes can share it, else torch's.

    ``needed`` are the bytes of the sums of an update. Called by all processes at once. Raises
    :class:`~engine.training.checkpoints.peers.PeerLost`.
    """
    # Every launcher sets it: on several nodes, some do not share memory.
    one_node = os.environ.get("LOCAL_WORLD_SIZE") == str(size)
    if device.type != "cpu" or not 1 < size <= _MOST or not one_node:
        return Sums()
    made: SharedSums | None = None
    with _listening() as listening:
        addresses = _exchanged(rank, size, listening.getsockname() if listening else b"")
        peers = _connected(addresses[:rank]) if all(addresses) else None
        if _all(peers is not None):
            assert listening is not None
            assert peers is not None
            with contextlib.suppress(OSError):
                peers += [_accepted(listening) for _ in addresses[rank + 1 :]]
                made = _met(rank, peers, _aligned(min(_ROOM, needed)))
        return made if _all(made is not None) and made is not None else Sums()


@contextlib.contextmanager
def _listening() -> Iterator[socket.socket | None]:
    """Listen at a name that the system chooses; ``None`` where that cannot be.

    It is none of a file, so that a process that is killed meanwhile leaves nothing behind.
    """
    with contextlib.ExitStack() as stack:
        listening: socket.socket | None = None
        if hasattr(os, "memfd_create"):
            with contextlib.suppress(OSError):
                listening = stack.enter_context(socket.socket(socket.AF_UNIX))
                listening.bind("")
                listening.listen(_MOST)
                listening.settimeout(_MEETING)
        yield listening


def _exchanged(rank: int, size: int, address: bytes) -> list[bytes]:
    """Return the addresses of all processes."""
    known = torch.zeros(size, _ADDRESS, dtype=torch.uint8)
    if address:
        known[rank, : len(address)] = torch.frombuffer(bytearray(address), dtype=torch.uint8)
    with among_peers():
        dist.all_reduce(known)
    return [bytes(row.tolist()).rstrip(b"\0") for row in known]


def _all(here: bool) -> bool:
    missing = torch.tensor(float(not here))
    with among_peers():
        dist.all_reduce(missing)
    return not missing.item()


def _connected(addresses: Sequence[bytes]) -> list[socket.socket] | None:
    """Connect to processes before this one; ``None`` where one cannot be reached."""
    peers = []
    for address in addresses:
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(_MEETING)
        try:
            peer.connect(address)
        except OSError:
            return None
        if not _of_same_user(peer):
            return None
        peers.append(peer)
    return peers


def _accepted(listening: socket.socket) -> socket.socket:
    """Return a connection from another process of this user. Raises ``OSError``."""
    while True:
        peer, _ = listening.accept()
        if _of_same_user(peer):
            return peer
        peer.close()


def _of_same_user(peer: socket.socket) -> bool:
    """Return whether the system says so: a name that is none of a file is open to all users."""
    known = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(known)
    return bool(user == os.geteuid())


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _met(rank: int, peers: Sequence[socket.socket], room: int) -> SharedSums:
    """Exchange ranks and memory, ``room`` bytes twice over, with the other processes.

    Raises ``OSError``.
    """
    handle = os.memfd_create("dltui-sums", os.MFD_CLOEXEC)
    try:
        os.posix_fallocate(handle, 0, 2 * room)
        parts = {rank: _mapped(handle, 2 * room)}
        for peer in peers:
            peer.settimeout(_MEETING)
            socket.send_fds(peer, [bytes([rank])], [handle])
        for peer in peers:
            name, handles, _, _ = socket.recv_fds(peer, 1, 1)
            if not handles:
                raise ConnectionError("A process closed its connection.")
            parts[name[0]] = _mapped(handles[0], 2 * room)
            os.close(handles[0])
            peer.settimeout(None)
    finally:
        os.close(handle)
    return SharedSums(peers, [parts[number] for number in sorted(parts)], rank)


def _mapped(handle: int, size: int) -> Tensor:
    return torch.frombuffer(mmap.mmap(handle, size), dtype=torch.uint8)
