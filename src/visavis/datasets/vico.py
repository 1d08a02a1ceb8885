"""Reader of ViCo with the coefficients of its baseline.

Zhou et al. 2022, "Responsive Listening Head Generation: A Benchmark Dataset and Baseline" (arXiv:2112.13548).
The layout follows dc3ea9f/vico_challenge_baseline:

- The challenge's folder: ``train.csv`` with ``uuid``, ``speaker_id`` and ``listener_id``
  (``preprocess/convert.py``), ``audios/UUID.wav``, ``recons/**/UUID.speaker.mat`` and ``UUID.listener.mat``.
- The whole data set: one table with ``audio``, ``speaker``, ``listener`` and ``data_split``, which are the
  names of the files, and often ``attitude``.
- A ``.mat`` file, which the README's step 5 makes, holds ``coeff`` (T, 257): identity 80, expression 64,
  texture 80, rotation 3, lighting 27, translation 3; and ``transform_params`` (T, 5), whose last 3 are the
  crop (``preprocess/rearrange_recon_coeffs.py``). Its ``.bin`` files are pickles and are not read.

The files and the README do not state the frame rate; 30 is assumed, and the label ``fps`` says so.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from visavis.base.arrays import as_float32
from visavis.base.npz import PARSER_ERRORS
from visavis.datasets import tables
from visavis.datasets.dyads import Corpus, Dyad, Dyads, FaceSpace, Person, cut_to_shortest, require_fit
from visavis.errors import InputError, MissingExtraError
from visavis.types import FloatArray

NAME = "ViCo"
CHALLENGE_COLUMNS = ("uuid", "speaker_id", "listener_id")
WHOLE_COLUMNS = ("audio", "speaker", "listener", "data_split")
COEFFICIENTS, SOUNDS = "recons", "audios"
ASSUMED_FPS = 30.0
COEFF_WIDTH, CROP_WIDTH = 257, 3
# The two videos of a clip may differ by a frame of encoding.
TOLERANCE_FRAMES = 1
# Rotation, expression, translation: the order of the baseline's angle.exp.trans.
_MOVING = np.r_[224:227, 80:144, 254:257]


@dataclass(frozen=True, slots=True)
class VicoEntry:
    """One row of a table.

    Attributes:
        place: the row, as ``file:line``.
        key: name of the clip.
        speaker: .mat file.
        listener: .mat file.
        audio: the speaker's .wav; None if there is none.
        labels: further cells of the row, by column.
    """

    place: str
    key: str
    speaker: Path
    listener: Path
    audio: Path | None
    labels: Mapping[str, str]


def find_vico(path: Path) -> Corpus | None:
    """ViCo in a folder; None if no table is found.

    Raises:
        InputError: a table cannot be read, coefficients or sounds are missing, or two rows
            are the same.
    """
    if not path.is_dir():
        return None
    found: dict[str, list[VicoEntry]] = defaultdict(list)
    files: dict[str, Path] | None = None
    places: dict[frozenset[str], str] = {}
    sounds: dict[str, Path | None] = {}
    for table in sorted(path.glob("*.csv")):
        names = set(tables.header(table))
        challenge = set(CHALLENGE_COLUMNS) <= names
        if not challenge and not set(WHOLE_COLUMNS) <= names:
            continue
        if files is None:
            files = {file.stem: file for file in sorted((path / COEFFICIENTS).rglob("*.mat"))}
        for place, row in tables.rows(table, ()):
            split = table.stem if challenge else row["data_split"]
            if not split:
                raise InputError(f"{place}: no data_split: name one, such as train, or delete the row")
            entry = _entry(path, files, place, row, challenge)
            tables.require_new(places, place, entry.speaker.stem, entry.listener.stem)
            found[split].append(entry)
            sounds[row["uuid" if challenge else "audio"]] = entry.audio
    require_fit(path / SOUNDS, ".wav", sounds)
    return Corpus(NAME, path, tuple(found), partial(_open, found)) if found else None


def _entry(
    path: Path, files: Mapping[str, Path], place: str, row: dict[str, str], challenge: bool
) -> VicoEntry:
    if challenge:
        key = sound = row["uuid"]
        speaker, listener = f"{key}.speaker", f"{key}.listener"
    else:
        sound, speaker, listener = row["audio"], row["speaker"], row["listener"]
        key = listener
    for name in (speaker, listener):
        if name not in files:
            raise InputError(
                f"{place}: the coefficients {path / COEFFICIENTS / name}.mat are missing; extract them as "
                "step 5 of the README of vico_challenge_baseline says"
            )
    if speaker == listener:
        raise InputError(f"{place}: {speaker} is speaker and listener; expected two people")
    audio = path / SOUNDS / f"{sound}.wav"
    kept = ("speaker_id", "listener_id", "attitude", "video_id")
    labels = {name: row[name] for name in kept if name in row}
    return VicoEntry(place, key, files[speaker], files[listener], audio if audio.is_file() else None, labels)


def _open(found: Mapping[str, list[VicoEntry]], split: str) -> Dyads:
    return Dyads(NAME, split, tuple(partial(_read, split, entry) for entry in found[split]))


def _read(split: str, entry: VicoEntry) -> Dyad:
    arrays = {str(path): read_coefficients(path) for path in (entry.speaker, entry.listener)}
    speaker, listener = cut_to_shortest(entry.place, arrays, TOLERANCE_FRAMES)
    return Dyad(
        entry.key,
        split,
        FaceSpace.BFM,
        ASSUMED_FPS,
        Person(entry.speaker.stem, speaker, audio=entry.audio),
        Person(entry.listener.stem, listener),
        {**entry.labels, "fps": "assumed"},
    )


def read_coefficients(path: Path) -> FloatArray:
    """(T, 73) of a ``.mat`` file: rotation 3, expression 64, translation 3, crop 3.

    Raises:
        MissingExtraError: scipy, which reads MATLAB's files, is not installed.
        InputError: the file is missing, damaged, or lacks the two arrays.
    """
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise MissingExtraError("scipy", "corpora", "reading ViCo's coefficients") from error
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        content = loadmat(path, variable_names=("coeff", "transform_params"))
        coeff, params = content["coeff"], content["transform_params"]
    except KeyError as error:
        raise InputError(f"{path}: holds no {error}; expected coeff and transform_params") from error
    except (*PARSER_ERRORS, MatReadError, IndexError, zlib.error) as error:
        raise InputError(f"{path}: not a readable MATLAB file: {error}") from error
    values = as_float32(f"{path}: coeff", coeff, (None, COEFF_WIDTH))
    crop = as_float32(f"{path}: transform_params", params, (len(values), 5))[:, -CROP_WIDTH:]
    return np.concatenate([values[:, _MOVING], crop], axis=1)
