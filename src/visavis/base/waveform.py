"""Conversion of sound samples to mono float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import InputError

# Sampling rate of everything that reads or writes speech.
SPEECH_RATE_HZ = 16_000


def mono(samples: ArrayLike) -> NDArray[np.float32]:
    """One channel of samples, full scale at 1, as in an :class:`~visavis.types.AudioChunk`.

    Args:
        samples: (N,), or (N, C) whose C channels are averaged. Integers are divided by their type's full
            scale (the middle of unsigned ones becomes 0); floats are not changed.

    Returns:
        (N,) float32. Values that are not finite become NaN: unknown sound.

    Raises:
        InputError: the samples have another shape or are not numbers.
    """
    try:
        array = np.asarray(samples)
    except ValueError as error:
        raise InputError(f"sound is not an array of numbers: {error}") from error
    if array.ndim not in (1, 2) or 0 in array.shape[1:] or array.dtype.kind not in "iuf":
        raise InputError(
            f"sound is {array.dtype} of shape {array.shape}; expected numbers, "
            "(samples,) or (samples, channels)"
        )
    values = array.astype(np.float64)
    if array.dtype.kind in "iu":
        half = 2.0 ** (8 * array.dtype.itemsize - 1)
        values = values / half - (array.dtype.kind == "u")
    if values.ndim == 2:
        values = values.mean(axis=1)
    with np.errstate(over="ignore"):  # Values too large for float32 become infinite, so unknown.
        result = values.astype(np.float32)
    result[~np.isfinite(result)] = np.nan
    return result
