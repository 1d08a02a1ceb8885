"""A listener's smiles, as in real calls: smiles that return the speaker's, and smiles of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visavis.datasets.react import FPS
from visavis.reaction.style import Style
from visavis.types import FloatArray
from visavis_train.simulation.coupling import REPLY_S, SmileCoupling
from visavis_train.simulation.cues import RISE, Cue
from visavis_train.simulation.movements import delayed, follow_smoothly, plateau, reach
from visavis_train.simulation.seed_stream import SeedStream
from visavis_train.simulation.styles import scale_of

# Chance of a returned smile, for mirroring = 0.5. In the real calls, rises follow rises only a
# little more often than by chance (smile_coupling.json), but smiles move together slowly. The number is
# chosen so that simulated clips of 30 s have the real calls' peak correlation in such clips.
RETURNED = 0.35
# Real smiles rise on top of other smiles; simulated ones merge. So more smiles are drawn than are counted.
MERGED = 1.6
# Quantiles of the real times of rises and falls that smiles use. Slower ones (up to 12 s) are
# drifts of mood, faster ones are small jerks. Times above half of a rise: all except the longest.
TIMES = (0.25, 0.7)
# No real smile stands still: it varies by about this share of its height, every 0.8 s. Our choice.
WOBBLE, WOBBLE_S = 0.12, 0.8
# Delay of a returned smile after the speaker's.
FOLLOW_S = (0.25, 0.6)
LARGEST = 0.95


def own_and_returned(
    smile: FloatArray,
    cues: Sequence[Cue],
    kind: Style,
    coupling: SmileCoupling,
    seeds: SeedStream,
    engaged: FloatArray,
) -> FloatArray:
    """(T,) the smile: raising of the mouth's corners, 0 to 1.

    Args:
        smile: (T,) the speaker's smile.
        cues: the cues; only cues of the speaker's smile are used.
        kind: the listener's style.
        coupling: measured on real calls.
        seeds: the listener's randomness.
        engaged: (T,) 0 to 1; a listener stops smiling when the speaker has left.
    """
    back = returned(smile, cues, kind, coupling, seeds)
    own = own_smiles(len(smile), kind, coupling, seeds)
    level = coupling.level.at(0.6 * kind.smiling) * scale_of(kind)
    both = np.maximum(back, scale_of(kind) * own) * engaged + level * (0.4 + 0.6 * engaged)
    both *= 1 + WOBBLE * wobble(len(smile), seeds)
    return np.asarray(LARGEST * np.tanh(both / LARGEST), np.float32)


def wobble(frames: int, seeds: SeedStream) -> FloatArray:
    """(T,) a slow random curve around 0, of spread 1 before smoothing."""
    step = round(WOBBLE_S * FPS)
    goals = [seeds.at("wobble", number).standard_normal() for number in range(-(-frames // step))]
    return follow_smoothly(np.repeat(np.asarray(goals, np.float32), step)[:frames], 0.4, 0.4)


def returned(
    smile: FloatArray, cues: Sequence[Cue], kind: Style, coupling: SmileCoupling, seeds: SeedStream
) -> FloatArray:
    """(T,) smiles that answer the speaker's: from the reply on they follow its course, scaled."""
    gain = np.zeros(len(smile), np.float32)
    for cue in cues:
        if cue.kind != RISE:
            continue
        draw = seeds.at("smile back", cue.frame)
        reply_s = coupling.reply_s.at(draw.random())
        start = max(cue.since + round(FPS * reply_s), cue.frame + round(FPS * REPLY_S[0]))
        size = min(coupling.reply_gain.at(draw.random()), 1.2) * (0.5 + kind.mirroring)
        answered = draw.random() < 2 * kind.mirroring * RETURNED
        gain[start:] = size * scale_of(kind) if answered else 0.0
    lag = round(FPS * seeds.at("smile lag").uniform(*FOLLOW_S))
    target = gain * delayed(smile, lag)
    tempo = seeds.at("smile tempo").uniform(*TIMES)
    return follow_smoothly(target, coupling.rise_s.at(tempo) / 2.2, coupling.fall_s.at(tempo) / 2.2)


def own_smiles(frames: int, kind: Style, coupling: SmileCoupling, seeds: SeedStream) -> FloatArray:
    """(T,) smiles without a cause: rate, height and course are from real smiles without a cause."""
    result = np.zeros(frames, np.float32)
    rate = 2 * kind.smiling * MERGED * coupling.alone_per_minute
    at_s, number = 0.0, 0
    while rate > 0:
        draw = seeds.at("own smile", number)
        at_s += float(draw.exponential(60 / rate))
        if at_s * FPS >= frames:
            break
        rise, hold, fall = (
            round(FPS * spread.at(share))
            for spread, share in zip(
                (coupling.rise_s, coupling.above_s, coupling.fall_s), draw.uniform(*TIMES, 3), strict=True
            )
        )
        reach(result, int(at_s * FPS), plateau(rise, hold, fall, coupling.rise.at(draw.random())))
        number += 1
    return result
