"""The server's messages as JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import __version__
from visavis.avatar.guide import Guiding
from visavis.avatar.retarget import presets, usual_face
from visavis.avatar.retarget_file import Rules
from visavis.channels import ACTION_UNITS, EXPRESSIONS, FACE_CHANNELS
from visavis.pipeline import Moment, expression_region
from visavis.reaction.listener import ListenerModel
from visavis.reaction.style import CONTROLS
from visavis.serve.calibrating import NOT_HERE, Calibrating
from visavis.serve.jpeg import MAX_IMAGE_PIXELS
from visavis.serve.listening import NO_LISTENER
from visavis.serve.protocol import MAX_MESSAGE_BYTES, PROTOCOL_VERSION
from visavis.serve.vocabulary import FaceToken, Meaning, Vocabulary
from visavis.types import AvatarPose, BoolArray, Expression, Face, FaceState

NO_TOKENIZER = (
    "this server has no face tokenizer: start it with --encoder and --decoder, the two networks that "
    "visavis train leaves in a tokenizer's run folder"
)


@dataclass(frozen=True, slots=True)
class OutputLight:
    """One output as the page shows it.

    Attributes:
        address: address of the output.
        on: whether the person wants to send.
        light: see :class:`~visavis.outputs.sender.Status`.
        message: one line for the person; empty if all is well.
    """

    address: str
    on: bool
    light: str
    message: str


def encode_hello(
    reads_expressions: bool,
    drops_tokens: bool,
    vocabulary: Vocabulary | None = None,
    listener: ListenerModel | None = None,
    calibrating: Calibrating | None = None,
    *,
    alone: bool = True,
) -> str:
    """The server's first message: its name, what it offers, and what it accepts.

    Args:
        reads_expressions: whether this server can read expressions at all.
        drops_tokens: whether its recogniser drops tokens of the face.
        vocabulary: the vocabulary of face tokens; None if there is no tokenizer.
        listener: the listener; None if there is none.
        calibrating: calibration of the session; None if it has none.
        alone: whether viewer pages can show the session, which needs a server of one process.
    """
    return encode(
        "hello",
        protocol=PROTOCOL_VERSION,
        version=__version__,
        modes=modes(listener),
        reads_expressions=reads_expressions,
        drops_tokens=drops_tokens,
        expressions=EXPRESSIONS,
        action_units=ACTION_UNITS,
        channels=FACE_CHANNELS,
        face_tokens=face_tokens_offer(vocabulary),
        listener=listener_offer(listener),
        profile=profile_offer(calibrating),
        shows=alone,
        max_message_bytes=MAX_MESSAGE_BYTES,
        max_image_pixels=MAX_IMAGE_PIXELS,
    )


def face_tokens_offer(vocabulary: Vocabulary | None) -> dict[str, object]:
    """Whether face tokens are available, and why not."""
    if vocabulary is None:
        return {"vocabulary": None, "problem": NO_TOKENIZER}
    return {"vocabulary": vocabulary.tokenizer.vocabulary, "problem": None}


def modes(listener: ListenerModel | None) -> Sequence[str]:
    """The modes of the avatar."""
    return ["mirror"] if listener is None else ["mirror", "listen"]


def listener_offer(listener: ListenerModel | None) -> dict[str, object]:
    """Whether a listener is available, its controls, and why it is not available."""
    if listener is None:
        return {"controls": None, "problem": NO_LISTENER}
    return {"controls": CONTROLS, "problem": None}


def profile_offer(calibrating: Calibrating | None) -> dict[str, object]:
    """Whether a profile is kept, and why it cannot be kept or is ignored."""
    if calibrating is None:
        return {"kept": False, "problem": NOT_HERE}
    return {"kept": calibrating.kept, "problem": calibrating.problem or None}


def encode_error(code: str, message: str, frame_id: int | None = None) -> str:
    """One clear line about what went wrong.

    Args:
        code: a short name for programs.
        message: the line that people read.
        frame_id: the frame of the error, which counts as answered.
    """
    return encode("error", code=code, message=message, id=frame_id)


def encode_moment(
    moment: Moment,
    frame_id: int,
    timings_ms: dict[str, float],
    dropped: int,
    calibrated: bool | None,
    token: FaceToken | None,
    hears: bool | None,
    guiding: Guiding | None = None,
    lights: Sequence[OutputLight] | None = None,
    state: FaceState | None = None,
) -> str:
    """The results of one frame.

    Args:
        moment: the pipeline's result.
        frame_id: the client's number for the frame.
        timings_ms: milliseconds by stage, the pipeline's own and the server's.
        dropped: number of frames of this session that newer frames replaced before they were processed.
        calibrated: whether a calibration succeeded at this frame; None if none was requested.
        token: token of the first face; None without a face or if tokens are not requested.
        hears: whether the listener has sound; None while the avatar mirrors.
        guiding: state of a guided calibration; None while there is none.
        lights: the outputs, if they changed; None if they are as before.
        state: the face that outputs get; None without a face.
    """
    face = moment.face
    return encode(
        "moment",
        id=frame_id,
        time_s=moment.frame.time_s,
        faces=[_face(face) for face in moment.faces],
        expression=None
        if face is None or face.expression is None
        else _expression(face.expression, face.label),
        kept_tokens=None if face is None or face.kept is None else _kept_tokens(face, face.kept),
        pose=_pose(moment.pose),
        state=_state(state),
        timings_ms={name: round(value, 2) for name, value in timings_ms.items()},
        dropped=dropped,
        calibrated=calibrated,
        face_token=None if token is None else asdict(token),
        hears=hears,
        guide=None if guiding is None else asdict(guiding),
        outputs=None if lights is None else [asdict(light) for light in lights],
    )


def encode_pose(pose: AvatarPose, state: FaceState | None, mirrored: bool) -> str:
    """What a viewer page gets of a frame: pose, the face that outputs get, whether the pose is mirrored."""
    return encode("pose", pose=_pose(pose), state=_state(state), mirrored=mirrored)


def meaning_json(meaning: Meaning) -> dict[str, object]:
    """The meaning of a token, as JSON data."""
    return {
        "pose": _pose(meaning.pose),
        "mirrored_pose": _pose(meaning.mirrored_pose),
        "blendshapes": [{"name": name, "weight": weight} for name, weight in meaning.blendshapes],
    }


def describe_retargeting(rules: Rules) -> dict[str, object]:
    """Retargeting rules, with what a page needs to evaluate them, as JSON data."""
    return {
        "presets": presets(),
        "channels": FACE_CHANNELS,
        "neutral": usual_face().tolist(),
        "mirror": rules.mirror,
        "parameters": {name: asdict(rule) for name, rule in rules.by_parameter.items()},
    }


def _pose(pose: AvatarPose) -> dict[str, float]:
    return {name: round(value, 4) for name, value in pose.as_dict().items()}


def _state(state: FaceState | None) -> list[float] | None:
    return None if state is None else _rounded(state.values, 4)


def _face(face: Face) -> dict[str, Any]:
    return {
        "id": face.track_id,
        "score": round(float(face.score), 3),
        "box": _rounded(face.box_xyxy, 1),
        "landmarks": _rounded(face.landmarks_xy.ravel(), 1),
    }


def _expression(expression: Expression, label: str | None) -> dict[str, Any]:
    return {
        "label": label,
        "expressions": _rounded(expression.probabilities, 4),
        "valence": round(float(expression.valence), 4),
        "arousal": round(float(expression.arousal), 4),
        "action_units": _rounded(expression.action_units, 4),
    }


def _kept_tokens(face: Face, kept: BoolArray) -> dict[str, Any]:
    corners = expression_region(face).corners()
    return {
        "grid": len(kept),
        "kept": np.packbits(kept).tobytes().hex(),
        "corners": [_rounded(corner, 1) for corner in corners],
    }


def _rounded(values: NDArray[np.float32], digits: int) -> list[float]:
    rounded: list[float] = np.round(values.astype(np.float64), digits).tolist()
    return rounded


def encode(kind: str, **fields: Any) -> str:
    """A message of this type, whose fields docs/reference/protocol.md describes."""
    return json.dumps({"type": kind, **fields}, allow_nan=False, separators=(",", ":"))
