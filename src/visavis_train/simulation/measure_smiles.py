"""Measurement of how people smile and smile back in real calls, kept in ``smile_coupling.json``.

``visavis lab smiles vc_dyads.npz`` makes it again. The calls are from Diao, Arevalo Arboleda and Raake,
ICMI 2024 (doi 10.1145/3678957.3685733), AU12 at 30 Hz. Only the pairs that the tokenizers' experiments train
on are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visavis.channels import EXPRESSION_CHANNELS
from visavis.errors import InputError
from visavis.metrics.pairing import peak_r
from visavis_train.simulation.coupling import LEVELS, REPLY_S, Quantiles, Signal, SmileCoupling
from visavis_train.tokenizer.tracks import dyad_clips

# Pairs in a tokenizer's validation or test: experiments/tokenizer_*.toml, [split].
HELD_OUT = ("s11", "s13", "s15", "s19", "s23")
AU12 = EXPRESSION_CHANNELS.index("AU12")
# A change of AU12 below this (0..1; 0.15 is 0.75 of an intensity step) counts as no smile.
LEAST_RISE = 0.15
WINDOW_S = REPLY_S[1]
SMOOTH_S = 0.2
CLIP_S = 30.0
# Chance level: the other person, shifted by these shares of a call.
SHIFTS = (0.2, 0.35, 0.5, 0.65, 0.8)


@dataclass(frozen=True, slots=True)
class Rise:
    """One smile: from a trough over a peak to the next trough (indices of frames)."""

    start: int
    peak: int
    end: int
    height: float


def rises(signal: Signal) -> list[Rise]:
    """The swings of a signal: each rises by at least :data:`LEAST_RISE` before it falls by as much."""
    turns = [0]
    low = high = 0
    upward = True
    for index, value in enumerate(signal):
        low = index if value < signal[low] else low
        high = index if value > signal[high] else high
        if upward and signal[high] - value >= LEAST_RISE:
            turns.append(high)
            upward, low = False, index
        elif not upward and value - signal[low] >= LEAST_RISE:
            turns.append(low)
            upward, high = True, index
    turns.append(high if upward else low)
    # Turns alternate: trough, peak, trough, ...
    found = [
        Rise(a, b, c, float(signal[b] - signal[a]))
        for a, b, c in zip(turns[::2], turns[1::2], [*turns[2::2], len(signal) - 1], strict=False)
    ]
    return [rise for rise in found if rise.height >= LEAST_RISE]


def measure_coupling(calls: Sequence[tuple[Signal, Signal]], fps: float) -> SmileCoupling:
    """The values of :class:`SmileCoupling`, from AU12 (0..1) of both people of each call."""
    width = round(SMOOTH_S * fps)
    kernel = np.ones(width) / width
    smooth = [tuple(np.convolve(side, kernel, "same") for side in call) for call in calls]
    events = [tuple(rises(side) for side in call) for call in smooth]
    pairs = [(s[i], e[i], e[1 - i]) for s, e in zip(smooth, events, strict=True) for i in (0, 1)]
    found = [(signal, rise) for signal, own, _ in pairs for rise in own]
    replies = [_replies(own, theirs, fps) for _, own, theirs in pairs]
    chance = [_share_by_chance(own, theirs, len(signal), fps) for signal, own, theirs in pairs]
    answered = [reply for of_one in replies for reply in of_one if reply is not None]
    led = sum(_is_reply(rise, theirs, fps) for _, own, theirs in pairs for rise in own)
    minutes = sum(len(signal) for signal, _, _ in pairs) / fps / 60
    lag, clip = round(WINDOW_S * fps), round(CLIP_S * fps)
    return SmileCoupling(
        calls=len(calls),
        rises_per_minute=round(len(found) / minutes, 3),
        alone_per_minute=round((len(found) - led) / minutes, 3),
        level=Quantiles.of([float(np.median(signal)) for signal, _, _ in pairs]),
        rise=Quantiles.of([rise.height for _, rise in found]),
        rise_s=Quantiles.of([_crossing_s(signal[r.start : r.peak + 1], fps) for signal, r in found]),
        fall_s=Quantiles.of([_crossing_s(signal[r.peak : r.end + 1][::-1], fps) for signal, r in found]),
        above_s=Quantiles.of([_above_s(signal, r, fps) for signal, r in found]),
        reply_share=round(len(answered) / len(found), 4),
        reply_share_by_chance=round(float(np.average(chance, weights=[len(o) for _, o, _ in pairs])), 4),
        reply_s=Quantiles.of([delay for delay, _ in answered]),
        reply_gain=Quantiles.of([gain for _, gain in answered]),
        peak_r=_mean_peak(calls, lag),
        peak_r_in_clips=_mean_peak([part for call in calls for part in _cut(call, clip)], lag),
        peak_r_of_strangers=_mean_peak(_strangers(calls, clip), lag),
    )


def _replies(own: list[Rise], theirs: list[Rise], fps: float) -> list[tuple[float, float] | None]:
    """For each rise, delay and gain of the other's first rise within the window; None without such a rise."""
    first, last = (round(limit * fps) for limit in REPLY_S)
    result: list[tuple[float, float] | None] = []
    for rise in own:
        near = [other for other in theirs if first <= other.start - rise.start <= last]
        delay = (near[0].start - rise.start) / fps if near else 0.0
        result.append((delay, near[0].height / rise.height) if near else None)
    return result


