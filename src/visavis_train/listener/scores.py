"""REACT2024's metrics of each method on a test split, by item, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visavis.base.console import print_note, progress
from visavis.base.files import require_outputs, whole_file
from visavis.base.words import counted
from visavis.channels import FACE_CHANNELS
from visavis.errors import InputError
from visavis.metrics.checked_items import Work
from visavis.metrics.item_scores import LAGS
from visavis.metrics.reaction import fr_dvs
from visavis.metrics.reaction_suite import score_reactions
from visavis.reaction.listener import ListenerModel
from visavis.reaction.neutral_face import resting
from visavis.types import BoolArray, FloatArray
from visavis_train.data.conversation_pack import (
    HalfArray,
    ListeningItem,
    ListeningPack,
    PersonClip,
    load_listening,
)
from visavis_train.listener.avatar_features import AvatarFeatures
from visavis_train.listener.baselines.method import Method, binary_units
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
# The metrics of lags need so many.
LEAST_FRAMES = LAGS + 1
_RESAMPLES = 2000
# What the challenges evaluate: ten reactions to clips of 30 s.
SUBMITTED_SAMPLES, SUBMITTED_FRAMES = 10, 750


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """The test data: each speaker's clip once.

    Attributes:
        speakers: the clips, all of T frames.
        truths: the listener of each clip's first conversation, by the clip's name.
        listeners: (L, T, 25) expressions of every conversation's listener.
        neighbours: (N, L) whether a listener reacts appropriately to a speaker's clip.
    """

    speakers: tuple[PersonClip, ...]
    truths: Mapping[str, PersonClip]
    listeners: FloatArray
    neighbours: BoolArray

    @classmethod
    def of(cls, pack: ListeningPack, frames: int | None = None) -> Self:
        """The test data of a pack, as :func:`pieces` gives them; by default as long as the shortest clip.

        Raises:
            InputError: two clips of speakers have the same name, no clip can be used, or the pack holds other
                speech features than the program's.
        """
        pack.require_own_speech()
        pack = pieces(pack, frames or min(len(item.speaker) for item in pack.items))
        first = pack.first_of_speakers()
        speakers = tuple(pack.items[place].speaker for place in first)
        if len({clip.name for clip in speakers}) < len(speakers):
            raise InputError(f"{pack.corpus}, {pack.split}: two different clips of speakers have one name")
        truths = {clip.name: pack.items[place].listener for clip, place in zip(speakers, first, strict=True)}
        listeners = np.stack([item.listener.expression.astype(np.float32) for item in pack.items])
        return cls(speakers, truths, listeners, pack.neighbours[list(first)])


def pieces(pack: ListeningPack, frames: int) -> ListeningPack:
    """A pack of clips of one length and without gaps in the expressions, which the metrics need.

    A clip is cut into pieces one after the other; the rest at its end is left out. Pieces at the same place
    of two clips are appropriate if the clips are. A gap gets the line between the frames around it.

    Raises:
        InputError: no piece shows both people.
    """
    made: dict[tuple[int, int], PersonClip | None] = {}
    items, kept = [], []
    for row, item in enumerate(pack.items):
        for place in range(len(item.speaker) // frames):
            both = []
            for clip in (item.speaker, item.listener):
                # Equal clips stay one object.
                if (id(clip), place) not in made:
                    made[id(clip), place] = _cut(clip, place, frames)
                both.append(made[id(clip), place])
            speaker, listener = both
            if speaker is not None and listener is not None:
                items.append(ListeningItem(speaker, listener, item.style))
                kept.append((row, place))
    if not items:
        longest = max(len(item.speaker) for item in pack.items)
        raise InputError(
            f"{pack.corpus}, {pack.split}: no {frames} frames in which both people were seen; the longest "
            f"clip has {longest}: take fewer frames"
        )
    _note_left_out(pack, frames, len(kept))
    rows, order = np.asarray(kept).T
    near = pack.neighbours[np.ix_(rows, rows)] & (order[:, None] == order)
    return replace(pack, items=tuple(items), neighbours=near)


def _cut(clip: PersonClip, place: int, frames: int) -> PersonClip | None:
    part = slice(place * frames, (place + 1) * frames)
    expression = _without_gaps(clip.expression[part])
    if expression is None:
        return None
    name = f"{clip.name}+{place}" if place else clip.name
    return PersonClip(name, clip.face[part], expression, None if clip.speech is None else clip.speech[part])


def _without_gaps(rows: HalfArray) -> HalfArray | None:
    known = np.flatnonzero(np.isfinite(rows).all(axis=1))
    if not len(known):
        return None
    frames = np.arange(len(rows))
    lines = [np.interp(frames, known, column[known]) for column in rows.T]
    return rows if len(known) == len(rows) else np.stack(lines, axis=1).astype(np.float16)


def _note_left_out(pack: ListeningPack, frames: int, used: int) -> None:
    total = sum(len(item.speaker) for item in pack.items)
    gaps = sum(int((~np.isfinite(item.listener.expression).all(axis=1)).sum()) for item in pack.items)
    if used * frames < total or gaps:
        print_note(
            f"{pack.corpus}, {pack.split}: {counted(used, 'clip')} of {frames} frames, "
            f"{used * frames / total:.0%} of the conversations; {gaps / total:.1%} of the listeners' "
            "frames have no face and are filled"
        )


def score_method(name: str, method: Method, test: Contest, samples: int, seed: int) -> dict[str, Any]:
    """Every metric of one method with one seed, from K reactions to each clip.

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
            expressions = method.reactions([speaker], samples, seed)[:, :, :, len(FACE_CHANNELS) :]
            if not np.isfinite(expressions).all():
                raise InputError(f"{name}: its reactions to {speaker.name} are not finite")
            found = score_reactions(
                expressions,
                test.listeners[near],
                speaker.expression.astype(np.float32)[None],
                np.ones((1, int(near.sum())), np.uint8),
                work=Work(threads=1),
            )
            for metric in BY_ITEM:
                shares[metric].append(float(getattr(found, metric)))
            made.append(expressions[0])
            advance()
    return {"items": shares, "fr_dvs": float(fr_dvs(np.stack(made), Work(threads=1)))}


