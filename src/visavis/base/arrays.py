"""Checks of numbers, flags and arrays: shape, type, range and finite values."""

from __future__ import annotations

import math
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError


def require_number(name: str, value: Any) -> None:
    """Check that a value is a finite real number.

    Raises:
        InputError: it is text, None, NaN or anything else.
    """
    if not isinstance(value, Real) or not math.isfinite(value):
        raise InputError(f"{name} must be a finite number; found {value!r}")


def require_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Check that a value is a whole number of the range.

    Raises:
        InputError: it is anything else, also True or text.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        span = f"from {least}" + ("" if most is None else f" to {most}")
        raise InputError(f"{name} is {value!r}; expected a whole number {span}")


def require_flag(name: str, value: Any) -> None:
    """Check that a value is True or False.

    Raises:
        InputError: it is anything else, such as the text "no".
    """
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} is {value!r}; expected True or False")


def as_float32(
    name: str,
    value: Any,
    shape: tuple[int | None, ...],
    *,
    allow_nan: bool = False,
    within: tuple[float, float] | None = None,
) -> NDArray[np.float32]:
    """A read-only float32 copy of ``value``.

    Args:
        name: name of the array for the message.
        value: anything that numpy turns into numbers.
        shape: the size of each axis; None if any size is allowed.
        allow_nan: allow NaN (infinities are never allowed).
        within: the smallest and the largest allowed value.

    Raises:
        InputError: the array has another shape, or is not numeric, not finite or out of range.
    """
    try:
        if type(value) is np.ndarray and value.dtype == np.float32:
            array = value.copy()
        else:
            value = _plain(name, value)
            with np.errstate(over="ignore"):  # Too large values become infinite and are refused below.
                array = np.array(value, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} is not an array of numbers; found {kind_of(value)}") from error
    require_shape(name, array.shape, shape)
    good = ~np.isinf(array) if allow_nan else np.isfinite(array)
    if not good.all():
        where = tuple(int(i) for i in np.argwhere(~good)[0])
        raise InputError(f"{name} holds {array[where]} at index {where}; every value must be finite")
    if within is not None and ((array < within[0]) | (array > within[1])).any():
        found = f"{np.nanmin(array):g} to {np.nanmax(array):g}"
        raise InputError(f"{name} must lie in {within[0]:g}..{within[1]:g}; found {found}")
    array.setflags(write=False)
    return array


def require_shape(name: str, found: tuple[int, ...], shape: tuple[int | None, ...]) -> None:
    """Check the shape of an array; None in ``shape`` allows any size.

    Raises:
        InputError: the array has another shape.
    """
    if found == shape:
        return
    if len(found) != len(shape) or any(
        want not in (None, size) for want, size in zip(shape, found, strict=True)
    ):
        wanted = "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
        raise InputError(f"{name} has shape {found}; expected {wanted}")


def _plain(name: str, value: Any) -> Any:
    """The value without what numpy would forget silently: a mask becomes NaN, imaginary parts are refused."""
    kind = np.asarray(value).dtype.kind
    if kind == "c":
        raise InputError(f"{name} holds complex numbers; expected real ones")
    if kind in "mMV":
        raise TypeError("dates, durations and records are no numbers")
    if isinstance(value, np.ma.MaskedArray):
        return np.ma.filled(value.astype(np.float64), np.nan)
    return value


def checked_numbers(name: str, value: Any, below: int) -> NDArray[np.int32]:
    """A read-only int32 copy of a list of numbers (N,), all different, from 0 to ``below`` - 1.

    Args:
        name: name of the list for the message.
        value: anything that numpy turns into whole numbers; it may be empty.
        below: one more than the largest allowed number.

    Raises:
        InputError: the value is not a list of whole numbers, or a number is out of range or occurs twice.
    """
    try:
        array = np.array(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not a list of whole numbers: {error}") from error
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(f"{name} must be whole numbers (N,); found {kind_of(array)}")
    if array.size and (array.min() < 0 or array.max() >= below):
        raise InputError(f"{name} must lie in 0..{below - 1}; found {array.min()} to {array.max()}")
    numbers = array.astype(np.int32)
    if not _differ(numbers.tobytes()):
        raise InputError(f"{name} holds a number twice")
    numbers.setflags(write=False)
    return numbers


@lru_cache(maxsize=8)
def _differ(numbers: bytes) -> bool:
    """Whether int32 numbers are all different; every frame of a stream has the same ones."""
    array = np.frombuffer(numbers, np.int32)
    return len(np.unique(array)) == len(array)


def checked_times(name: str, value: Any) -> NDArray[np.float64]:
    """A read-only float64 copy of times (T,) in seconds, finite and increasing.

    Args:
        name: name of the times for the message.
        value: anything that numpy turns into numbers.

    Raises:
        InputError: the times are not a list of numbers, not finite, or not increasing.
    """
    try:
        times = np.array(_plain(name, value), np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} must be numbers; found {kind_of(value)}") from error
    if times.ndim != 1:
        raise InputError(f"{name} must be (T,); found shape {times.shape}")
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InputError(f"{name} must be finite and increasing")
    times.setflags(write=False)
    return times


def checked_flags(name: str, value: Any, length: int) -> NDArray[np.bool_]:
    """A read-only boolean copy of flags (``length``,), given as booleans or as 0 and 1.

    Args:
        name: name of the flags for the message.
        value: anything that numpy turns into such numbers.
        length: required number of flags.

    Raises:
        InputError: the value is not a list of flags of this length.
    """
    try:
        flags = np.array(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be booleans: {error}") from error
    if flags.shape != (length,) or (length and flags.dtype.kind not in "biu"):
        raise InputError(f"{name} must be {length} booleans; found {kind_of(flags)}")
    if not np.isin(flags, (0, 1)).all():
        raise InputError(f"{name} must be booleans, or 0 and 1; found {flags.min()} to {flags.max()}")
    flags = flags.astype(np.bool_)
    flags.setflags(write=False)
    return flags


def require_known(name: str, rows: NDArray[np.float32], found: NDArray[np.bool_]) -> None:
    """Check that rows (T, ...) hold no NaN where a face was found (T,).

    Raises:
        InputError: a row does; the message names the first one.
    """
    holes = found & np.isnan(rows).any(axis=tuple(range(1, rows.ndim)))
    if holes.any():
        frame = holes.argmax()
        raise InputError(f"{name} holds NaN in frame {frame}, whose face is marked as found")


def kind_of(value: Any) -> str:
    """A description of a value that should be numbers, for messages."""
    if not isinstance(value, np.ndarray | np.generic):
        return f"a {type(value).__name__} that is none"
    words = {"U": "text", "S": "text", "O": "Python objects"}
    return f"{words.get(value.dtype.kind, value.dtype)} of shape {value.shape}"
