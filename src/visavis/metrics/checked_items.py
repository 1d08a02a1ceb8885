"""Checked items of large arrays, their appropriate listeners, and parallel work on them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from visavis.base.arrays import as_float32, kind_of, require_shape, require_whole
from visavis.channels import EXPRESSION_CHANNELS
from visavis.errors import InputError
from visavis.types import FloatArray

Job = TypeVar("Job")
Result = TypeVar("Result")
# Waiting items for each thread: enough to keep it busy, but few, so that memory does not grow.
_AHEAD = 2


class Items(Protocol):
    """An array whose items are read one after the other: a numpy array or an array in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array; the first axis counts the items."""

    def __iter__(self) -> Iterator[Any]:
        """Item by item."""


class OutOfRange(StrEnum):
    """How a neighbour without a listener counts.

    Attributes:
        ERROR: an error, as in the challenge's own code, and so is an item without neighbours.
        ZERO: it is ignored; an item without other neighbours adds 0. The paper's code (``compute_FRC_mp``)
            does this.
        LEAVE_OUT: it is ignored; an item without others does not count (its ``compute_FRC``).
    """

    ERROR = "error"
    ZERO = "zero"
    LEAVE_OUT = "leave-out"


@dataclass(frozen=True, slots=True)
class Work:
    """How items are processed.

    Attributes:
        threads: number of threads; by default one for each processor.
        on_item: called after each item, in the thread that asked for the metric.
        out_of_range: treatment of neighbours without a listener, or its value as text.

    Raises:
        InputError: ``threads`` is no whole number from 1, or there is no such treatment.
    """

    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    on_item: Callable[[], None] = lambda: None
    out_of_range: OutOfRange = OutOfRange.ERROR

    def __post_init__(self) -> None:
        require_whole("threads", self.threads, 1)
        try:
            object.__setattr__(self, "out_of_range", OutOfRange(self.out_of_range))
        except ValueError as error:
            known = ", ".join(OutOfRange)
            raise InputError(f"out_of_range is {self.out_of_range!r}; expected {known}") from error


def sized(name: str, items: Any, shape: tuple[int | None, ...]) -> Items:
    """The array itself, if its shape is right and it is not empty.

    Args:
        name: name of the array for the message.
        items: an array, or anything that numpy converts to one.
        shape: wanted; None where any size is allowed. Expressions have 25 channels last.

    Raises:
        InputError: the array has another shape or is empty.
    """
    try:
        array = items if hasattr(items, "shape") else np.asarray(items, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not an array of numbers; found {kind_of(items)}") from error
    found = tuple(array.shape)
    require_shape(name, found, shape)
    if 0 in found:
        raise InputError(f"{name} is empty: its shape is {found}")
    return cast(Items, array)


def checked_expressions(
    name: str, items: Any, *, samples: bool, count: int | None = None, length: int | None = None
) -> Items:
    """Expressions (N, K, T, 25) with ``samples``, or (N, T, 25).

    Raises:
        InputError: the array has another shape, ``count`` N or ``length`` T, or is empty.
    """
    return sized(name, items, (count, *([None] if samples else []), length, len(EXPRESSION_CHANNELS)))


def sound(name: str, items: Items) -> Iterator[FloatArray]:
    """Each item as float32.

    Raises:
        InputError: an item has another shape, is not numeric or not finite; the message names its index.
    """
    shape = tuple(items.shape[1:])
    for index, item in enumerate(items):
        yield as_float32(f"{name}[{index}]", item, shape)


def appropriate(
    neighbours: Any, items: int, listeners: int, out_of_range: OutOfRange = OutOfRange.ERROR
) -> list[NDArray[np.intp]]:
    """Which listeners' reactions are appropriate for each item.

    Args:
        neighbours: (N, L) of 0 and 1.
        items: N.
        listeners: number of listeners; L may differ, but a 1 beyond this number is out of range.
        out_of_range: treatment of neighbours out of range.

    Returns:
        Indices for each item.

    Raises:
        InputError: the array has another shape or other values; an index is out of range or an item has no
            neighbours, if those are errors; or no item has a neighbour.
    """
    try:
        matrix = np.asarray(neighbours, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"neighbours is not an array of numbers; found {kind_of(neighbours)}") from error
    if matrix.ndim != 2 or len(matrix) != items:
        raise InputError(
            f"neighbours has shape {matrix.shape}; expected ({items}, any), a row for each of the predictions"
        )
    if len(odd := np.argwhere((matrix != 0) & (matrix != 1))):
        place = tuple(int(i) for i in odd[0])
        raise InputError(f"neighbours{list(place)} is {matrix[place]}; expected 0 or 1")
    found = [np.flatnonzero(row) for row in matrix]
    if out_of_range is OutOfRange.ERROR:
        for item, row in enumerate(found):
            if len(row) and row[-1] >= listeners:
                raise InputError(
                    f"neighbours[{item}] names listener {row[-1]}, but there are {listeners}, 0 to "
                    f"{listeners - 1}; the other treatments are {OutOfRange.ZERO} and {OutOfRange.LEAVE_OUT}"
                )
            if not len(row):
                raise InputError(f"neighbours[{item}] names no listener; expected one 1 at least")
    inside = [row[row < listeners] for row in found]
    if not any(len(row) for row in inside):
        raise InputError("neighbours names no listener for any item")
    return inside


def in_parallel(do: Callable[[Job], Result], jobs: Iterable[Job], work: Work) -> Iterator[Result]:
    """Process every item in threads, a few items ahead; results come in the items' order.

    Args:
        do: processes one item; long parts should release Python's lock.
        jobs: the items, read in this thread when needed.
        work: threads and progress.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(work.threads) as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(do, job))
                if len(waiting) > _AHEAD * work.threads:
                    yield waiting.popleft().result()
                    work.on_item()
            while waiting:
                yield waiting.popleft().result()
                work.on_item()
        finally:
            for future in waiting:
                future.cancel()


def mean_of_items(scores: Iterable[float | None], out_of_range: OutOfRange) -> float:
    """Mean of the items' scores; None, for an item without listeners, is 0 or is left out."""
    empty = [] if out_of_range is OutOfRange.LEAVE_OUT else [0.0]
    return float(np.mean([value for score in scores for value in (empty if score is None else [score])]))
