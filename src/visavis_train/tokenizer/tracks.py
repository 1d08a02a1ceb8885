"""Packs of face tracks, made from videos, signals of calls, single faces and conversations.

``visavis lab tracks`` makes them. Every clip is tracked once. Its track is kept next to the pack, in a folder
of the pack's name, so an interrupted run can go on from there.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from visavis.base.console import print_note, progress
from visavis.base.npz import read_npz
from visavis.base.reading import regular, require_distinct_names
from visavis.base.words import counted
from visavis.capture.video import VideoFile
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS, FACE_INDEX, TRANSLATIONS
from visavis.corpus.observe import observe
from visavis.corpus.split_screen import MOST_FACES, find_cut
from visavis.datasets.calls import CALL_RATE_HZ, read_calls
from visavis.datasets.tables import rows
from visavis.errors import InputError
from visavis.face.geometry import euler_angles
from visavis.face.mediapipe import NOT_READ
from visavis.face.tracker import open_tracker
from visavis.pipeline import Pipeline
from visavis.reaction.speech import FRAME_RATE_HZ
from visavis.track import NO_EXPRESSION, Track
from visavis_train.data.conversation_pack import load_listening
from visavis_train.data.track_pack import Clip, load_tracks, save_pack

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi")
# Single faces have no rate; a clip must have one.
STILL_FPS = 1.0
UNKNOWN_TO_TEACHER = [FACE_INDEX[name] for name in NOT_READ]
# In vc_dyads.npz: intensities 0..5 at 30 Hz; its body motion and gaze regions do not fit our channels.
AU_RANGE = 5.0
DYAD_CHANNELS = ((0, "cheekSquint", "AU6"), (1, "mouthSmile", "AU12"))


def track_video(path: Path, *, two: bool = False) -> list[Track]:
    """Track the face, or two people side by side, in a video.

    Raises:
        InputError: the file is not a video, is damaged, or does not show two people.
    """
    cut = None
    if two:
        with closing(open_tracker("visavis", MOST_FACES)) as tracker:
            cut = find_cut(path, tracker)
    people = [Pipeline() for _ in range(2 if two else 1)]
    with VideoFile(path) as video:
        fps = video.fps
        observed = observe(iter(video), people, cut, lambda: None)
    for pipeline in people:
        pipeline.close()
    tracks = []
    for person in observed:
        face = np.stack(person.face)
        found = np.asarray(np.isfinite(face).all(axis=1), np.bool_)
        tracks.append(Track(np.asarray(person.time_s), face, np.stack(person.expression), found, fps))
    return tracks


def dyad_clips(path: Path) -> list[Clip]:
    """Both people of every call as tracks with only smile and cheeks known.

    AU12 becomes mouthSmile and AU06 cheekSquint on both sides, and 5 becomes 1. From these blendshapes
    ``visavis.expression.action_units`` reads the two units.

    Raises:
        InputError: the file is of another kind.
    """
    clips = []
    for call in read_calls(path):
        name, signals = call.name, call.signals
        for person, who in enumerate("ab"):
            face = np.full((len(signals), len(FACE_CHANNELS)), np.nan, np.float32)
            expression = np.full((len(signals), len(EXPRESSION_CHANNELS)), np.nan, np.float32)
            for column, channel, unit in DYAD_CHANNELS:
                strength = np.clip(signals[:, person, column] / AU_RANGE, 0, 1)
                expression[:, EXPRESSION_CHANNELS.index(unit)] = strength
                for side in ("Left", "Right"):
                    face[:, FACE_INDEX[channel + side]] = strength
            clips.append(Clip(f"{name}_{who}", "dyads", CALL_RATE_HZ, face, expression))
    return clips


def still_clips(folder: Path) -> list[Clip]:
    """Single faces of many people as clips of one frame, called ``still_<split>_<id>``.

    Weights and rotation are from ``teacher.npz``. Weights that the teacher does not read are unknown.
    The place of a face is unknown, because the face was cut out of its picture.

    Raises:
        InputError: the folder lacks ``index.csv`` or ``teacher.npz``, or they do not fit each other.
    """
    splits = {row["id"]: row["split"] for _, row in rows(folder / "index.csv", ("id", "split"))}
    arrays = ("ids", "blendshapes", "matrix")
    names, weights, matrices = read_npz(folder / "teacher.npz", "teacher's answers", arrays).values()
    clips = []
    for name, shapes, matrix in zip(names.tolist(), weights, matrices.astype(np.float32), strict=True):
        if name not in splits:
            raise InputError(f"{folder}: the face {name} of teacher.npz is not in index.csv")
        face = np.asarray(
            [[*shapes, *euler_angles(matrix[:3, :3]), *[np.nan] * len(TRANSLATIONS)]], np.float32
        )
        face[0, UNKNOWN_TO_TEACHER] = np.nan
        clips.append(Clip(f"still_{splits[name]}_{name}", "stills", STILL_FPS, face, NO_EXPRESSION[None]))
    return clips


def rendered_clips(folder: Path) -> list[Clip]:
    """Rendered faces as clips of one frame, called ``<folder>_<number>``, source ``renders``.

    Weights and rotation are true ones. A face's place and expression are unknown.

    Raises:
        InputError: the folder lacks the ``labels.npz`` of ``visavis_train.data.rendering``.
    """
    labels = read_npz(
        folder / "labels.npz",
        "pack of rendered faces",
        ("blendshapes", "rotation"),
        made_by="visavis lab render",
    )
    place = [np.nan] * len(TRANSLATIONS)
    return [
        Clip(
            f"{folder.name}_{number:05d}",
            "renders",
            STILL_FPS,
            np.asarray([[*weights, *euler_angles(rotation), *place]], np.float32),
            NO_EXPRESSION[None],
        )
        for number, (weights, rotation) in enumerate(
            zip(labels["blendshapes"], labels["rotation"], strict=True)
        )
    ]


def conversation_clips(path: Path) -> list[Clip]:
    """All people of a pack of conversations, called ``talk_<split>_<number>``, source ``talks``.

    Raises:
        InputError: the file is not a pack.
    """
    pack = load_listening(path)
    return [
        Clip(
            f"talk_{pack.split}_{number:04d}",
            "talks",
            FRAME_RATE_HZ,
            clip.face.astype(np.float32),
            clip.expression.astype(np.float32),
        )
        for number, clip in enumerate(pack.clips())
    ]


def _wanted(path: Path) -> bool:
    """Whether a name is a video's and not hidden: macOS puts a hidden file beside each file of a tar."""
    return path.suffix.lower() in VIDEOS and not path.name.startswith(".")


