"""When and how a listener nods, from cues and a style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from visavis.datasets.react import FPS
from visavis.reaction.cues import LOW_PITCH, PAUSE, STRESS
from visavis.reaction.style import Style
from visavis.types import FloatArray
from visavis_train.simulation.cues import Cue
from visavis_train.simulation.movements import add, nod
from visavis_train.simulation.seed_stream import SeedStream
from visavis_train.simulation.styles import scale_of

# Chance of a nod at each kind of cue, for nodding = 0.5. How often people nod at such moments differs greatly
# between listeners (Blomsma et al. 2024, "Backchannel behavior is idiosyncratic", Language and
# Cognition); we found no table to take these numbers from: our choice.
CHANCE: Mapping[str, float] = MappingProxyType({PAUSE: 0.5, LOW_PITCH: 0.45, STRESS: 0.12})
# Seconds from the cue to the nod. The rule of Ward and Tsukahara 2000 waits 700 ms after low pitch. A pause
# is noticed after 200 ms; reaction times of 0.2 to 0.6 s are added.
DELAY_S: Mapping[str, tuple[float, float]] = MappingProxyType(
    {PAUSE: (0.2, 0.6), LOW_PITCH: (0.55, 0.85), STRESS: (0.2, 0.5)}
)
# The same rule leaves 800 ms between responses.
APART_S = 0.8
# Ordinary nods have 1.8 to 3.7 Hz (Hadar, Steiner, Grant and Rose 1983, "Kinematics of head movements
# accompanying speech during conversation", Human Movement Science 2:35-46; cited by Hadar, Steiner and Rose
# 1985); listeners' fast nods have 2.6 Hz and more (Hale et al. 2020, J. Nonverbal Behavior 44:63-83).
FREQUENCY_HZ = (1.8, 4.0)
# Cycles of a nod, 1 to 4; depth of a single nod in radians (2.9 to 7.4 degrees). At stressed syllables nods
# are narrow, in pauses wide (Hadar, Steiner and Rose 1985, J. Nonverbal Behavior 9:214-228); the numbers are
# our choice.
CYCLES = (0.45, 0.3, 0.16, 0.09)
DEPTH = (0.05, 0.13)
NARROW = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Nodding:
    """All nods of a clip.

    Attributes:
        depth: (T,) the head's way down, radians.
        starts: first frame of each nod.
        cues: the cue of each nod.
    """

    depth: FloatArray
    starts: tuple[int, ...]
    cues: tuple[Cue, ...]


def nod_course(cues: Sequence[Cue], kind: Style, seeds: SeedStream, frames: int) -> Nodding:
    """Nod at some of the cues, without overlap.

    Each cue is decided by its own random number, before all later ones. So the result up to a frame follows
    only from the cues up to that frame.
    """
    depth = np.zeros(frames, np.float32)
    starts: list[int] = []
    answered: list[Cue] = []
    free = 0
    for cue in cues:
        if cue.kind not in CHANCE:
            continue
        draw = seeds.at(f"nod {cue.kind}", cue.frame)
        start = cue.frame + round(FPS * draw.uniform(*DELAY_S[cue.kind]))
        taken = draw.random() < 2 * kind.nodding * CHANCE[cue.kind]
        if not taken or start < free or start >= frames:
            continue
        cycles = 1 if cue.kind == STRESS else 1 + int(draw.choice(len(CYCLES), p=CYCLES))
        size = draw.uniform(*DEPTH) * scale_of(kind) * (NARROW if cue.kind == STRESS else 1)
        course = nod(cycles, draw.uniform(*FREQUENCY_HZ), size)
        add(depth, start, course)
        starts.append(start)
        answered.append(cue)
        free = start + max(len(course), round(APART_S * FPS))
    return Nodding(depth, tuple(starts), tuple(answered))
