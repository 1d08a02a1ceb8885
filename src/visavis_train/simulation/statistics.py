"""Statistics of a simulated corpus, compared with published and real ones.

``visavis lab simulation-statistics`` reads the corpus like any other corpus. It measures the faces, not the
plans of the simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.base.console import progress
from visavis.channels import FACE_INDEX
from visavis.datasets.dyads import Dyads
from visavis.metrics.pairing import peak_r
from visavis.types import FloatArray
from visavis_train.simulation.coupling import SmileCoupling
from visavis_train.simulation.eyes import (
    BLINKS_AT_REST,
    BLINKS_TALKING,
    LOOK_LISTENING,
    LOOK_TALKING,
    SCAN,
)
from visavis_train.simulation.measure_smiles import WINDOW_S, rises
from visavis_train.simulation.real_faces import HEAD_AT, SMILE_AT, lids_of

# A nod: a dip of the head below its median over the second around it, radians (1.4 degrees).
DIP = 0.025
NOD_APART_S = 0.8
LID_RISE = 0.25
ASIDE = 0.15


@dataclass(frozen=True, slots=True)
class Numbers:
    """Statistics of one person, or a mean over people.

    Attributes:
        nods_per_minute: dips of the head.
        blinks_per_minute: closings of the lids.
        look_share: share of the time that the eyes are at their most frequent place.
        smiles_per_minute: rises of the smile, as in real calls.
        smile: mean of both corners.
        head_jitter_deg: mean size of the second difference of yaw, pitch and roll, degrees.
        weight_jitter: the same for the weights.
    """

    nods_per_minute: float
    blinks_per_minute: float
    look_share: float
    smiles_per_minute: float
    smile: float
    head_jitter_deg: float
    weight_jitter: float


def numbers(face: FloatArray, fps: float) -> Numbers:
    """Measure one face (T, 58)."""
    minutes = len(face) / fps / 60
    smile = face[:, SMILE_AT].mean(axis=1).astype(np.float64)
    second = np.abs(np.diff(face, 2, axis=0))
    return Numbers(
        nods_per_minute=count_nods(face[:, FACE_INDEX["pitch"]], fps) / minutes,
        blinks_per_minute=count_blinks(face) / minutes,
        look_share=look_share(face),
        smiles_per_minute=len(rises(smile)) / minutes,
        smile=float(smile.mean()),
        head_jitter_deg=float(np.rad2deg(second[:, HEAD_AT[:3]].mean())),
        weight_jitter=float(second[:, : HEAD_AT[0]].mean()),
    )


def count_nods(pitch: FloatArray, fps: float) -> int:
    """Dips of the pitch against its median over the second around, at least 0.8 s apart."""
    half = round(fps / 2)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(pitch, half, "edge"), 2 * half + 1)
    low = pitch - around.max(axis=1) < -2 * DIP
    dips = np.flatnonzero(low & (pitch <= around.min(axis=1)) & (np.median(around, axis=1) - pitch > DIP))
    count, last = 0, -np.inf
    for frame in dips.tolist():
        if frame - last >= NOD_APART_S * fps:
            count, last = count + 1, frame
    return count


def count_blinks(face: FloatArray) -> int:
    """Rises of the lids by :data:`LID_RISE` over their median."""
    lids = lids_of(face)
    shut = lids > np.median(lids) + LID_RISE
    return int((shut[1:] & ~shut[:-1]).sum())


def look_share(face: FloatArray) -> float:
    """Share of frames whose gaze is near the most frequent one, to either side."""
    at = FACE_INDEX
    aside = (
        face[:, at["eyeLookOutLeft"]]
        + face[:, at["eyeLookInRight"]]
        - face[:, at["eyeLookInLeft"]]
        - face[:, at["eyeLookOutRight"]]
    ) / 2
    counts, edges = np.histogram(aside, bins=80, range=(-1, 1))
    middle = edges[int(counts.argmax())] + (edges[1] - edges[0]) / 2
    return float((np.abs(aside - middle) < ASIDE + SCAN).mean())


def mean_statistics(people: Sequence[Numbers]) -> dict[str, float]:
    """Mean of each number."""
    names = Numbers.__dataclass_fields__
    return {name: float(np.mean([getattr(one, name) for one in people])) for name in names}


def measure_statistics(dyads: Dyads, listeners: int) -> dict[str, Any]:
    """Statistics of the forward half of a split.

    A speaker's clip has ``listeners`` conversations, and counts once among speakers.
    """
    speakers: list[Numbers] = []
    reactions: list[Numbers] = []
    smiles: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    count, fps = len(dyads) // 2, 0.0
    with progress(dyads.split, count, "conversations") as advance:
        for row in range(count):
            dyad = dyads[row]
            fps = dyad.fps
            if row % listeners == 0:
                speakers.append(numbers(dyad.speaker.face, fps))
            reactions.append(numbers(dyad.listener.face, fps))
            one, other = (
                person.face[:, SMILE_AT].mean(axis=1).astype(np.float64)
                for person in (dyad.speaker, dyad.listener)
            )
            smiles.append((one, other))
            advance()
    lag = round(WINDOW_S * fps)
    moved = [smiles[(row + listeners) % count][1] for row in range(count)]
    return {
        "conversations": count,
        "speaker": mean_statistics(speakers),
        "listener": mean_statistics(reactions),
        "peak_r": float(np.mean([peak_r(a, b, lag) for a, b in smiles])),
        "peak_r_of_strangers": float(
            np.mean([peak_r(a, c, lag) for (a, _), c in zip(smiles, moved, strict=True)])
        ),
    }


def real_statistics() -> dict[str, str]:
    """Published or measured values of real people, by statistic."""
    real = SmileCoupling.load()
    return {
        "nods_per_minute, listener": "no table found",
        "blinks_per_minute, listener": f"{BLINKS_AT_REST:g} at rest, {BLINKS_TALKING:g} talking",
        "blinks_per_minute, speaker": f"{BLINKS_TALKING:g}",
        "look_share, listener": f"{LOOK_LISTENING:g}",
        "look_share, speaker": f"{LOOK_TALKING:g} while talking",
        "smiles_per_minute, listener": f"{real.rises_per_minute:.1f} in real calls",
        "smiles_per_minute, speaker": f"{real.rises_per_minute:.1f} in real calls",
        "smile, listener": f"median {real.level.at(0.5):.2f} in real calls",
        "peak_r": f"{real.peak_r_in_clips:.2f} in 30 s of real calls ({real.peak_r:.2f} whole)",
        "peak_r_of_strangers": f"{real.peak_r_of_strangers:.2f} in 30 s of real calls",
    }


def as_rows(measured: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A table with a row for each number, a column for each split, and the target."""
    wanted = real_statistics()
    rows = []
    for who in ("listener", "speaker"):
        for name in Numbers.__dataclass_fields__:
            label = f"{name}, {who}"
            values = [f"{found[who][name]:.4g}" for found in measured.values()]
            rows.append([label, *values, wanted.get(label, "")])
    return rows + [
        [name, *(f"{found[name]:.3f}" for found in measured.values()), wanted[name]]
        for name in ("peak_r", "peak_r_of_strangers")
    ]
