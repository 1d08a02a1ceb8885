"""Anything numeric in, a float32 array that is known to be sound out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError


def checked(
    name: str, value: Any, shape: tuple[int | None, ...], *, allow_nan: bool = False
) -> NDArray[np.float32]:
    """A read-only float32 copy of ``value``.

    Args:
        name: what the array is, for the message.
        value: anything that numpy turns into numbers.
        shape: the size of each axis; None where any size is allowed.
        allow_nan: let NaN pass (infinities never do).

    Raises:
        InputError: another shape, not numeric, or not finite.
    """
    try:
        with np.errstate(over="ignore"):  # What float32 cannot hold becomes infinite, and is refused below.
            array = np.array(value, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not an array of numbers: {error}") from error
    fits = array.ndim == len(shape) and all(
        want is None or want == size for want, size in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
        raise InputError(f"{name} has shape {array.shape}; expected {wanted}")
    bad = np.isinf(array) if allow_nan else ~np.isfinite(array)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"{name} holds {array[where]} at index {where}; every value must be finite")
    array.setflags(write=False)
    return array
