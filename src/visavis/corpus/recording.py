"""The recordings that the user's videos make, with fingerprints of the files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from visavis.errors import InputError

# The order of the people: in one picture, the left person comes first.
PEOPLE = ("A", "B")
# Names in a corpus that cannot be splits: see ``build.QUALITY`` and ``layout.RECORDS``.
TAKEN = ("quality", "items")
# Bytes of a recording's name with its split. File names have at most 255, and more follows in some.
LONGEST_NAME = 220
# Machines that share a folder may round a file's time differently.
CLOCKS_DIFFER_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """Settings of all recordings of a corpus.

    Attributes:
        fps: frames per second of the corpus; REACT has 25.
        tolerance_s: largest allowed difference of the lengths of two videos of one conversation.
        least_found: share of the frames in which each person's face must be found.
        segment_s: length of the segments in which long videos are processed; faces and expressions start
            again, with a run-up, at each segment.
        parquet: whether each recording gets a Parquet file too.
    """

    fps: float = 25.0
    tolerance_s: float = 0.5
    least_found: float = 0.5
    segment_s: float = 60.0
    parquet: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= 240:
            raise InputError(f"a corpus has 1 to 240 frames per second; found {self.fps:g}")
        if not self.segment_s > 0:
            raise InputError(f"the segments of a corpus last more than 0 s; found {self.segment_s:g}")


@dataclass(frozen=True, slots=True)
class CorpusRecording:
    """One conversation.

    Attributes:
        name: name of its folder in the corpus.
        split: its split of the corpus.
        videos: one video with both people side by side, or a video of A and one of B.
    """

    name: str
    split: str
    videos: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """What identifies a video file.

    Attributes:
        path: path as given by the user.
        size: bytes.
        mtime_ns: time of the last change.
        sha256: hexadecimal digest of its bytes; empty if they could not be read, or changed meanwhile.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path, known: Source | None = None) -> Source:
        """The fingerprint of a file; it is read completely unless a known source has the same size and time.

        Raises:
            InputError: the file does not exist or cannot be read.
        """
        try:
            facts = path.stat()
            if not path.is_file():
                raise InputError(f"{path}: not a file; name the videos themselves")
            if known and known.sha256 and (known.size, known.mtime_ns) == (facts.st_size, facts.st_mtime_ns):
                return cls(str(path), known.size, known.mtime_ns, known.sha256)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        return cls(str(path), facts.st_size, facts.st_mtime_ns, digest)

    def require_unchanged(self) -> None:
        """See that the file is still the one of this fingerprint.

        Raises:
            SourceChangedError: it is not, or it is gone.
        """
        try:
            facts = os.stat(self.path)
            same = facts.st_size == self.size and abs(facts.st_mtime_ns - self.mtime_ns) < CLOCKS_DIFFER_NS
        except OSError:
            same = False
        if not same:
            raise SourceChangedError(
                f"{self.path}: was changed or removed while it was read; the same command reads it again"
            )


class SourceChangedError(InputError):
    """A video is no longer what it was at the start of the run."""


def list_recordings(videos: Sequence[Path], split: str, *, pairs: bool) -> list[CorpusRecording]:
    """The recordings that these videos make.

    Args:
        videos: videos in the user's order.
        split: their split of the corpus.
        pairs: every two consecutive videos show A and B of one conversation; else each video shows both
            people side by side.

    Raises:
        InputError: the number of videos for pairs is odd, a video is named twice, two recordings have the
            same name, a name is too long, or the split's name is not plain or is reserved.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", split):
        raise InputError(f"{split!r} is no name of a split; use letters, digits, - and _, as in train")
    if split.lower() in TAKEN:
        raise InputError(f"{split!r} is the name of something else in a corpus; call the split otherwise")
    if pairs and len(videos) % 2:
        raise InputError(f"--pairs takes videos two by two, A before B; found {len(videos)}")
    step = len(PEOPLE) if pairs else 1
    recordings: dict[str, CorpusRecording] = {}
    seen: set[str] = set()
    for start in range(0, len(videos), step):
        group = tuple(videos[start : start + step])
        for video in group:
            place = os.path.realpath(video)  # Unlike Path.resolve, it takes links in a circle.
            if place in seen:
                raise InputError(f"{video}: named twice; each video belongs to one recording")
            seen.add(place)
        name = "+".join(_plain(video.stem) for video in group)
        if (size := len(f"{split}-{name}".encode())) > LONGEST_NAME:
            raise InputError(
                f"{' and '.join(map(str, group))}: the name in the corpus has {size} bytes with its split; "
                f"at most {LONGEST_NAME} are possible: rename, or link under a shorter name"
            )
        # On some systems, names that differ only in case are the same.
        if (other := recordings.get(name.casefold())) is not None:
            raise InputError(
                f"{group[0]} and {other.videos[0]} would both be called {name!r} in the corpus; rename one"
            )
        recordings[name.casefold()] = CorpusRecording(name, split, group)
    return list(recordings.values())


def mismatch(videos: Sequence[Path], ends_s: Sequence[float], tolerance_s: float) -> float:
    """How much longer than the other one of two videos is, in seconds.

    Raises:
        InputError: it is more than the tolerance.
    """
    mismatch_s = abs(ends_s[0] - ends_s[1])
    if mismatch_s > tolerance_s:
        raise InputError(
            f"{videos[0]} lasts {ends_s[0]:.2f} s and {videos[1]} {ends_s[1]:.2f} s: {mismatch_s:.2f} s "
            f"apart, and at most {tolerance_s:g} s are allowed; cut both to the same conversation"
        )
    return mismatch_s


def _plain(stem: str) -> str:
    """A name that is safe in paths and tables."""
    return re.sub(r"[^\w.-]+", "_", stem).strip("._") or "video"
