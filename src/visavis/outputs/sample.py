"""What is sent to an output: the face, its expression and the avatar's pose at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from visavis.avatar.expressions import expressed
from visavis.avatar.retarget import calibrated_face
from visavis.pipeline import Moment
from visavis.types import AvatarPose, Expression, Face, FaceState


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One moment of the face that moves the avatar.

    Attributes:
        time_s: time of the frame in seconds.
        state: the face: the person's own, or the listener's in listen mode; None while no face is seen. The
            person's profile and a chosen expression are worked in.
        pose: the avatar's pose.
        face: the tracked face, with landmarks; None in listen mode and while no face is seen.
        expression: what the face shows, or what was chosen; None if it was not read.
        label: the held or chosen expression; None if it was not read.
        size_px: width and height of the frame.
    """

    time_s: float
    state: FaceState | None
    pose: AvatarPose
    face: Face | None = None
    expression: Expression | None = None
    label: str | None = None
    size_px: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, moment: Moment) -> Self:
        """What an output gets of a moment."""
        face = moment.face if moment.face is not None and moment.state is moment.face.state else None
        state, shown = moment.state, None if face is None else face.expression
        label = None if face is None else face.label
        if state is not None and moment.profile is not None:
            state = calibrated_face(state, moment.profile)
        if state is not None and moment.forced:
            state = expressed(state, moment.forced)
        if state is not None and moment.chosen is not None:
            shown, label = moment.chosen, moment.chosen.label
        height, width = moment.frame.image_rgb.shape[:2]
        return cls(moment.frame.time_s, state, moment.pose, face, shown, label, (width, height))