@contextmanager
def _videos(path: Path) -> Iterator[dict[str, Path]]:
    """Name -> file, for one video or for all videos in a folder or a tar."""
    if path.is_dir():
        found = [p for p in sorted(path.iterdir()) if _wanted(p) and p.is_file()]
        if not found:
            raise InputError(f"{path}: holds no video; expected files ending in {', '.join(VIDEOS)}")
        require_distinct_names(found)
        yield {p.stem: p for p in found}
        return
    if path.suffix != ".tar":
        yield {path.stem: path}
        return
    with TemporaryDirectory() as scratch:
        try:
            with tarfile.open(regular(path)) as archive:
                members = [m for m in archive.getmembers() if m.isfile() and _wanted(Path(m.name))]
                archive.extractall(scratch, members, filter="data")
        except (OSError, tarfile.TarError) as error:
            raise InputError(f"{path}: not a readable tar: {error}") from error
        prefix = path.stem.partition("_")[0]
        require_distinct_names(Path(m.name) for m in members)
        yield {f"{prefix}_{Path(m.name).stem}": Path(scratch) / m.name for m in members}


def tracked_clips(path: Path, source: str, kept: Path, *, two: bool = False) -> list[Clip]:
    """The clips of one video, folder or tar, tracked now or in an earlier run."""
    kept.mkdir(parents=True, exist_ok=True)
    clips = []
    with _videos(path) as videos, progress(path.name, len(videos), "videos") as advance:
        for name, video in sorted(videos.items()):
            names = [f"{name}_left", f"{name}_right"] if two else [name]
            files = [kept / f"{each}.npz" for each in names]
            if not all(file.exists() for file in files):
                for file, track in zip(files, track_video(video, two=two), strict=True):
                    track.save(file)
            for each, file in zip(names, files, strict=True):
                track = Track.load(file)
                clips.append(Clip(each, source, track.fps, track.face, track.expression))
            advance()
    return clips


def make_pack(
    pack: Path,
    *,
    sources: Sequence[tuple[str, Path]] = (),
    two: Sequence[Path] = (),
    dyads: Path | None = None,
    stills: Path | None = None,
    renders: Sequence[Path] = (),
    conversations: Sequence[Path] = (),
    add: Sequence[Path] = (),
) -> None:
    """Track all new clips, and write the pack. The options are those of ``visavis lab tracks``.

    Raises:
        InputError: an input cannot be used.
    """
    kept = pack.with_suffix("")
    clips: list[Clip] = []
    for source, path in sources:
        clips += tracked_clips(path, source, kept)
    for path in two:
        clips += tracked_clips(path, "video", kept, two=True)
    if dyads is not None:
        clips += dyad_clips(dyads)
    if stills is not None:
        clips += still_clips(stills)
    for path in renders:
        clips += rendered_clips(path)
    for path in conversations:
        clips += conversation_clips(path)
    for path in add:
        clips += load_tracks(path)
    save_pack(pack, clips)
    print_note(f"{pack}: {counted(len(clips), 'clip')}, {counted(sum(map(len, clips)), 'frame')}")
