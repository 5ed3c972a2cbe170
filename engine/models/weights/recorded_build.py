"""A network built without its memory, whose weights are then computed one after the other.

Built of torch's fake tensors, a network has shapes but no content; the operations that would have
computed its weights are recorded. (The device ``meta`` does not serve: libraries initialise nothing
there.) Carried out later in the same order, they draw the same random numbers as a network that is
built as usual, so all weights have the same bits. Each is complete after the last operation on it,
and only those in between are held: what a weight was before it is filled anew is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.torch_private import (
    FakeTensor,
    TorchDispatchMode,
    changes_arguments,
    memory_of,
    operation_name,
    tree_iter,
    tree_map_only,
)

_FILLS = frozenset({"normal_", "uniform_", "zero_", "fill_", "random_", "exponential_", "copy_"})
"""Operations that overwrite all of a tensor without reading it."""


Stored = Mapping[int, Callable[[], Tensor]]
"""Contents of memory that no operation has computed, such as weights in a file."""


class NotRecorded(Exception):
    """The weights depend on something that was not recorded, such as other weights' values."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """A fake tensor as it was when it was used: its shape and data may be changed later."""

    storage: torch.UntypedStorage
    """Kept, as it is known by its address."""
    dtype: torch.dtype
    offset: int
    shape: torch.Size
    stride: tuple[int, ...]

    @classmethod
    def of(cls, fake: Tensor) -> _Layout:
        offset = int(fake.storage_offset())
        return cls(fake.untyped_storage(), fake.dtype, offset, fake.shape, fake.stride())

    @property
    def memory(self) -> int:
        """The identity of one tensor's memory."""
        return memory_of(self.storage)

    @property
    def whole(self) -> bool:
        """Whether it is all of its memory."""
        return self.shape.numel() * self.dtype.itemsize == self.storage.nbytes()

    def on(self, storage: torch.UntypedStorage) -> Tensor:
        """Return the tensor in real memory."""
        empty = torch.empty(0, dtype=self.dtype, device="cpu")
        return empty.set_(storage, self.offset, self.shape, self.stride)


@dataclass(frozen=True, slots=True)
class _Operation:
    function: Any
    given: tuple[Any, dict[str, Any]]
    """Its arguments, with layouts for fake tensors."""
    made: list[_Layout]

    def touched(self) -> set[int]:
        """Return the memory that it reads or writes."""
        return {layout.memory for layout in (*_layouts(self.given), *self.made)}

    def fills(self, memory: int) -> bool:
        """Return whether it overwrites all of this memory, whatever was in it."""
        if operation_name(self.function) not in _FILLS:
            return False
        target, *others = _layouts(self.given)
        return target.memory == memory and target.whole and all(o.memory != memory for o in others)

    def carry_out(self, real: dict[int, torch.UntypedStorage], stored: Stored) -> None:
        """Carry it out on the CPU, with the memory that is held, or that is ``stored``."""
        for layout in _layouts(self.given):
            if layout.memory in real:
                continue
            if self.fills(layout.memory):
                size = layout.storage.nbytes()
                real[layout.memory] = torch.UntypedStorage(size)  # type: ignore[no-untyped-call]
            elif layout.memory in stored:
                real[layout.memory] = _storage_of(stored[layout.memory]())
            else:
                raise NotRecorded(f"{self.function} reads what is not known")
        arguments, options = tree_map_only(
            _Layout, lambda one: one.on(real[one.memory]), self.given
        )
        if options.get("device") is not None:
            options["device"] = torch.device("cpu")
        with torch.no_grad(), torch.device("cpu"):
            result = self.function(*arguments, **options)
        for new, layout in zip(_tensors(result), self.made, strict=True):
            if layout.memory not in real:
                if new.stride() != layout.stride:
                    new = torch.empty_strided(layout.shape, layout.stride).copy_(new)
                real[layout.memory] = new.untyped_storage()


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operations on fake tensors within it, in which a network is built."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._operations: list[_Operation] = []
        self._stored: dict[int, Callable[[], Tensor]] = {}
        self._kept: list[Tensor] = []
        self._paused = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Record nothing within."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def store(self, fake: Tensor, read: Callable[[], Tensor]) -> None:
        """Take the content of ``fake`` from ``read``, which is called when it is needed."""
        self._stored[memory_of(fake.untyped_storage())] = read
        self._kept.append(fake)  # its memory is known by its address

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if self._paused:
            return func(*args, **(kwargs or {}))
        given = tree_map_only(FakeTensor, _Layout.of, (args, dict(kwargs or {})))
        result = func(*args, **(kwargs or {}))
        made = [_Layout.of(tensor) for tensor in _tensors(result)]
        known = {layout.memory for layout in _layouts(given)}
        is_view = bool(made) and all(layout.memory in known for layout in made)
        if changes_arguments(func) or not is_view:  # layouts say what views show
            self._operations.append(_Operation(func, given, made))
        return result

    def weights(self, fakes: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Yield the weights that are recorded as ``fakes``, as they get complete, whole, by name.

        All operations are carried out, so that torch's generator is afterwards as it would be.
        Raises :class:`NotRecorded` where one of them cannot be.
        """
        wanted: dict[int, dict[str, _Layout]] = {}
        for name, fake in fakes.items():
            layout = _Layout.of(fake)
            wanted.setdefault(layout.memory, {})[name] = layout
        following = self._following()
        real: dict[int, torch.UntypedStorage] = {}
        for number, operation in enumerate(self._operations):
            operation.carry_out(real, self._stored)
            for memory in operation.touched() & real.keys():
                after = following.get((number, memory))
                if after is None:
                    for name, layout in wanted.pop(memory, {}).items():
                        yield name, layout.on(real[memory])
                    del real[memory]
                elif self._operations[after].fills(memory):
                    del real[memory]
        for memory, layouts in wanted.items():  # no operation is on these
            for name, layout in layouts.items():
                if memory not in self._stored:
                    raise NotRecorded(f"{name} has no value")
                yield name, layout.on(_storage_of(self._stored[memory]()))

    def only_for(self, fakes: Mapping[str, Tensor]) -> Recording:
        """Return what is needed of the recording for these weights alone."""
        needed = {memory_of(fake.untyped_storage()) for fake in fakes.values()}
        kept: list[_Operation] = []
        for operation in reversed(self._operations):
            written = {layout.memory for layout in operation.made}
            if needed & (written or operation.touched()):
                needed |= operation.touched()
                kept.append(operation)
        part = Recording()
        part._operations = kept[::-1]
        return part

    def _following(self) -> dict[tuple[int, int], int]:
        """Return the next operation on some memory after an operation on it."""
        last: dict[int, int] = {}
        following: dict[tuple[int, int], int] = {}
        for number, operation in enumerate(self._operations):
            for memory in operation.touched():
                if memory in last:
                    following[last[memory], memory] = number
                last[memory] = number
        return following


def _storage_of(tensor: Tensor) -> torch.UntypedStorage:
    return tensor.clone(memory_format=torch.contiguous_format).untyped_storage()


def _tensors(value: Any) -> list[Tensor]:
    return [part for part in tree_iter(value) if isinstance(part, Tensor)]


def _layouts(value: Any) -> list[_Layout]:
    return [part for part in tree_iter(value) if isinstance(part, _Layout)]
