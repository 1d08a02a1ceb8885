"""Real faces of one split that the simulation uses, from a pack of face tracks.

Faces at rest come from single pictures of many people. Movements come from the few tracked videos. No person
of one split is used in another. The videos are split as in the tokenizers' experiments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from visavis.channels import BLENDSHAPES, FACE_CHANNELS, FACE_INDEX
from visavis.datasets.react import FPS
from visavis.errors import InputError
from visavis.types import FloatArray
from visavis_train.data.track_pack import Clip, tracked
from visavis_train.simulation.utterances import GRID_SPEAKER

# Videos of each split: experiments/tokenizer_*.toml, except that GRID's one talker is only in train.
VIDEOS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "train": ("lp_d12", "lp_d13", "lp_d14", "yawdd_1"),
        "val": ("lp_d0", "lp_d20"),
        "test": ("lp_d9", "lp_d19", "hdtf_Alexa", "yawdd_4", "dyad_l2l_*"),
    }
)
# Videos with a visible talking mouth; train uses GRID's clips.
TALKING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"train": (), "val": ("lp_d0", "lp_d20"), "test": ("hdtf_Alexa", "dyad_l2l_*_left")}
)
MOUTH = tuple(name for name in BLENDSHAPES if name.startswith(("jaw", "mouth")) and "Smile" not in name)
HEAD = tuple(FACE_CHANNELS[len(BLENDSHAPES) :])
# Channels that move a little in a listening face; lids, gaze, jaw and smile have their own rules.
SMALL = tuple(name for name in BLENDSHAPES if name.startswith(("brow", "eyeSquint", "nose")))
MOUTH_AT, HEAD_AT, SMALL_AT, SMILE_AT = (
    np.asarray([FACE_INDEX[name] for name in names])
    for names in (MOUTH, HEAD, SMALL, ("mouthSmileLeft", "mouthSmileRight"))
)
# Channels that smiles and moods change in pictures of faces. Gaze and an open mouth belong to the single
# picture. Jaw and lips follow the sound.
_SMILING = "brow cheek eyeSquint mouthSmile mouthDimple mouthStretch mouthUpper"
OF_SMILE = tuple(name for name in BLENDSHAPES if name.startswith(tuple(_SMILING.split())))
_MOODY = "brow cheek nose eyeSquint eyeWide mouthFrown mouthPress mouthShrug mouthStretch"
OF_MOOD = tuple(name for name in BLENDSHAPES if name.startswith(tuple(_MOODY.split())))
# Largest spread of a listener's small movements: weights, radians, centimetres. Drivers and
# actors move more than people who listen before a camera, so theirs are shrunk. Our choice.
SPREAD = np.concatenate([np.full(len(SMALL), 0.03), np.full(3, 0.015), np.full(3, 0.3)]).astype(np.float32)
FARTHEST = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """A stretch of a real track at 25 frames a second.

    Attributes:
        name: name of the clip in the pack.
        face: (T, 58) float32.
    """

    name: str
    face: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class RealFaces:
    """The real faces that one split may use.

    Attributes:
        rests: names of the single pictures, and their relaxed faces (N, 58) without a place (0).
        places: (M, 3) where real heads stood before the camera, cm.
        talking: takes of mouths that talk.
        moving: takes of heads and brows.
        own_sound: GRID's takes by name, with known sound; only in train.
    """

    rests: tuple[tuple[str, ...], FloatArray]
    places: FloatArray
    talking: tuple[Take, ...]
    moving: tuple[Take, ...]
    own_sound: Mapping[str, Take]


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """How movements of the face belong together, measured on the training split.

    Attributes:
        smile: (58,) change with a full smile (both corners at 1).
        blink: (58,) change with a full blink.
        emotions: (58,) by RAVDESS's word, mean of pictures with that label minus neutral ones.
        head_shift: (3, 3) the head's shift along x, y, z in cm per radian of yaw, pitch, roll.
    """

    smile: FloatArray
    blink: FloatArray
    emotions: Mapping[str, FloatArray]
    head_shift: FloatArray


def lids_of(face: FloatArray) -> FloatArray:
    """The mean weight (T,) of both lids from (T, 58)."""
    lids: FloatArray = face[:, [FACE_INDEX["eyeBlinkLeft"], FACE_INDEX["eyeBlinkRight"]]].mean(axis=1)
    return lids


def resample_clip(clip: Clip) -> Take:
    """A clip at 25 frames a second, by linear interpolation."""
    known = np.flatnonzero(np.isfinite(clip.face).all(axis=1))
    if not len(known):
        raise InputError(f"{clip.name}: no frame of the track has all channels of a face")
    time_s = known / clip.fps
    wanted_s = np.arange(time_s[0], time_s[-1] + 1e-9, 1 / FPS)
    columns = [
        np.interp(wanted_s, time_s, clip.face[known, channel]) for channel in range(clip.face.shape[1])
    ]
    return Take(clip.name, np.stack(columns, axis=1).astype(np.float32))


def real_faces(clips: Sequence[Clip], split: str) -> RealFaces:
    """The real faces of one split of a pack.

    Raises:
        InputError: the pack lacks clips that the split needs.
    """
    videos = [clip for clip in clips if _is_one_of(clip.name, VIDEOS[split])]
    # In a damaged video of GRID no face is found.
    grid = tracked([clip for clip in clips if clip.source == "grid"]) if split == "train" else ()
    talking = [*(clip for clip in videos if _is_one_of(clip.name, TALKING[split])), *grid]
    stills = [clip for clip in clips if clip.name.startswith(f"still_{split}_")]
    names, rests = relaxed(stills)
    if not (videos and talking and names):
        raise InputError(
            f"the pack of tracks lacks videos, talking faces or relaxed single faces for {split}"
        )
    takes = {clip.name: resample_clip(clip) for clip in (*videos, *grid)}
    places = [np.median(takes[clip.name].face[:, -3:], axis=0) for clip in videos]
    return RealFaces(
        (names, rests),
        np.stack(places).astype(np.float32),
        tuple(takes[clip.name] for clip in talking),
        tuple(takes[clip.name] for clip in videos),
        {clip.name.replace("grid", GRID_SPEAKER, 1): takes[clip.name] for clip in grid},
    )


def _is_one_of(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def relaxed(stills: Sequence[Clip]) -> tuple[tuple[str, ...], FloatArray]:
    """Single faces that look ahead, with open eyes and a relaxed mouth; their place is set to 0."""
    if not stills:
        return (), np.empty((0, len(FACE_CHANNELS)), np.float32)
    faces = np.stack([clip.face[0] for clip in stills])
    limits = {"mouthSmile": 0.15, "eyeBlink": 0.25, "eyeLook": 0.5, "eyeSquint": 0.65, "mouth": 0.4}
    calm = (faces[:, FACE_INDEX["jawOpen"]] < 0.05) & (np.abs(faces[:, HEAD_AT[:3]]).max(axis=1) < 0.2)
    for prefix, most in limits.items():
        at = [index for name, index in FACE_INDEX.items() if name.startswith(prefix)]
        calm &= faces[:, at].max(axis=1) < most
    chosen = np.flatnonzero(calm).tolist()
    return tuple(stills[i].name for i in chosen), np.nan_to_num(faces[chosen], nan=0.0)


def habits(clips: Sequence[Clip], labels: Mapping[str, str]) -> Habits:
    """Measure :class:`Habits` on the training split of a pack.

    ``labels`` are the expressions of some single pictures, by the names of their clips.

    Raises:
        InputError: there are too few faces that smile, blink or have a label.
    """
    stills = [clip for clip in clips if clip.name.startswith("still_train_")]
    films = tracked(
        [clip for clip in clips if clip.source == "grid" or _is_one_of(clip.name, VIDEOS["train"])]
    )
    if not stills or not films:
        raise InputError("the pack of tracks lacks single faces or videos of the training split")
    faces = np.nan_to_num(np.concatenate([clip.face for clip in stills]), nan=0.0)
    smiles = faces[:, SMILE_AT].mean(axis=1)
    smile = _contrast(faces, smiles > 0.6, smiles < 0.1, "smile", OF_SMILE)
    frames = np.concatenate([clip.face for clip in films])
    frames = frames[np.isfinite(frames).all(axis=1)]
    lids = lids_of(frames)
    upper = tuple(name for name in BLENDSHAPES if name.startswith(("eyeBlink", "eyeLookDown", "eyeSquint")))
    blink = _contrast(frames, lids > 0.5, lids < 0.2, "blink", upper)
    named = np.asarray([labels.get(clip.name, "") for clip in stills])
    emotions = {
        word: _contrast(faces, named == label, named == "neutral", label, OF_MOOD)
        for word, label in (
            ("sad", "sadness"),
            ("angry", "anger"),
            ("disgust", "disgust"),
            ("surprised", "surprise"),
            # Six pictures with the label fear are too few; surprise is the nearest label with enough.
            ("fearful", "surprise"),
        )
    }
    unit = 1 / max(float(smile[SMILE_AT].mean()), 1e-6)
    lid = 1 / max(float(blink[FACE_INDEX["eyeBlinkLeft"]]), 1e-6)
    return Habits(smile * unit, blink * lid, emotions, _head_shift(films))


def _contrast(
    faces: FloatArray, shown: NDArray[np.bool_], absent: NDArray[np.bool_], name: str, channels: Sequence[str]
) -> FloatArray:
    if shown.sum() < 10 or absent.sum() < 10:
        raise InputError(f"too few training faces with and without {name}: {shown.sum()} and {absent.sum()}")
    result = np.zeros(len(FACE_CHANNELS), np.float32)
    at = [FACE_INDEX[channel] for channel in channels]
    result[at] = (faces[shown].mean(axis=0) - faces[absent].mean(axis=0))[at]
    return result


def _head_shift(films: Sequence[Clip]) -> FloatArray:
    """Least squares, with the head's place and angles relative to the clip's median.

    A head turns about its neck: sideways by yaw and roll, up and forward by pitch. Other correlations in the
    few films are left out.
    """
    parts = [clip.face[np.isfinite(clip.face).all(axis=1)][:, HEAD_AT].astype(np.float64) for clip in films]
    moved = np.concatenate([part - np.median(part, axis=0) for part in parts])
    result = np.zeros((3, 3), np.float32)
    for column, angles in enumerate(((0, 2), (1,), (1,))):
        solution, *_ = np.linalg.lstsq(moved[:, list(angles)], moved[:, 3 + column], rcond=None)
        result[list(angles), column] = solution
    return result


def wander(takes: Sequence[Take], frames: int, rng: np.random.Generator) -> tuple[str, FloatArray]:
    """Small real movements of brows and head over any length: name of the take, and (T, 58) around 0.

    A stretch of a real take is played forward and back from a random place, so that it never jumps. It is
    shrunk to the spread of a person who sits still.
    """
    chosen = takes[int(rng.integers(len(takes)))]
    at = np.concatenate([SMALL_AT, HEAD_AT])
    own = chosen.face[:, at] - np.median(chosen.face[:, at], axis=0)
    own = own * np.minimum(1, SPREAD / np.maximum(own.std(axis=0), 1e-6))
    there_and_back = np.concatenate([own, own[-2:0:-1]])
    start = int(rng.integers(len(there_and_back)))
    rows = (start + np.arange(frames)) % len(there_and_back)
    result = np.zeros((frames, len(FACE_CHANNELS)), np.float32)
    # A person who sits still does not yawn or look aside.
    result[:, at] = FARTHEST * SPREAD * np.tanh(there_and_back[rows] / (FARTHEST * SPREAD))
    return chosen.name, result
