"""Small corpora in the exact layouts of the published ones, and videos of coloured faces."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from support.sounds import write_wav
from visavis.avatar.parameters import Animator
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.corpus.build import Build, build_corpus, plan
from visavis.corpus.engines import InProcess
from visavis.corpus.recording import CorpusSettings, list_recordings
from visavis.corpus.watching import Worker
from visavis.datasets.react2025 import BIG_FIVE
from visavis.expression.reader import ExpressionReader
from visavis.pipeline import Pipeline
from visavis.types import Face, FaceState, FloatArray, Frame, ImageArray

Color = tuple[int, int, int]
RED, BLUE, GRAY = (220, 60, 60), (60, 60, 220), (40, 40, 40)


REACT_ROWS = [
    ("NoXI/005_2016-03-18_Paris/Expert_video/1", "NoXI/005_2016-03-18_Paris/Novice_video/1"),
    ("RECOLA/group-2/P41/3", "RECOLA/group-2/P42/3"),
    ("UDIVA/talk/005013/FC1/1", "UDIVA/talk/005013/FC2/1"),
]


def face_numbers(seed: int, frames: int, width: int = 58) -> FloatArray:
    """(T, C), different for each seed."""
    return np.random.default_rng(seed).normal(size=(frames, width)).astype(np.float32)


def write_npy(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def write_expression(path: Path, values: FloatArray, names: Sequence[str] = EXPRESSION_CHANNELS) -> None:
    """As REACT does: 15 action units, then valence, arousal, and the expressions with capitals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = ",".join([*names[:17], *(name.capitalize() for name in names[17:])])
    np.savetxt(path, values, "%.9g", delimiter=",", header=header, comments="")


def write_silence(path: Path, rate_hz: int = 44100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(path, bytes(2 * rate_hz // 10), rate_hz)


def write_react(
    root: Path,
    rows: Sequence[tuple[str, str]],
    split: str = "val",
    frames: int = 8,
    expression_person: Callable[[str], str] = str,
) -> Path:
    """A split of REACT2023 or REACT2024: faces with a row more than expressions."""
    root.mkdir(parents=True, exist_ok=True)
    lines = [",speaker_path,listener_path"]
    for number, row in enumerate(rows):
        lines.append(f"{number},{row[0]},{row[1]}")
        for side, name in enumerate(row):
            *chat, person, clip = name.split("/")
            seed = 2 * number + side
            folder = root / split
            write_npy(folder / "3D_FV_files" / f"{name}.npy", face_numbers(seed, frames + 1)[:, None])
            expression = folder.joinpath("Emotion", *chat, expression_person(person), f"{clip}.csv")
            write_expression(expression, face_numbers(100 + seed, frames, 25))
            write_silence(folder / "Audio_files" / f"{name}.wav")
    (root / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return root


CAMERA = "Camera-2024-06-21-103121-103102"


def write_react2025(
    root: Path, sessions: Sequence[str] = ("session10", "session2"), split: str = "train", frames: int = 12
) -> Path:
    """A split of REACT2025, one conversation for each session."""
    for number, session in enumerate(sessions):
        for side, role in enumerate(("speaker", "listener")):
            place, seed = Path(role) / session / CAMERA, 2 * number + side
            folder = root / split
            write_npy(folder / "coefficients" / f"{place}.npy", face_numbers(seed, frames)[:, None])
            write_npy(folder / "facial-attributes" / f"{place}.npy", face_numbers(100 + seed, frames, 25))
            write_silence(folder / "audio" / f"{place}.wav")
    return root


def write_big_five(root: Path, session: str, traits: Sequence[float], split: str = "train") -> Path:
    """REACT2026's table of the listeners' traits, 1 to 5, of one clip."""
    table = root / split / "personality" / "listener.csv"
    table.parent.mkdir(exist_ok=True)
    row = ",".join(f"{value:g}" for value in traits)
    table.write_text(f"video_name,session,{','.join(BIG_FIVE)}\n{CAMERA}.mp4,{session},{row}\n")
    return table


def draw(faces: Sequence[tuple[int, Color]], size: tuple[int, int] = (128, 64)) -> ImageArray:
    """A grey picture with coloured squares of 24 px, each around a column."""
    image = np.full((size[1], size[0], 3), GRAY, np.uint8)
    for column, color in faces:
        image[20:44, column - 12 : column + 12] = color
    return image


def film(path: Path, pictures: Sequence[ImageArray], fps: int = 25, sound_hz: float | None = None) -> Path:
    """A video of these pictures, nearly without loss, with a key frame each second."""
    with av.open(str(path), "w") as output:
        options = {"crf": "1", "preset": "ultrafast", "g": str(fps)}
        video = output.add_stream("libx264", rate=fps, options=options)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv444p"
        sound = output.add_stream("aac", rate=44100, layout="mono") if sound_hz else None
        for picture in pictures:
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(video.encode(None))
        if sound is not None:
            time_s = np.arange(44100 * len(pictures) // fps) / 44100
            samples = (0.5 * np.sin(2 * np.pi * sound_hz * time_s)).astype(np.float32)[None]
            chunk = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            chunk.sample_rate, chunk.pts = 44100, 0
            output.mux(sound.encode(chunk))
            output.mux(sound.encode(None))
    return path


class SquareTracker:
    """Takes every coloured square for a face: its red opens the jaw, its blue raises the brows."""

    def update(self, frame: Frame) -> tuple[Face, ...]:
        image = frame.image_rgb.astype(int)
        colored = (image.max(axis=2) - image.min(axis=2) > 60).any(axis=0)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], colored, [0]])))
        return tuple(
            self._face(frame, left, right) for left, right in zip(edges[::2], edges[1::2], strict=True)
        )

    def _face(self, frame: Frame, left: int, right: int) -> Face:
        values = np.zeros(len(FACE_CHANNELS), np.float32)
        red, _, blue = frame.image_rgb[32, (left + right) // 2] / 255
        values[FACE_CHANNELS.index("jawOpen")], values[FACE_CHANNELS.index("browInnerUp")] = red, blue
        box = np.asarray([left, 20, right, 44], np.float32)
        corners = box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2)
        landmarks = np.random.default_rng(0).uniform(box[:2], box[2:], (40, 2))
        return Face(0, 0.9, box, landmarks, corners, FaceState(values))

    def reset(self) -> None: ...

    def close(self) -> None: ...


