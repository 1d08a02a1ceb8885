"""The choice between 32 and 8 bits: a short trial shows what 8 bits gain here.

A network may have an 8-bit variant, or layers that its file stores in 8 bits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

import numpy as np
import onnxruntime as ort

from visavis.base import networks
from visavis.base.clock import Clock, SystemClock
from visavis.errors import InputError

# A network's 8-bit variant has the network's name and this ending.
SUFFIX = "_int8"
# The trial's network: one half in 32 bits and one in 8; an input without pictures leaves out its half.
TRIAL, BRANCHES = "int8_trial", ("float32", "int8")
# Overrides the trial: ``on`` or ``off``; ``auto``, or nothing, tries.
VARIABLE = "VISAVIS_INT8"
CHOICES = ("auto", "on", "off")
# 8 bits are chosen if the trial's convolutions are this many times as fast. Measured: 2.5 with AVX-512 VNNI,
# and 1.47 to 1.64 with AVX2 alone, where the expression network becomes 1.9 times as fast. So chance does not
# decide.
LEAST_GAIN = 1.2
ROUNDS = 12
# ONNX Runtime before 1.25 would widen dense layers of 8 bits in each call.
STORED_RUNS = tuple(int(part) for part in ort.__version__.split(".")[:2]) >= (1, 25)


def chosen(name: str) -> str:
    """The name of the network to open: the 8-bit variant where there is one and this processor gains by it.

    Raises:
        InputError: see :func:`choice`.
        WeightsError: the trial's network is missing or was changed.
    """
    return name + SUFFIX if name in variants() and wanted() else name


def variants() -> list[str]:
    """The names of the networks that have an 8-bit variant."""
    known = networks.manifest()
    return [name for name in known if name + SUFFIX in known]


def choice() -> str:
    """One of :data:`CHOICES`, from the environment variable :data:`VARIABLE`.

    Raises:
        InputError: the variable has another value.
    """
    found = os.environ.get(VARIABLE) or CHOICES[0]
    if found not in CHOICES:
        raise InputError(f"{VARIABLE} is {found!r}; expected {', '.join(CHOICES)}")
    return found


def wanted() -> bool:
    """Whether 8-bit variants are used.

    Raises:
        InputError: see :func:`choice`.
        WeightsError: the trial's network is missing or was changed.
    """
    asked = choice()
    return gain() >= LEAST_GAIN if asked == "auto" else asked == "on"


def stored_wanted() -> bool:
    """Whether layers that a file stores in 8 bits are computed in them, and not widened to 32.

    Raises:
        InputError: see :func:`choice`.
        WeightsError: the trial's network is missing or was changed.
    """
    return STORED_RUNS and wanted()


@cache
def gain() -> float:
    """How many times as fast as 32 bits this processor computes 8 bits; measured once in a process."""
    session = networks.open_session(TRIAL)
    shape = session.get_inputs()[0].shape[1:]
    pictures = np.full((1, *shape), 0.5, np.float32)
    nothing = pictures[:0]
    slow, fast = ({each: pictures if each == half else nothing for each in BRANCHES} for half in BRANCHES)
    return measured_gain(lambda: session.run(None, slow), lambda: session.run(None, fast))


def measured_gain(
    slow: Callable[[], object], fast: Callable[[], object], clock: Clock | None = None
) -> float:
    """Shortest time of one function over the shortest time of another; they take turns.

    The shortest of some runs is the one that other programs disturbed least.
    """
    clock = clock or SystemClock()
    shortest_s = [np.inf, np.inf]
    for _ in range(ROUNDS):
        for place, function in enumerate((slow, fast)):
            start_s = clock.now_s()
            function()
            shortest_s[place] = min(shortest_s[place], clock.now_s() - start_s)
    return float(shortest_s[0] / max(shortest_s[1], 1e-9))