def write_predictions(
    path: Path,
    pack: Path,
    listener: ListenerModel,
    *,
    samples: int,
    seed: int,
    frames: int | None = None,
    binary: bool = False,
    submission: Path | None = None,
    network: Path | None = None,
) -> None:
    """Let a listener react to each speaker's clip of a pack, and write what ``evaluate reaction`` reads.

    Args:
        path: the file to write: ``predictions`` (N, K, T, 25), ``listeners`` (L, T, 25), ``speakers``
            (N, T, 25) and ``neighbours`` (N, L).
        pack: of ``visavis lab conversations``.
        listener: reacts.
        samples: K, reactions to each clip.
        seed: of the listener's chances.
        frames: T; None for the length of the shortest clip, but at least :data:`LEAST_FRAMES`.
        binary: round action units to 0 or 1.
        submission: also write the predictions alone, (N, 10, 750, 25), in the order of the split.
        network: an ONNX file of :class:`~visavis_train.listener.avatar_features.AvatarFeatures`: also write
            ``real_features``, ``fake_features`` and ``features_of``, for FRRea of drawn listeners.

    Raises:
        InputError: no such pack, a file cannot be written, or the clips are not those of a challenge.
        WeightsError: the network of features cannot be used.
    """
    require_outputs([(path, (".npz",)), (submission, (".npy",))], [pack, *([network] if network else [])])
    features = None if network is None else AvatarFeatures(network)
    read = load_listening(pack)
    frames = frames or max(LEAST_FRAMES, min(len(item.speaker) for item in read.items))
    test, method = Contest.of(read, frames), TrainedListener(listener)
    if submission is not None:
        _require_challenge(read, test, samples)
    made: list[FloatArray] = []
    real: list[FloatArray] = []
    fake: list[FloatArray] = []
    with progress("predict", len(test.speakers), "clips") as advance:
        for speaker in test.speakers:
            faces, reactions = np.split(
                method.reactions([speaker], samples, seed)[0], [len(FACE_CHANNELS)], axis=2
            )
            made.append(binary_units(reactions) if binary else reactions)
            if features is not None:
                truth = test.truths[speaker.name].face.astype(np.float32)
                real.append(features.of(truth, resting(truth)))
                fake += [features.of(face, listener.tokenizer.mean) for face in faces]
            advance()
    extra: dict[str, Any] = {}
    if network is not None:
        extra = {"real_features": np.concatenate(real), "fake_features": np.concatenate(fake)}
        extra["features_of"] = np.asarray(f"drawn listeners, {network.name}")
    if submission is not None:
        with whole_file(submission) as partial, partial.open("wb") as file:
            np.save(file, np.stack(made).astype(np.float32))
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            predictions=np.stack(made),
            listeners=test.listeners,
            speakers=np.stack([speaker.expression for speaker in test.speakers]).astype(np.float32),
            neighbours=test.neighbours.astype(np.uint8),
            **extra,
        )


def _require_challenge(pack: ListeningPack, test: Contest, samples: int) -> None:
    found = (len(test.speakers), samples, len(test.speakers[0]))
    if found != (len(pack.items), SUBMITTED_SAMPLES, SUBMITTED_FRAMES):
        raise InputError(
            f"--submission holds {SUBMITTED_SAMPLES} reactions of {SUBMITTED_FRAMES} frames to each of the "
            f"{len(pack.items)} conversations; found {found[1]} of {found[2]} frames to {found[0]} speakers"
        )


def score_summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
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
