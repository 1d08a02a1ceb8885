"""Every parser of data from outside, as a function of bytes, with valid inputs to begin with."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from support.live2d_folder import write_model
from support.live_link_packets import packet
from support.phones import FACEMOTION3D_FRAME, IFACIALMOCAP_FRAME, vtube_studio_frame
from support.samples import moving_track
from support.sounds import write_wav
from support.vrm_file import vrm_file
from visavis.avatar.profile import BOUNDS, Profile
from visavis.avatar.retarget_file import parse as parse_retargeting
from visavis.avatar.rig_load import load_rig
from visavis.base import networks, osc
from visavis.base.address import Address
from visavis.capture.image import decode_image
from visavis.capture.inputs.ifacialmocap import IFacialMocapDecoder
from visavis.capture.inputs.livelink import LiveLinkDecoder
from visavis.capture.inputs.vmc import Decoder as VMCDecoder
from visavis.capture.inputs.vtsphone import VTSPhoneDecoder
from visavis.capture.sound import Soundtrack
from visavis.capture.video import VideoFile
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.cubism.folder import ModelFolder
from visavis.datasets import fer2013
from visavis.datasets.face_labels import FaceLabels
from visavis.errors import VisavisError
from visavis.metrics.reaction_file import NEEDED, read_reactions
from visavis.motion.exp3 import Change, Exp3, read_exp3, write_exp3
from visavis.motion.motion3 import read_motion3, write_motion3
from visavis.outputs.vtube_studio.discovery import read_announcement
from visavis.pipeline import Pipeline
from visavis.reaction.clip import Reaction
from visavis.serve.jpeg import check_jpeg
from visavis.serve.messages import FrameMessage
from visavis.serve.own_files import check_vrm
from visavis.serve.protocol import decode_message, encode_frame, encode_sound
from visavis.track import Track
from visavis.types import AvatarPose, Frame

FRAMES = 3
LARGEST_SOUND_S = 5.0


@dataclass(frozen=True)
class Parser:
    """A parser under test.

    Attributes:
        parse: takes any bytes; only the errors that ``refuses`` names may leave it.
        seeds: valid inputs.
        refuses: documented errors for bad input.
    """

    parse: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    refuses: tuple[type[Exception], ...] = (VisavisError,)


_FOLDER = Path(tempfile.mkdtemp())


def from_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """A parser of files as a parser of bytes."""
    path = _FOLDER / name

    def parse(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return parse


def written(write: Callable[[Path], object], name: str) -> Callable[[], list[bytes]]:
    """The bytes of a file that a function writes."""

    def seeds() -> list[bytes]:
        with tempfile.TemporaryDirectory() as folder:  # Its own, since parsers run beside each other.
            path = Path(folder) / f"seed.{name}"
            write(path)
            return [path.read_bytes()]

    return seeds


def _message(data: bytes) -> None:
    """The first byte chooses between a binary message and a text."""
    if data[:1] == b"t":
        decode_message(data[1:].decode("utf-8", "replace"))
        return
    message = decode_message(data[1:])
    if isinstance(message, FrameMessage):
        check_jpeg(message.jpeg)


def _messages() -> list[bytes]:
    texts: list[dict[str, Any]] = [
        {"type": "settings", "read_expressions": True, "mirror": False},
        {"type": "listen", "on": True, "seed": 1, "style": None},
        {"type": "express", "label": "happy"},
        {"type": "output", "address": "vmc://localhost", "on": True},
        {"type": "record", "on": True},
    ]
    binary = [encode_frame(1, 0.5, _pictures()[0]), encode_sound(16_000, 0.5, bytes(320))]
    return [b"b" + data for data in binary] + [b"t" + json.dumps(text).encode() for text in texts]


def _pictures() -> list[bytes]:
    image = np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)
    return [cv2.imencode(ending, image)[1].tobytes() for ending in (".jpg", ".png", ".webp", ".bmp", ".tiff")]


def _film(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as output:
        video, audio = output.add_stream("mpeg4", rate=25), output.add_stream("aac", rate=16_000)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for _ in range(FRAMES):
            output.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.rate = 16_000
        output.mux(audio.encode(sound))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))


def _watch(path: Path) -> None:
    with VideoFile(path) as video:
        for frame in video:
            if frame.index >= FRAMES:
                return


def _hear(path: Path) -> None:
    with Soundtrack(path) as sound:
        for _ in sound.until(LARGEST_SOUND_S):
            pass


def _faces(path: Path) -> None:
    image = " ".join("7" for _ in range(48 * 48))
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerows([("emotion", "pixels", "Usage"), (3, image, "Training"), (0, image, "PublicTest")])


def _labels(path: Path) -> None:
    rotation = np.tile(np.eye(3, dtype=np.float32), (2, 1, 1))
    points = np.zeros((2, 146, 3), np.float32)
    weights = np.zeros((2, 52), np.float32)
    np.savez(path, landmarks146=points, blendshapes=weights, rotation=rotation, source=np.array(["a", "b"]))


def _reaction(path: Path) -> None:
    faces = np.zeros((1, 8, len(FACE_CHANNELS)), np.float32)
    Reaction(faces, np.zeros((1, 8, len(EXPRESSION_CHANNELS)), np.float32), 25.0, 1).save(path)


def _reactions(path: Path) -> None:
    np.savez(path, **{name: np.zeros((2, 3, 8, 25), np.float32) for name in NEEDED})


def _profile(path: Path) -> None:
    middle = {part: {k: (low + high) / 2 for k, (low, high) in each.items()} for part, each in BOUNDS.items()}
    Profile(**middle).save(path)


def _osc_packets() -> list[bytes]:
    blend = osc.encode("/VMC/Ext/Blend/Val", "jawOpen", 0.5)
    head = osc.encode("/VMC/Ext/Bone/Pos", "Head", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    return list(osc.bundles([blend, head, osc.encode("/VMC/Ext/Blend/Apply")]))


def _model(data: bytes) -> ModelFolder:
    path = _FOLDER / "model" / "m.model3.json"
    if not path.exists():
        path.parent.mkdir()
        write_model(path.parent).rename(path)
    path.write_bytes(data)
    return ModelFolder.load(path)


def _models() -> list[bytes]:
    folder = _FOLDER / "models"
    folder.mkdir()
    return [write_model(folder).read_bytes()]


def _poses() -> list[AvatarPose]:
    pipeline = Pipeline(recognizer=None)
    return [pipeline.step(Frame(np.zeros((32, 32, 3), np.uint8), i / 25)).pose for i in range(FRAMES)]


def _asset(name: str) -> bytes:
    return (files("visavis") / "assets" / name).read_bytes()


PARSERS = {
    "protocol": Parser(_message, _messages),
    "image": Parser(lambda data: decode_image(data, "fuzz"), _pictures),
    "video": Parser(from_file(_watch, "f.mp4"), written(_film, "mp4")),
    "sound": Parser(from_file(_hear, "f.wav"), written(lambda path: write_wav(path, bytes(3200)), "wav")),
    "osc": Parser(osc.decode, _osc_packets),
    "vmc": Parser(lambda data: VMCDecoder().decode(data), _osc_packets, (VisavisError, ValueError)),
    "livelink": Parser(lambda data: LiveLinkDecoder().decode(data), lambda: [packet([0.5] * 61)]),
    "vtsphone": Parser(
        lambda data: VTSPhoneDecoder().decode(data),
        lambda: [vtube_studio_frame()],
        (VisavisError, ValueError),
    ),
    "ifacialmocap": Parser(
        lambda data: IFacialMocapDecoder().decode(data),
        lambda: [IFACIALMOCAP_FRAME, FACEMOTION3D_FRAME],
        (VisavisError, ValueError),
    ),
    "announcement": Parser(
        lambda data: read_announcement(data, "127.0.0.1"),
        lambda: [b'{"messageType": "VTubeStudioAPIStateBroadcast", "data": {"active": true, "port": 8001}}'],
    ),
    "address": Parser(
        lambda data: Address.parse(data.decode("utf-8", "replace")),
        lambda: [b"vmc://localhost:39539/name?shapes=vrm0&rate=30"],
    ),
    "track": Parser(from_file(Track.load, "f.npz"), written(moving_track().save, "npz")),
    "recording": Parser(from_file(Track.load, "f.csv"), written(moving_track().save, "csv")),
    "reaction": Parser(from_file(Reaction.load, "r.npz"), written(_reaction, "npz")),
    "reactions": Parser(from_file(read_reactions, "s.npz"), written(_reactions, "npz")),
    "face_labels": Parser(from_file(FaceLabels.load, "l.npz"), written(_labels, "npz")),
    "fer2013": Parser(from_file(fer2013.load, "fer2013.csv"), written(_faces, "csv")),
    "motion3": Parser(
        from_file(read_motion3, "f.motion3.json"),
        written(lambda path: write_motion3(path, _poses(), 25.0), "motion3.json"),
    ),
    "exp3": Parser(
        from_file(read_exp3, "f.exp3.json"),
        written(lambda path: write_exp3(path, Exp3((Change("ParamMouthForm", 0.5),))), "exp3.json"),
    ),
    "profile": Parser(from_file(Profile.load, "f.json"), written(_profile, "json")),
    "retarget": Parser(
        lambda data: parse_retargeting(data.decode("utf-8", "replace"), "fuzz"),
        lambda: [_asset("retarget/vtubestudio.toml")],
    ),
    "rig": Parser(lambda data: load_rig(data.decode("utf-8", "replace")), lambda: [_asset("puppet.json")]),
    "model3": Parser(_model, _models),
    "vrm": Parser(lambda data: check_vrm(data, "fuzz"), lambda: [vrm_file(), vrm_file(version=0)]),
    "network": Parser(
        lambda data: networks.session_of(data, "fuzz"), lambda: [_asset("tokens_decoder.onnx")]
    ),
}
