"""The guided calibration of one client, and the profile that its avatar uses."""

from __future__ import annotations

from pathlib import Path

from visavis.avatar.guide import Guide, Guiding
from visavis.avatar.profile import Profile
from visavis.errors import InputError
from visavis.pipeline import Pipeline
from visavis.serve.protocol import RefusedError
from visavis.types import Face

NOT_HERE = (
    "this server keeps nothing: it keeps a profile only where one process serves its own computer alone"
)
LISTENS = "The avatar listens: choose Mirror first."


class Calibrating:
    """One session's calibration: ``see`` runs in the worker thread, everything else in the event loop.

    A kept profile is used from the beginning. An unreadable profile is ignored.

    Args:
        pipeline: the pipeline whose avatar uses the profile.
        path: file for the profile, kept on request; None if no profile may be kept.

    Attributes:
        profile: the person's profile; None while there is none.
        problem: why no profile can be kept, or why the kept one is ignored; empty if there is no problem.
    """

    def __init__(self, pipeline: Pipeline, path: Path | None) -> None:
        self.problem = NOT_HERE if path is None else ""
        self._path = path
        self._guide: Guide | None = None
        self._wanted: tuple[Profile | None] | None = None
        self.profile = pipeline.profile
        if self.kept and path is not None and self.profile is None:
            try:
                self.profile = Profile.load(path)
                pipeline.wear(self.profile)
            except InputError as error:
                self.problem = str(error)

    def resume(self, profile: Profile) -> None:
        """Use the profile of an earlier session from the next frame on."""
        self.profile, self._wanted = profile, (profile,)

    @property
    def kept(self) -> bool:
        """Whether there is a kept profile."""
        return self._path is not None and self._path.is_file()

    def guide(self, on: bool) -> None:
        """Start a guided calibration at the next frame, or cancel it."""
        self._guide = Guide() if on else None

    def keep(self, wish: bool) -> bool:
        """Keep the profile in its file, or delete the file; then the avatar learns again.

        Raises:
            RefusedError: no profile may be kept here, there is no profile yet, or the file cannot be changed.
        """
        if self._path is None:
            raise RefusedError("not_kept", NOT_HERE)
        try:
            if wish:
                if self.profile is None:
                    raise RefusedError("not_kept", "there is nothing to remember yet: calibrate first")
                self.profile.save(self._path)
            else:
                self._path.unlink(missing_ok=True)
                self.profile, self._wanted = None, (None,)
        except InputError as error:
            raise RefusedError("not_kept", str(error)) from error
        except OSError as error:
            raise RefusedError("not_kept", f"{self._path}: cannot be deleted: {error.strerror}") from error
        self.problem = ""
        return wish

    def see(self, pipeline: Pipeline, faces: tuple[Face, ...], time_s: float) -> Guiding | None:
        """Process one frame's faces; returns None while there is no guided calibration."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            pipeline.wear(wanted[0])
        guide = self._guide
        if guide is None:
            return None
        if pipeline.listener is not None:
            self._guide = None
            return Guiding("refused", "rest", 1, 1.0, LISTENS)
        guiding = guide.update(faces[0] if faces else None, time_s)
        if guiding.state != "running":
            self._guide = None
        if guide.profile is not None:
            self.profile = guide.profile
            pipeline.wear(guide.profile)
        return guiding
