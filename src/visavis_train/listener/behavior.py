"""Comparison of a trained listener's behaviour with the people that it learnt from.

Bits hardly distinguish listeners from deaf ones, as a nod is a few frames. So gestures are counted, after
the speaker's pauses and elsewhere, and smiles, lids and mouths are compared with those of the speaker and of
strangers.
``visavis lab behavior`` writes ``benchmarks/results/listener_behavior.json`` and the text between the
marks of ``docs/models/listener.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from visavis.base.console import progress
from visavis.base.machine import machine
from visavis.evaluate.speaker_gain import PEAK_WITHIN_S
from visavis.metrics.pairing import peak_r
from visavis.reaction.gestures import BROWS, NOD, SMILE, find_gestures, smile_of
from visavis.reaction.listener import ListenerModel
from visavis.reaction.predictor import Predictor
from visavis.reaction.speech import FRAME_RATE_HZ, SPEECH_CHANNELS
from visavis.reaction.voice import SPEAKING
from visavis.types import BoolArray, FloatArray
from visavis_train.data.conversation_pack import ListeningPack, PersonClip, load_listening
from visavis_train.listener.config import ListenerExperiment
from visavis_train.listener.release import LISTENER_FILE
from visavis_train.listener.tokens import TokenVocabulary, as_shown
from visavis_train.onnx.export import current_commit
from visavis_train.simulation.mouth import opening
from visavis_train.simulation.real_faces import lids_of
from visavis_train.simulation.statistics import count_blinks

RESULTS = Path("benchmarks/results/listener_behavior.json")
PAGE = Path("docs/models/listener.md")
MARKS = ("<!-- behavior: by visavis lab behavior -->", "<!-- end of behavior -->")
# Seconds after the speaker's last word; a nod that begins in this time answers the pause.
AFTER_PAUSE_S = (0.2, 1.2)
STRANGERS = 3
MOUTH_RANGE = (0.05, 0.95)
GUIDANCE = (1.0, 1.5)
Tracks = Sequence[FloatArray]


class Count(NamedTuple):
    """Counts of the behaviour of one speaker clip's listeners, summed over the listeners.

    Attributes:
        nods_after, nods_elsewhere: nods that begin after a pause, and others.
        frames_after, frames_elsewhere: frames in which these nods could begin.
        smiles, brows, blinks: numbers of gestures.
        mouth: how far the mouth opens, from the 5th to the 95th percentile of a listener's frames.
        smile_with_speaker, ...: largest correlations with the speaker's smile, lids and mouth, and with
            others'.
        tracks: number of listeners.
    """

    nods_after: float
    nods_elsewhere: float
    frames_after: float
    frames_elsewhere: float
    smiles: float
    brows: float
    blinks: float
    mouth: float
    smile_with_speaker: float
    smile_with_strangers: float
    lids_with_speaker: float
    lids_with_strangers: float
    mouth_with_speaker: float
    mouth_with_strangers: float
    tracks: float


def after_pauses(speech: FloatArray) -> BoolArray:
    """(T,) whether the speaker, of activity (T,), stopped :data:`AFTER_PAUSE_S` before."""
    speaks = speech > 0.5
    result = np.zeros(len(speech), np.bool_)
    first, last = (round(time_s * FRAME_RATE_HZ) for time_s in AFTER_PAUSE_S)
    for stop in np.flatnonzero(speaks[:-1] & ~speaks[1:]) + 1:
        result[stop + first : stop + last] = True
    return result


def count(tracks: Tracks, speaker: PersonClip, strangers: Sequence[PersonClip]) -> Count:
    """Counts in the faces (T, 58) of one clip's listeners."""
    silence = np.zeros((len(speaker), len(SPEECH_CHANNELS)), np.float32)
    speech = silence if speaker.speech is None else speaker.speech.astype(np.float32)
    pause = after_pauses(speech[:, SPEAKING])
    found = [find_gestures(track) for track in tracks]
    every = [gesture for gestures in found for gesture in gestures]
    nods = [pause[gesture.start] for gesture in every if gesture.kind == NOD]
    faces = (track[np.isfinite(track).all(axis=1)] for track in tracks)
    known = [face for face in faces if len(face)]
    together = {
        f"{name}_with_{who}": float(
            sum(np.mean([_together(read, track, other) for other in others]) for track in tracks)
        )
        for name, read in (("smile", smile_of), ("lids", lids_of), ("mouth", opening))
        for who, others in (("speaker", [speaker]), ("strangers", strangers))
    }
    return Count(
        sum(nods),
        len(nods) - sum(nods),
        len(tracks) * int(pause.sum()),
        len(tracks) * int((~pause).sum()),
        sum(gesture.kind == SMILE for gesture in every),
        sum(gesture.kind == BROWS for gesture in every),
        sum(map(count_blinks, known)),
        float(sum(np.ptp(np.quantile(opening(track), MOUTH_RANGE)) for track in known)),
        **together,
        tracks=len(tracks),
    )


def _together(read: Callable[[FloatArray], FloatArray], track: FloatArray, other: PersonClip) -> float:
    length = min(len(track), len(other))
    theirs = read(other.face[:length].astype(np.float32))
    return float(peak_r(read(track[:length]), theirs, round(PEAK_WITHIN_S * FRAME_RATE_HZ)))


