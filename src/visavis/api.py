"""The shortest way into visavis: the functions watch, record, recognize and react.

The package itself has these functions too: ``visavis.watch`` is :func:`visavis.api.watch`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from difflib import get_close_matches
from inspect import signature
from typing import Any, Literal

import numpy as np

from visavis.avatar.profile import Profile
from visavis.base.files import PathText, as_path
from visavis.capture.image import holds_image
from visavis.capture.source import open_source
from visavis.capture.video import VIDEO_SUFFIXES
from visavis.errors import InputError
from visavis.expression.registry import DEFAULT
from visavis.pipeline import Moment, Pipeline
from visavis.reaction.clip import Reaction
from visavis.reaction.listener import ListenerModel
from visavis.reaction.live import LiveListener
from visavis.reaction.style import Style
from visavis.recording.log import Recording
from visavis.recording.outputs import AvatarAlone, Outputs
from visavis.recording.react import SpeakerClip, react_to_recording
from visavis.recording.recognize import MAX_FACES, Recognizer
from visavis.recording.record import record_source
from visavis.track import Track
from visavis.types import Faces, ImageArray

# Options of the pipeline that ``record`` passes on.
_OPTIONS = signature(Pipeline).parameters.keys()


def watch(
    source: PathText | int = 0,
    *,
    tracker: str = "visavis",
    recognizer: PathText | None = DEFAULT,
    keep: float | None = None,
    max_faces: int = 1,
    mirror: bool = True,
    profile: Profile | PathText | None = None,
) -> Iterator[Moment]:
    """Watch a person; yields one :class:`~visavis.pipeline.Moment` for each frame.

    Args:
        source: a video file, the number of a camera, a track file, or a tracker's address, such as
            ``ifacialmocap://``.
        tracker: ``visavis``, or ``mediapipe`` if that extra is installed.
        recognizer: ``dense``, ``sparse``, or a file NET.onnx; None leaves expressions unread.
        keep: how many tokens ``sparse`` keeps.
        max_faces: maximum number of people to follow; the largest face moves the avatar.
        mirror: whether the avatar moves like a mirror image.
        profile: the person's profile, the name of its file, or ``me``; None learns it.

    Raises:
        InputError: the source cannot be read, or is damaged after some frame.
        DeviceError: the camera is missing or was lost, or the tracker's port is taken.

    Example:
        >>> for moment in visavis.watch("clip.mp4"):  # doctest: +SKIP
        ...     print(moment.face)
    """
    with (
        open_source(source) as opened,
        closing(
            Pipeline(tracker, recognizer, keep=keep, max_faces=max_faces, mirror=mirror, profile=profile)
        ) as pipeline,
    ):
        for frame in opened:
            yield pipeline.step(frame)


def record(
    source: PathText | int = 0,
    *,
    video: PathText | None = None,
    track: PathText | None = None,
    motion: PathText | None = None,
    reaction: PathText | None = None,
    listener: ListenerModel | LiveListener | PathText | bool | None = None,
    seed: int = 0,
    limit_s: float | None = None,
    picture: str = "both",
    background: str | None = None,
    size_px: int | None = None,
    fast: bool = False,
    **options: Any,
) -> Recording:
    """Let the avatar follow a person or listen to them, and write the results.

    Args:
        source: a video file, the number of a camera, a track file, or a tracker's address, such as
            ``ifacialmocap://``.
        video: file for the real face next to the avatar, or for the avatar alone, such as ``out.mp4``.
        track: file for face and expression over time, ``.npz``.
        motion: file for the avatar's motion, ``.motion3.json``.
        reaction: file for the listener's face over time, ``.npz``; needs a listener.
        listener: lets the avatar listen instead of mirror: True for the embedded listener; or a listener, or
            the name of its file.
        seed: a different seed gives a different listener.
        limit_s: stop after this many seconds.
        picture: what the video shows: ``both``, or ``avatar`` for a square with the avatar alone.
        background: with ``avatar``: ``soft`` (the default), a colour such as ``#00ff00``, or ``transparent``,
            which needs a video that ends in .webm or .mov.
        size_px: with ``avatar``: side of the video, an even number from 64 to 2160; by default 720.
        fast: encode the video in less time, into a file about twice as large.
        options: options of :class:`~visavis.pipeline.Pipeline`, such as ``recognizer`` or ``profile``.

    Returns:
        The results. ``error`` is set if the source ended early; everything read before that is written.

    Raises:
        InputError: an option is not known, an output cannot be written, or the source cannot be read.
        DeviceError: the camera does not exist, or the tracker's port is taken.

    Example:
        >>> visavis.record("clip.mp4", video="out.mp4", track="clip.npz")  # doctest: +SKIP
        >>> visavis.record("clip.mp4", video="m.webm", picture="avatar")  # doctest: +SKIP
    """
    for name in options.keys() - _OPTIONS:
        near = get_close_matches(name, (*signature(record).parameters, *_OPTIONS), 1)
        raise InputError(f"record has no option {name}" + (f"; did you mean {near[0]}?" if near else ""))
    alone = AvatarAlone.parse(picture, background, size_px)
    files = (None if path is None else as_path(path) for path in (video, track, motion, reaction))
    outputs = Outputs(*files, alone=alone, fast=fast)
    if reaction is not None and not listener:
        raise InputError("reaction needs a listener: give listener=True")
    outputs.validate(str(source))
    live: LiveListener | None = None
    if listener:
        live = listener if isinstance(listener, LiveListener) else LiveListener(_model(listener), seed)
    with (
        open_source(source) as opened,
        closing(Pipeline(**{"mirror": False, **options})) as pipeline,
    ):
        if live is not None:
            pipeline.listen(live)
        return record_source(opened, pipeline, outputs, limit_s=limit_s)


def recognize(
    picture: PathText | ImageArray,
    *,
    recognizer: PathText = DEFAULT,
    keep: float | None = None,
    max_faces: int = MAX_FACES,
    crops: bool = False,
) -> Faces:
    """The faces in a picture, the largest first, with their expressions.

    Args:
        picture: an image file, or an RGB array (H, W, 3) of uint8.
        recognizer: ``dense``, ``sparse``, or a file NET.onnx.
        keep: how many tokens ``sparse`` keeps.
        max_faces: maximum number of faces.
        crops: if no face is found in a small square picture, read it as a tight crop of a face.

    Raises:
        InputError: the file is not a picture; for videos, see :func:`watch`.

    Example:
        >>> print(visavis.recognize("photo.jpg"))  # doctest: +SKIP
        Face 0: happy 0.83, mouthSmileLeft 0.71, yaw -12, pitch 3, roll 0 deg, at x 210-420, y 96-330
    """
    # Errors of the picture are raised before networks are opened.
    if not isinstance(picture, np.ndarray | str | os.PathLike):
        raise InputError(
            f"a picture of type {type(picture).__name__}; expected an image file or an RGB array"
        )
    path = None if isinstance(picture, np.ndarray) else as_path(picture)
    if path is not None and path.suffix.lower() in VIDEO_SUFFIXES and not holds_image(path):
        raise InputError(f"{path}: a video; recognize reads pictures. Use visavis.watch")
    if path is not None and not path.is_file():
        found = "is a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {found}; expected an image file")
    pipeline = Pipeline(recognizer=recognizer, keep=keep, max_faces=max_faces)
    with closing(pipeline):
        reader = Recognizer(pipeline, crops=crops)
        if isinstance(picture, np.ndarray):
            return reader.read_pictures([picture])[0]
        return reader.read_image(picture).faces


def react(
    track: Track | PathText,
    *,
    audio: PathText | None = None,
    samples: int = 1,
    seed: int = 0,
    style: Style | Mapping[str, float] | str | None = None,
    guidance: float | None = None,
    listener: ListenerModel | PathText | None = None,
) -> Reaction:
    """Let listeners react to a recorded person.

    Args:
        track: track of the person, or the name of its file.
        audio: what the person says: a sound file, or the video itself.
        samples: number of listeners; all hear the same, and each reacts differently.
        seed: a different seed gives different listeners.
        style: traits of the listeners, such as ``{"nodding": 0.9}`` or ``"nodding=0.9"``; None draws them at
            random.
        guidance: 0 ignores the person, 1 is as trained, more is stronger; None is the listener's default.
        listener: a listener to use instead of the embedded one, or the name of its file.

    Raises:
        InputError: the track shows no face, the file has no sound, or a number is out of its range.

    Example:
        >>> visavis.react("clip.npz", audio="clip.mp4", samples=3).save("reactions.npz")  # doctest: +SKIP
    """
    person = track if isinstance(track, Track) else Track.load(track)
    speaker = SpeakerClip.of(person, audio)
    networks = _model(listener or True).with_sampling(guidance=guidance)
    character = Style.of(style)
    return react_to_recording(speaker, networks, samples=samples, seed=seed, style=character).reaction


def _model(listener: ListenerModel | PathText | Literal[True]) -> ListenerModel:
    """The networks of a listener, of its file, or (True) the embedded ones."""
    if listener is True:
        return ListenerModel.default()
    return listener if isinstance(listener, ListenerModel) else ListenerModel.load(as_path(listener))