def _is_reply(rise: Rise, theirs: list[Rise], fps: float) -> bool:
    first, last = (round(limit * fps) for limit in REPLY_S)
    return any(first <= rise.start - other.start <= last for other in theirs)


def _share_by_chance(own: list[Rise], theirs: list[Rise], length: int, fps: float) -> float:
    shares: list[float] = []
    for shift in SHIFTS:
        moved = round(shift * length)
        turned = [Rise((r.start + moved) % length, 0, 0, r.height) for r in theirs]
        answered = [reply is not None for reply in _replies(own, turned, fps)]
        shares.append(sum(answered) / max(len(answered), 1))
    return sum(shares) / len(shares)


def _crossing_s(slope: Signal, fps: float) -> float:
    """Seconds from 10% to 90% of a slope's height."""
    part = (slope - slope[0]) / max(float(slope[-1] - slope[0]), 1e-9)
    return float((np.argmax(part >= 0.9) - np.argmax(part >= 0.1)) / fps)


def _above_s(signal: Signal, rise: Rise, fps: float) -> float:
    half = signal[rise.peak] - rise.height / 2
    return float((signal[rise.start : rise.end + 1] >= half).sum() / fps)


def _cut(call: tuple[Signal, Signal], frames: int) -> list[tuple[Signal, Signal]]:
    starts = range(0, len(call[0]) - frames + 1, frames)
    return [(call[0][start : start + frames], call[1][start : start + frames]) for start in starts]


def _strangers(calls: Sequence[tuple[Signal, Signal]], frames: int) -> list[tuple[Signal, Signal]]:
    """A's stretches with B's stretches of the third next call, which has another pair."""
    moved = [calls[(number + 3) % len(calls)] for number in range(len(calls))]
    both = [(one[0], other[1]) for one, other in zip(calls, moved, strict=True)]
    return [part for call in both for part in _cut(call, frames)]


def _mean_peak(calls: Sequence[tuple[Signal, Signal]], lag: int) -> float:
    return round(float(np.mean([peak_r(*call, lag) for call in calls])), 4)


def training_calls(path: Path) -> tuple[list[tuple[Signal, Signal]], float]:
    """AU12 (0..1) of both people of every call whose pair is not held out, and frames per second.

    Raises:
        InputError: the file is not the file of the calls.
    """
    clips = {clip.name: clip for clip in dyad_clips(path)}
    names = sorted({name[:-2] for name in clips if name.split("_")[0] not in HELD_OUT})
    if not names:
        raise InputError(f"{path}: holds no call of a pair that training may use")
    calls = [
        (
            clips[f"{name}_a"].expression[:, AU12].astype(float),
            clips[f"{name}_b"].expression[:, AU12].astype(float),
        )
        for name in names
    ]
    return calls, clips[f"{names[0]}_a"].fps


def coupling_json(measured: SmileCoupling) -> dict[str, Any]:
    """The content of the JSON file."""
    notes = {
        name: list(value.quantiles) if isinstance(value, Quantiles) else value
        for name in SmileCoupling.__dataclass_fields__
        for value in (getattr(measured, name),)
    }
    return {
        "made_by": "visavis lab smiles vc_dyads.npz",
        "from": "vc_dyads.npz without the pairs " + ", ".join(HELD_OUT),
        "quantiles_at": list(LEVELS),
        "measured": notes,
    }
