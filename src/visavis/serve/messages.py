"""The messages of a client, after they were checked."""

from __future__ import annotations

from dataclasses import dataclass

from visavis.reaction.style import Style


@dataclass(frozen=True, slots=True)
class FrameMessage:
    """One picture from the client.

    Attributes:
        id: the client's number of the picture.
        time_s: time at which the client took the picture, on the client's own clock.
        jpeg: the file, not yet checked.
    """

    id: int
    time_s: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class SettingsMessage:
    """The person's settings.

    Attributes:
        read_expressions: whether expressions may be read.
        mirror: whether the avatar moves like a mirror image.
    """

    read_expressions: bool
    mirror: bool


@dataclass(frozen=True, slots=True)
class CalibrateMessage:
    """The face is neutral now."""


@dataclass(frozen=True, slots=True)
class GuideMessage:
    """Whether a guided calibration should run."""

    on: bool


@dataclass(frozen=True, slots=True)
class ProfileMessage:
    """Whether the person's profile should be kept or forgotten."""

    keep: bool


@dataclass(frozen=True, slots=True)
class FaceTokensMessage:
    """Whether answers should contain the face's token."""

    on: bool


@dataclass(frozen=True, slots=True)
class SoundMessage:
    """A stretch of the person's sound.

    Attributes:
        rate_hz: samples per second.
        time_s: time of the first sample, on the clock of the frames.
        pcm: mono samples, 16-bit integers, little-endian.
    """

    rate_hz: int
    time_s: float
    pcm: bytes


@dataclass(frozen=True, slots=True)
class ListenMessage:
    """Whether the avatar should listen instead of mirror, and which listener it is.

    Attributes:
        on: whether the avatar listens.
        seed: a different seed gives a different listener.
        style: style of the listener; None draws it at random.
    """

    on: bool
    seed: int
    style: Style | None


@dataclass(frozen=True, slots=True)
class RecordMessage:
    """Whether the session should be recorded."""

    on: bool


@dataclass(frozen=True, slots=True)
class ExpressMessage:
    """The expression that the avatar should show.

    Attributes:
        label: one of :data:`~visavis.channels.EXPRESSIONS`; None for the person's own expression.
    """

    label: str | None


@dataclass(frozen=True, slots=True)
class OutputMessage:
    """Whether the face should be sent to an output.

    Attributes:
        address: address of the output.
        on: whether to send.
    """

    address: str
    on: bool


@dataclass(frozen=True, slots=True)
class PaceMessage:
    """Whether the client wants to be told how often its pictures are needed."""

    on: bool


@dataclass(frozen=True, slots=True)
class ResumeMessage:
    """The client wants tokens, and goes on with an earlier session.

    Attributes:
        token: the last token of the earlier session; None if there is none.
    """

    token: str | None


Wish = (
    SettingsMessage
    | CalibrateMessage
    | GuideMessage
    | ProfileMessage
    | FaceTokensMessage
    | ListenMessage
    | OutputMessage
    | RecordMessage
    | ExpressMessage
    | PaceMessage
    | ResumeMessage
)
Message = FrameMessage | SoundMessage | Wish