class SureClassifier:
    """Always sure of happiness."""

    def predict(self, crops: ImageArray) -> FloatArray:
        return np.tile(np.eye(8, dtype=np.float32)[1], (len(crops), 1))


def square_pipeline(**_: object) -> Pipeline:
    """Takes the place of the pipeline's default."""
    return Pipeline(SquareTracker(), ExpressionReader(SureClassifier()), Animator())


class SlowTracker(SquareTracker):
    """Gives a test time to interrupt it."""

    def update(self, frame: Frame) -> tuple[Face, ...]:
        time.sleep(0.004)
        return super().update(frame)


def slow_worker() -> Worker:
    """A worker of another process, to which no test's patches reach."""
    return Worker(lambda: Pipeline(SlowTracker(), ExpressionReader(SureClassifier())), SquareTracker())


def call(path: Path, count: int = 50, fps: int = 25, sound_hz: float | None = None) -> Path:
    """A side-by-side recording: the left face's jaw opens slowly."""
    pictures = [draw([(32, (100 + 2 * (n % 50), 20, 20)), (96, BLUE)]) for n in range(count)]
    return film(path, pictures, fps, sound_hz)


def alone(path: Path, color=RED, count: int = 50, fps: int = 25, sound_hz: float | None = None) -> Path:
    return film(path, [draw([(32, color)], (64, 64))] * count, fps, sound_hz)


def make(
    root: Path,
    *videos: Path,
    pairs: bool = False,
    split: str = "train",
    fps: float = 25.0,
    advance: Callable[[int], object] = lambda _: None,
    **settings: Any,
) -> Build:
    todo = plan(root, list_recordings(videos, split, pairs=pairs), CorpusSettings(fps=fps, **settings))
    return build_corpus(todo, InProcess(), advance)


def tree(root: Path) -> dict[str, str]:
    """Digest of every file by its path."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
