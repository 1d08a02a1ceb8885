"""Files in REACT's layout; a record marks each finished recording."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from visavis.base.files import put_in_place, whole_file, write_json
from visavis.base.reading import regular
from visavis.base.words import reason
from visavis.channels import EXPRESSION_CHANNELS
from visavis.corpus.recording import PEOPLE, CorpusRecording, Source
from visavis.datasets.react import COLUMNS, EMOTIONS, FACES, SOUNDS
from visavis.errors import InputError
from visavis.track import Track

# The first part of each path in the index, which in REACT is the name of the data set.
SITE = "visavis"
# A recording is not divided: it is the only clip of its conversation.
CLIP = "1"
RECORDS = "items"
PARQUET = "Parquet_files"
# Folder of unfinished files; the next run deletes what a killed run left in it.
UNFINISHED = ".partial"
DONE, REFUSED = "done", "refused"
# Words of reasons that lie not in the video, and that another run may not find: the variables of
# :mod:`visavis.base.limits`, and workers that died, see ``watching``.
PASSING = ("VISAVIS_MAX_", "the worker died ")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a recording.

    Attributes:
        name: name of its folder in the corpus.
        split: split of the corpus.
        status: :data:`DONE` or :data:`REFUSED`.
        reason: why it was refused; None if it was not.
        sources: its videos.
        files: size in bytes of each file, by its path within the corpus; if it was refused, of the recording
            of an earlier run that stays.
        quality: figures of its quality by name, as in ``files``; None if there are none.
    """

    name: str
    split: str
    status: str
    reason: str | None
    sources: tuple[Source, ...]
    files: Mapping[str, int]
    quality: Mapping[str, Any] | None

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read a record; None if it is missing or invalid."""
        try:
            notes = json.loads(regular(path).read_text("utf-8-sig"))
            notes["sources"] = tuple(Source(**source) for source in notes["sources"])
            return cls(**notes)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def stands(self, root: Path, sources: Sequence[Source]) -> bool:
        """Whether the recording is up to date: the videos are the same, and every file still exists."""
        if [source.sha256 for source in sources] != [source.sha256 for source in self.sources]:
            return False
        paths = ((root / name, size) for name, size in self.files.items())
        return all(path.is_file() and path.stat().st_size == size for path, size in paths)

    @property
    def may_pass(self) -> bool:
        """Whether the recording was refused for a reason that the next run may not find."""
        return self.reason is not None and any(words in self.reason for words in PASSING)

    @property
    def stays(self) -> bool:
        """Whether it was refused, but the corpus keeps the recording of an earlier run."""
        return self.status == REFUSED and bool(self.files)

    def save(self, root: Path) -> None:
        """Write the record: from now on the recording counts.

        Raises:
            InputError: it cannot be written.
        """
        write_json(record_path(root, self.split, self.name), asdict(self))


def record_path(root: Path, split: str, name: str) -> Path:
    """The path of a recording's record."""
    return root / RECORDS / split / f"{name}.json"


def clip_path(recording: CorpusRecording, person: str) -> str:
    """A person's path in the index: ``site/chat/person/clip``."""
    return f"{SITE}/{recording.name}/{person}/{CLIP}"


def describe_refusal(
    root: Path, recording: CorpusRecording, why: str, sources: tuple[Source, ...]
) -> Outcome:
    """The outcome of a recording that cannot be made; one of an earlier run stays if no file is missing."""
    before = Outcome.load(record_path(root, recording.split, recording.name))
    if before is None or before.status != DONE or not before.stands(root, before.sources):
        return Outcome(recording.name, recording.split, REFUSED, why, sources, {}, None)
    videos = " and ".join(source.path for source in before.sources)
    reason = f"{why}; the corpus keeps the recording that an earlier run made from {videos}"
    return replace(before, status=REFUSED, reason=reason, sources=sources)


def discard(root: Path, recording: CorpusRecording) -> None:
    """Delete the files of an older version of a recording's videos.

    Raises:
        InputError: a file cannot be removed.
    """
    record = record_path(root, recording.split, recording.name)
    before = Outcome.load(record)
    with writable(record):
        record.unlink(missing_ok=True)
        for name in before.files if before else ():
            (root / name).unlink(missing_ok=True)


def write_index(root: Path, split: str, names: Sequence[str]) -> None:
    """Write a split's ``.csv``: a row for each recording, with A as the speaker.

    Raises:
        InputError: it cannot be written.
    """
    rows = [",".join(("", *COLUMNS))]
    for number, name in enumerate(names):
        paths = (clip_path(CorpusRecording(name, split, ()), person) for person in PEOPLE)
        rows.append(",".join((str(number), *paths)))
    with whole_file(root / f"{split}.csv") as partial:
        partial.write_text("\n".join(rows) + "\n", "utf-8")


@contextmanager
def unfinished(root: Path, recording: CorpusRecording) -> Iterator[Path]:
    """A working folder; at the end of the block, its files are moved into the split's folder.

    Raises:
        InputError: something cannot be written.
    """
    # The process's number separates files that the last worker of a killed run may still write.
    work = root / UNFINISHED / f"{recording.split}-{recording.name}-{os.getpid()}"
    target = root / recording.split
    with writable(work):
        work.mkdir(parents=True)
        try:
            yield work
            for file in sorted(path for path in work.rglob("*") if path.is_file()):
                place = target / file.relative_to(work)
                place.parent.mkdir(parents=True, exist_ok=True)
                put_in_place(file, place)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def write_track(folder: Path, clip: str, track: Track) -> None:
    """Write a person's face (T, 1, 58) and expression (T, 25) under a split's folder.

    Both hold NaN where no face was found.
    """
    face, expression = folder / FACES / f"{clip}.npy", folder / EMOTIONS / f"{clip}.csv"
    for path in (face, expression):
        path.parent.mkdir(parents=True, exist_ok=True)
    np.save(face, track.face[:, None, :])
    # Nine digits preserve every float32.
    header = ",".join(EXPRESSION_CHANNELS)
    np.savetxt(expression, track.expression, "%.9g", delimiter=",", header=header, comments="")


def sound_path(folder: Path, clip: str) -> Path:
    """The path of a person's sound; its folder is created."""
    path = folder / SOUNDS / f"{clip}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def parquet_path(folder: Path, recording: CorpusRecording) -> Path:
    """The path of a recording's Parquet file; its folder is created."""
    path = folder / PARQUET / SITE / f"{recording.name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def list_files(folder: Path, split: str) -> dict[str, int]:
    """Size of each file in a working folder, by its future path within the corpus."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {(Path(split) / path.relative_to(folder)).as_posix(): path.stat().st_size for path in files}


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Errors of the system in the block name this path.

    Raises:
        InputError: the system refused to write.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {reason(error)}; choose another place") from error
