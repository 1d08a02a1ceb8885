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
    """The server's first message: what it is, what it offers, what it takes.

    Args:
        reads_emotions: whether this server can read emotions at all.
        drops_tokens: whether its recogniser drops tokens of the face.
        vocabulary: that faces are told in; None where there is no tokenizer.
        listener: None where there is none.
        calibrating: the session's; None where it has none.
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
    """Whether words can be had, and why not."""
    if vocabulary is None:
        return {"vocabulary": None, "problem": NO_TOKENIZER}
    return {"vocabulary": vocabulary.tokenizer.vocabulary, "problem": None}


def modes(listener: FaceListener | None) -> Sequence[str]:
    """What the avatar can do."""
    return ["mirror"] if listener is None else ["mirror", "listen"]


def listener_offer(listener: FaceListener | None) -> dict[str, object]:
    """Whether a listener can be had and what it obeys, and why not."""
    if listener is None:
        return {"controls": None, "problem": NO_LISTENER}
    return {"controls": CONTROLS, "problem": None}


def profile_offer(calibrating: Calibrating | None) -> dict[str, object]:
    """Whether a profile is kept, and why none can be or it is ignored."""
    if calibrating is None:
        return {"kept": False, "problem": NOT_HERE}
    return {"kept": calibrating.kept, "problem": calibrating.problem or None}


def encode_guide(wish: GuideMessage) -> str:
    """A wish for a guided calibration as it was granted; it holds from the next frame on."""
    return _encode(type="guide", on=wish.on)


def encode_profile(kept: bool) -> str:
    """Whether a profile is kept now."""
    return _encode(type="profile", kept=kept)


def encode_listen(wish: ListenMessage) -> str:
    """A wish for a listener as it was granted; it holds from the next frame on."""
    temperament = None if wish.temperament is None else asdict(wish.temperament)
    return _encode(type="listen", on=wish.on, seed=wish.seed, temperament=temperament)


def encode_words(wish: WordsMessage) -> str:
    """A wish for words as it was granted; it holds from the next frame on."""
    return _encode(type="words", on=wish.on)


def encode_settings(settings: SettingsMessage) -> str:
    """The settings as the server took them; they hold from the next frame on."""
    return _encode(type="settings", read_emotions=settings.read_emotions, mirror=settings.mirror)


def encode_error(code: str, message: str, frame_id: int | None = None) -> str:
    """One clear line about what went wrong.

    Args:
        code: a short name for programs.
        message: the line for people.
        frame_id: the frame that it is about, which counts as answered.
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
    """What was found in one frame.

    Args:
        moment: the pipeline's result.
        frame_id: the client's number for the frame.
        timings_ms: milliseconds by stage, the pipeline's own and the server's.
        dropped: frames of this session that newer ones have replaced unprocessed.
        calibrated: whether a calibration succeeded at this frame; None when none was asked for.
        word: the first face's; None without a face or while words are not asked for.
        hears: whether the listener has sound; None while the avatar mirrors.
        guiding: where a guided calibration stands; None while nobody is guided.
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
    """What a word means, as JSON takes it."""
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
