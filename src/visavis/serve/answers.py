"""The server's messages as JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import __version__
from visavis.avatar.guide import Guiding
from visavis.channels import ACTION_UNITS, EXPRESSIONS
from visavis.pipeline import Moment, emotion_region
from visavis.reaction.listener import FaceListener
from visavis.reaction.temperament import CONTROLS
from visavis.serve.calibrating import NOT_HERE, Calibrating
from visavis.serve.listening import NO_LISTENER
from visavis.serve.protocol import (
    MAX_IMAGE_PIXELS,
    MAX_MESSAGE_BYTES,
    PROTOCOL_VERSION,
    GuideMessage,
    ListenMessage,
    SettingsMessage,
    WordsMessage,
)
from visavis.serve.vocabulary import FaceWord, Meaning, Vocabulary
from visavis.types import AvatarPose, BoolArray, Emotion, Face

NO_TOKENIZER = (
    "this server has no face tokenizer: start it with --encoder and --decoder, the two networks that "
    "visavis train leaves in a tokenizer's run folder"
)


def encode_hello(
    reads_emotions: bool,
    drops_tokens: bool,
    vocabulary: Vocabulary | None = None,
    listener: FaceListener | None = None,
    calibrating: Calibrating | None = None,
) -> str:
    """The server's first message: its name, what it offers, and what it accepts.

    Args:
        reads_emotions: whether this server can read emotions at all.
        drops_tokens: whether its recogniser drops tokens of the face.
        vocabulary: the vocabulary of face tokens; None if there is no tokenizer.
        listener: the listener; None if there is none.
        calibrating: calibration of the session; None if it has none.
    """
    return _encode(
        type="hello",
        protocol=PROTOCOL_VERSION,
        version=__version__,
        modes=modes(listener),
        reads_emotions=reads_emotions,
        drops_tokens=drops_tokens,
        expressions=EXPRESSIONS,
        action_units=ACTION_UNITS,
        words=words_offer(vocabulary),
        listener=listener_offer(listener),
        profile=profile_offer(calibrating),
        max_message_bytes=MAX_MESSAGE_BYTES,
        max_image_pixels=MAX_IMAGE_PIXELS,
    )


def words_offer(vocabulary: Vocabulary | None) -> dict[str, object]:
    """Whether face tokens are available, and why not."""
    if vocabulary is None:
        return {"vocabulary": None, "problem": NO_TOKENIZER}
    return {"vocabulary": vocabulary.tokenizer.vocabulary, "problem": None}


def modes(listener: FaceListener | None) -> Sequence[str]:
    """The modes of the avatar."""
    return ["mirror"] if listener is None else ["mirror", "listen"]


def listener_offer(listener: FaceListener | None) -> dict[str, object]:
    """Whether a listener is available, its controls, and why it is not available."""
    if listener is None:
        return {"controls": None, "problem": NO_LISTENER}
    return {"controls": CONTROLS, "problem": None}


def profile_offer(calibrating: Calibrating | None) -> dict[str, object]:
    """Whether a profile is kept, and why it cannot be kept or is ignored."""
    if calibrating is None:
        return {"kept": False, "problem": NOT_HERE}
    return {"kept": calibrating.kept, "problem": calibrating.problem or None}


def encode_guide(wish: GuideMessage) -> str:
    """The answer to a request for a guided calibration; it holds from the next frame on."""
    return _encode(type="guide", on=wish.on)


def encode_profile(kept: bool) -> str:
    """Whether a profile is kept now."""
    return _encode(type="profile", kept=kept)


def encode_listen(wish: ListenMessage) -> str:
    """The answer to a request for a listener; it holds from the next frame on."""
    temperament = None if wish.temperament is None else asdict(wish.temperament)
    return _encode(type="listen", on=wish.on, seed=wish.seed, temperament=temperament)


def encode_words(wish: WordsMessage) -> str:
    """The answer to a request for face tokens; it holds from the next frame on."""
    return _encode(type="words", on=wish.on)


def encode_settings(settings: SettingsMessage) -> str:
    """The accepted settings; they hold from the next frame on."""
    return _encode(type="settings", read_emotions=settings.read_emotions, mirror=settings.mirror)


def encode_error(code: str, message: str, frame_id: int | None = None) -> str:
    """One clear line about what went wrong.

    Args:
        code: a short name for programs.
        message: the line that people read.
        frame_id: the frame of the error, which counts as answered.
    """
    return _encode(type="error", code=code, message=message, id=frame_id)


def encode_moment(
    moment: Moment,
    frame_id: int,
    timings_ms: dict[str, float],
    dropped: int,
    calibrated: bool | None,
    word: FaceWord | None,
    hears: bool | None,
    guiding: Guiding | None = None,
) -> str:
    """The results of one frame.

    Args:
        moment: the pipeline's result.
        frame_id: the client's number for the frame.
        timings_ms: milliseconds by stage, the pipeline's own and the server's.
        dropped: number of frames of this session that newer frames replaced before they were processed.
        calibrated: whether a calibration succeeded at this frame; None if none was requested.
        word: tokens of the first face; None without a face or if tokens are not requested.
        hears: whether the listener has sound; None while the avatar mirrors.
        guiding: state of a guided calibration; None while there is none.
    """
    face = moment.face
    return _encode(
        type="moment",
        id=frame_id,
        time_s=moment.frame.time_s,
        faces=[_face(face) for face in moment.faces],
        emotion=None if face is None or face.emotion is None else _emotion(face.emotion, face.label),
        tokens=None if face is None or face.kept is None else _tokens(face, face.kept),
        pose=_pose(moment.pose),
        timings_ms={name: round(value, 2) for name, value in timings_ms.items()},
        dropped=dropped,
        calibrated=calibrated,
        word=None if word is None else asdict(word),
        hears=hears,
        guide=None if guiding is None else asdict(guiding),
    )


def describe(meaning: Meaning) -> dict[str, object]:
    """The meaning of a token, as JSON data."""
    return {
        "pose": _pose(meaning.pose),
        "mirrored_pose": _pose(meaning.mirrored_pose),
        "blendshapes": [{"name": name, "weight": weight} for name, weight in meaning.blendshapes],
    }


def _pose(pose: AvatarPose) -> dict[str, float]:
    return {name: round(value, 4) for name, value in pose.as_dict().items()}


def _face(face: Face) -> dict[str, Any]:
    return {
        "id": face.track_id,
        "score": round(float(face.score), 3),
        "box": _rounded(face.box_xyxy, 1),
        "landmarks": _rounded(face.landmarks_xy.ravel(), 1),
    }


def _emotion(emotion: Emotion, label: str | None) -> dict[str, Any]:
    return {
        "label": label,
        "expressions": _rounded(emotion.expressions, 4),
        "valence": round(float(emotion.valence), 4),
        "arousal": round(float(emotion.arousal), 4),
        "action_units": _rounded(emotion.action_units, 4),
    }


def _tokens(face: Face, kept: BoolArray) -> dict[str, Any]:
    corners = emotion_region(face).corners()
    return {
        "grid": len(kept),
        "kept": np.packbits(kept).tobytes().hex(),
        "corners": [_rounded(corner, 1) for corner in corners],
    }


def _rounded(values: NDArray[np.float32], digits: int) -> list[float]:
    rounded: list[float] = np.round(values.astype(np.float64), digits).tolist()
    return rounded


def _encode(**fields: Any) -> str:
    return json.dumps(fields, allow_nan=False, separators=(",", ":"))
