"""The recording of one session, in memory until the page has fetched it."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from visavis.errors import InputError
from visavis.motion.motion3 import write_motion3
from visavis.pipeline import Moment
from visavis.serve.protocol import RefusedError
from visavis.track import Track, rows_of
from visavis.types import AvatarPose, FloatArray

ONE_PROCESS = "this server has several processes, so nothing is recorded (--workers 1 would)"
LONGEST_S = 20 * 60.0
MOST_FRAMES = 40_000


class PageTake:
    """The faces and poses of one recording."""

    def __init__(self) -> None:
        self._times_s: list[float] = []
        self._faces: list[FloatArray] = []
        self._expressions: list[FloatArray] = []
        self._poses: list[AvatarPose] = []

    def __len__(self) -> int:
        return len(self._times_s)

    @property
    def full(self) -> bool:
        """Whether the recording is as long as it may be."""
        return len(self) >= MOST_FRAMES or (
            len(self) > 0 and self._times_s[-1] - self._times_s[0] >= LONGEST_S
        )

    def add(self, moment: Moment) -> None:
        """Add one frame."""
        face, expression = rows_of(moment.face)
        self._times_s.append(moment.frame.time_s)
        self._faces.append(face)
        self._expressions.append(expression)
        self._poses.append(moment.pose)

    @property
    def fps(self) -> float:
        """Average frames per second."""
        return (len(self) - 1) / (self._times_s[-1] - self._times_s[0])

    def save_track(self, path: Path) -> None:
        """Write the track of the face, ``.npz``."""
        faces = np.stack(self._faces)
        times_s = np.asarray(self._times_s) - self._times_s[0]
        found = np.asarray(np.isfinite(faces).all(axis=1), np.bool_)
        Track(times_s, faces, np.stack(self._expressions), found, self.fps).save(path)

    def save_motion(self, path: Path) -> None:
        """Write the avatar's motion, ``.motion3.json``."""
        write_motion3(path, self._poses, self.fps)


FILES: dict[str, Callable[[PageTake, Path], None]] = {
    "visavis.npz": PageTake.save_track,
    "visavis.motion3.json": PageTake.save_motion,
}


class Takes:
    """The last recording of each session."""

    def __init__(self) -> None:
        self._takes: dict[str, PageTake] = {}

    def keep(self, take: PageTake) -> str:
        """Keep a recording; returns the secret name under which it can be fetched."""
        name = secrets.token_urlsafe(16)
        self._takes[name] = take
        return name

    def drop(self, name: str) -> None:
        """Forget a recording."""
        self._takes.pop(name, None)

    def read(self, name: str, file: str) -> bytes:
        """One file of a recording.

        Raises:
            InputError: there is no such recording or file.
        """
        take, save = self._takes.get(name), FILES.get(file)
        if take is None or save is None:
            raise InputError("this recording no longer exists: record again")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file
            save(take, path)
            return path.read_bytes()


class Taking:
    """Records one session on request.

    Args:
        takes: keeps the recordings; None if none may be made.
    """

    def __init__(self, takes: Takes | None) -> None:
        self._takes = takes
        self._take: PageTake | None = None
        self._kept = ""
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin a new recording; the last one is forgotten.

        Raises:
            RefusedError: none may be made.
        """
        if self._takes is None:
            raise RefusedError("not_recorded", ONE_PROCESS)
        with self._lock:
            self._forget()
            self._take = PageTake()

    def stop(self) -> str:
        """End the recording; returns its secret name.

        Raises:
            RefusedError: nothing was recorded.
        """
        with self._lock:
            take, self._take = self._take, None
            if self._takes is None or take is None or len(take) < 2:
                raise RefusedError("not_recorded", "nothing was recorded: start the camera first")
            self._kept = self._takes.keep(take)
            return self._kept

    def see(self, moment: Moment) -> None:
        """Record one frame if a recording runs; a recording that is full takes no more."""
        with self._lock:
            if self._take is not None and not self._take.full:
                self._take.add(moment)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._take = None
            self._forget()

    def _forget(self) -> None:
        if self._takes is not None:
            self._takes.drop(self._kept)
        self._kept = ""
