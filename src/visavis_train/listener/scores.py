"""REACT2024's metrics of each method on a test split, by item, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visavis.base.console import progress
from visavis.base.files import require_place, whole_file
from visavis.channels import FACE_CHANNELS
from visavis.errors import InputError
from visavis.metrics.reaction import fr_dvs
from visavis.metrics.reaction_items import Work
from visavis.metrics.reaction_suite import score_reactions
from visavis.reaction.listener import FaceListener
from visavis.types import BoolArray, FloatArray
from visavis_train.data.conversation_pack import ListeningPack, PersonClip, load_listening
from visavis_train.listener.baselines.method import Method
from visavis_train.listener.baselines.trained_listener import TrainedListener

# Metrics that are a mean over items; FRDvs compares items, so it has no value for one item.
BY_ITEM = (
    "fr_corr",
    "fr_dist",
    "fr_div",
    "fr_var",
    "fr_syn",
    "fr_corr_repaired",
    "fr_dist_repaired",
    "fr_syn_repaired",
)
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """The test data: each speaker's clip once.

    Attributes:
        speakers: the clips, all of T frames.
        truths: the listener of each clip's first conversation, by the clip's name.
        listeners: (L, T, 25) emotions of every conversation's listener.
        neighbours: (N, L) whether a listener reacts appropriately to a speaker's clip.
    """

    speakers: tuple[PersonClip, ...]
    truths: Mapping[str, PersonClip]
    listeners: FloatArray
    neighbours: BoolArray

    @classmethod
    def of(cls, pack: ListeningPack) -> Self:
        """The test data of a pack; longer clips are cut at the end to the shortest.

        Raises:
            InputError: two clips of speakers have the same name.
        """
        frames = min(len(item.speaker) for item in pack.items)
        first = pack.first_of_speakers()
        speakers = tuple(_cut(pack.items[place].speaker, frames) for place in first)
        if len({clip.name for clip in speakers}) < len(speakers):
            raise InputError(f"{pack.corpus}, {pack.split}: two different clips of speakers have one name")
        truths = {
            clip.name: _cut(pack.items[place].listener, frames)
            for clip, place in zip(speakers, first, strict=True)
        }
        listeners = np.stack([item.listener.emotion[:frames].astype(np.float32) for item in pack.items])
        return cls(speakers, truths, listeners, pack.neighbours[list(first)])


def _cut(clip: PersonClip, frames: int) -> PersonClip:
    speech = None if clip.speech is None else clip.speech[:frames]
    return PersonClip(clip.name, clip.face[:frames], clip.emotion[:frames], speech)


def score(name: str, method: Method, test: Contest, samples: int, seed: int) -> dict[str, Any]:
    """Every metric of one method with one seed.

    Args:
        name: name of the method, for the progress bar and messages.
        method: the method.
        test: the test data.
        samples: K, the number of reactions to each clip.
        seed: seed of the method's randomness.

    Returns:
        ``items``: each of :data:`BY_ITEM` with a list of N numbers; and ``fr_dvs``.

    Raises:
        InputError: the method's result is not finite, or has too few frames.
    """
    made: list[FloatArray] = []
    shares: dict[str, list[float]] = {metric: [] for metric in BY_ITEM}
    with progress(name, len(test.speakers), "clips") as advance:
        for speaker, near in zip(test.speakers, test.neighbours, strict=True):
            # One item at a time: its reactions are scored immediately, and memory stays small.
            emotions = method.reactions([speaker], samples, seed)[:, :, :, len(FACE_CHANNELS) :]
            if not np.isfinite(emotions).all():
                raise InputError(f"{name}: its reactions to {speaker.name} are not finite")
            found = score_reactions(
                emotions,
                test.listeners[near],
                speaker.emotion.astype(np.float32)[None],
                np.ones((1, int(near.sum())), np.uint8),
                work=Work(threads=1),
            )
            for metric in BY_ITEM:
                shares[metric].append(float(getattr(found, metric)))
            made.append(emotions[0])
            advance()
    return {"items": shares, "fr_dvs": float(fr_dvs(np.stack(made), Work(threads=1)))}


def write_predictions(path: Path, pack: Path, listener: FaceListener, samples: int, seed: int) -> None:
    """Let a listener react to each speaker's clip of a pack, and write what ``evaluate reaction`` reads.

    Args:
        path: the file to write: ``predictions`` (N, K, T, 25), ``listeners`` (L, T, 25), ``speakers``
            (N, T, 25) and ``neighbours`` (N, L).
        pack: of ``visavis lab conversations``.
        listener: reacts.
        samples: K, reactions to each clip.
        seed: of the listener's chances.

    Raises:
        InputError: no such pack, or the file cannot be written.
    """
    require_place(path)
    test, method = Contest.of(load_listening(pack)), TrainedListener(listener)
    made = []
    with progress("predict", len(test.speakers), "clips") as advance:
        for speaker in test.speakers:
            made.append(method.reactions([speaker], samples, seed)[0, :, :, len(FACE_CHANNELS) :])
            advance()
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            predictions=np.stack(made),
            listeners=test.listeners,
            speakers=np.stack([speaker.emotion for speaker in test.speakers]).astype(np.float32),
            neighbours=test.neighbours.astype(np.uint8),
        )


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Runs of one method with several seeds -> mean, spread over seeds and 95% interval of each metric.

    The interval is for the mean over clips, where each clip's value is its mean over the seeds, from 2000
    resamplings of the clips. FRDvs has none.
    """
    result: dict[str, Any] = {}
    for metric in BY_ITEM:
        shares = np.asarray([run["items"][metric] for run in runs])
        result[metric] = _spread(shares.mean(axis=1).tolist()) | {"interval": _interval(shares.mean(axis=0))}
    return result | {"fr_dvs": _spread([run["fr_dvs"] for run in runs])}


def _spread(values: Sequence[float]) -> dict[str, Any]:
    deviation = stdev(values) if len(values) > 1 else None
    return {"mean": mean(values), "deviation_over_seeds": deviation, "seeds": len(values)}


def _interval(shares: NDArray[np.float64]) -> list[float]:
    rng = np.random.default_rng(0)
    means = shares[rng.integers(len(shares), size=(_RESAMPLES, len(shares)))].mean(axis=1)
    return [float(edge) for edge in np.quantile(means, (0.025, 0.975))]
