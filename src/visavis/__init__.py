"""visavis watches a person, understands the face, and answers with a face of its own.

The names below are loaded when they are first used, so that ``import visavis`` costs nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visavis.api import react, recognize, record, watch
    from visavis.avatar.profile import Profile
    from visavis.avatar.puppet import Puppet
    from visavis.errors import DeviceError, InputError, MissingExtraError, VisavisError, WeightsError
    from visavis.pipeline import Moment, Pipeline
    from visavis.reaction.clip import Reaction
    from visavis.reaction.listener import ListenerModel
    from visavis.reaction.live import LiveListener
    from visavis.reaction.tokenizer import FaceTokenizer
    from visavis.recording.log import Recording
    from visavis.track import Track
    from visavis.types import AudioChunk, AvatarPose, Expression, Face, Faces, FaceState, Frame

# ONNX Runtime 1.31 and later sends reports to its maker unless this is set before its first import; visavis
# promises that nothing leaves the computer. To send the reports, set the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.2.0"

# Each public name and its module.
_HOMES = {
    **dict.fromkeys(("watch", "record", "recognize", "react"), "api"),
    **dict.fromkeys(("Moment", "Pipeline"), "pipeline"),
    **dict.fromkeys(("AudioChunk", "AvatarPose", "Expression", "Face"), "types"),
    **dict.fromkeys(("FaceState", "Faces", "Frame"), "types"),
    "Profile": "avatar.profile",
    "Puppet": "avatar.puppet",
    "ListenerModel": "reaction.listener",
    "FaceTokenizer": "reaction.tokenizer",
    "LiveListener": "reaction.live",
    "Reaction": "reaction.clip",
    "Recording": "recording.record",
    "Track": "track",
    **dict.fromkeys(
        ("DeviceError", "InputError", "MissingExtraError", "VisavisError", "WeightsError"), "errors"
    ),
}

__all__ = [
    "AudioChunk",
    "AvatarPose",
    "DeviceError",
    "Expression",
    "Face",
    "FaceState",
    "FaceTokenizer",
    "Faces",
    "Frame",
    "InputError",
    "ListenerModel",
    "LiveListener",
    "MissingExtraError",
    "Moment",
    "Pipeline",
    "Profile",
    "Puppet",
    "Reaction",
    "Recording",
    "Track",
    "VisavisError",
    "WeightsError",
    "__version__",
    "react",
    "recognize",
    "record",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'visavis' has no attribute {name!r}")
    found = getattr(import_module(f"visavis.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