def behavior_summary(counts: Sequence[Count]) -> dict[str, list[float]]:
    """Each figure with its 95% interval over clips, from 1000 resamplings: ``[value, low, high]``."""
    sums = np.asarray(counts, np.float64)
    picks = np.random.default_rng(0).integers(len(sums), size=(1000, len(sums)))
    value, drawn = _figures(sums.sum(axis=0)), _figures(sums[picks].sum(axis=1).T)
    return {
        name: [round(float(number), 4) for number in (value[name], *np.quantile(drawn[name], (0.025, 0.975)))]
        for name in value
    }


def _figures(sums: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    total = Count(*sums)
    a_minute = FRAME_RATE_HZ * 60
    frames = total.frames_after + total.frames_elsewhere
    return {
        "nods_after_pauses_per_minute": total.nods_after / np.maximum(total.frames_after, 1) * a_minute,
        "nods_elsewhere_per_minute": total.nods_elsewhere / np.maximum(total.frames_elsewhere, 1) * a_minute,
        "smiles_per_minute": total.smiles / frames * a_minute,
        "raised_brows_per_minute": total.brows / frames * a_minute,
        "blinks_per_minute": total.blinks / frames * a_minute,
        "mouth_range": total.mouth / total.tracks,
        **{
            f"{name}_r": figure / total.tracks for name, figure in total._asdict().items() if "_with_" in name
        },
    }


def measure_behavior(
    name: str, make: Callable[[int], Tracks], pack: ListeningPack, places: Sequence[int]
) -> dict[str, list[float]]:
    """The figures of one kind of listeners.

    Args:
        name: for the progress bar.
        make: gives the tracks of an item's listeners.
        pack: the pack of the items.
        places: indices of the items, one for each speaker's clip.
    """
    speakers = [pack.items[place].speaker for place in places]
    counts = []
    with progress(name, len(places), "clips") as advance:
        for number, place in enumerate(places):
            strangers = [speakers[(number + step) % len(places)] for step in range(1, STRANGERS + 1)]
            counts.append(count(make(place), speakers[number], strangers))
            advance()
    return behavior_summary(counts)


def compare_behavior(
    experiment: ListenerExperiment, guidance: Sequence[float], clips: int, samples: int
) -> dict[str, Any]:
    """Measure the people of the validation split, their tokens, and the listener with several guidances.

    Raises:
        InputError: the pack or the listener cannot be read.
    """
    pack = load_listening(experiment.data / "val.npz")
    pack.require_own_speech()
    tokenizer = TokenVocabulary.open(experiment.tokenizer).tokenizer
    predictor = Predictor.load(experiment.out / LISTENER_FILE)
    places = pack.first_of_speakers()[:clips]

    def shown(place: int) -> Tracks:
        speaker = pack.items[place].speaker
        return [as_shown(item.listener, tokenizer) for item in pack.items if item.speaker is speaker]

    def through_tokens(place: int) -> Tracks:
        return [tokenizer.decode(tokenizer.encode(track)) for track in shown(place)]

    def samples_of(listener: ListenerModel) -> Callable[[int], Tracks]:
        def make(place: int) -> Tracks:
            speaker = pack.items[place].speaker
            speech = None if speaker.speech is None else speaker.speech.astype(np.float32)
            tokens = listener.react(speaker.face.astype(np.float32), speech, seed=place, samples=samples)
            return [tokenizer.decode(row) for row in tokens]

        return make

    makers: dict[str, Callable[[int], Tracks]] = {
        "simulated listeners": shown,
        "the same, through the tokenizer": through_tokens,
    }
    for much in guidance:
        drawing = replace(experiment.sampling.sampling, guidance=much)
        makers[f"{experiment.name}, guidance {much:g}"] = samples_of(
            ListenerModel(predictor, tokenizer, drawing)
        )
    return {
        "commit": current_commit(),
        "machine": machine(),
        "corpus": pack.corpus,
        "split": pack.split,
        "clips": len(places),
        "samples": samples,
        "listeners": {name: measure_behavior(name, make, pack, places) for name, make in makers.items()},
    }


COLUMNS: Mapping[str, str] = {
    "nods_after_pauses_per_minute": "nods a minute after pauses",
    "nods_elsewhere_per_minute": "nods a minute elsewhere",
    "smiles_per_minute": "smiles a minute",
    "raised_brows_per_minute": "raised brows a minute",
    "blinks_per_minute": "blinks a minute",
    "mouth_range": "range of the mouth",
    "smile_with_speaker_r": "smile with the speaker's, r",
    "smile_with_strangers_r": "smile with strangers', r",
    "lids_with_speaker_r": "lids with the speaker's, r",
    "lids_with_strangers_r": "lids with strangers', r",
    "mouth_with_speaker_r": "mouth with the speaker's, r",
    "mouth_with_strangers_r": "mouth with strangers', r",
}


def table(result: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown."""
    return [
        f"{result['clips']} clips of the {result['split']} split of {result['corpus']}, {result['samples']} "
        "samples of each; brackets: 95% intervals over clips. *Range of the mouth*: from the 5th to the 95th "
        f"percentile of its opening, in weights. Commit {result['commit'][:12]}.",
        "",
        f"| who listens | {' | '.join(COLUMNS.values())} |",
        "|---" * (len(COLUMNS) + 1) + "|",
        *(
            f"| {name} | {' | '.join(_cell(key, found[key]) for key in COLUMNS)} |"
            for name, found in result["listeners"].items()
        ),
    ]


def _cell(key: str, found: Sequence[float]) -> str:
    digits = 1 if key.endswith("per_minute") else 2
    value, low, high = (f"{number:.{digits}f}" for number in found)
    return f"{value} [{low}, {high}]"
