"""Small inputs and stand-ins that several tests share."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from support.console import CommandLine
from visavis import testing
from visavis.avatar.puppet import Puppet
from visavis.pipeline import Pipeline
from visavis.testing import PaintedPuppet
from visavis.types import ImageArray

MakeVideo = Callable[..., Path]

# Torch's threads wait for each other in a busy loop, which costs most where all cores are taken. Torch reads
# this when it is imported; programs that tests start, and xdist's workers, inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Computers that test are busy: how long an example takes says nothing of the law that it tests.
settings.register_profile("visavis", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("visavis")


# Files whose programs take all cores, or that load the same. Each group runs on one worker, test after test.
TOGETHER = {
    "ray": ("corpus/test_engines", "serve/test_ray_serve"),
    "pages": tuple(
        f"serve/test_{name}"
        for name in ("page", "page_calibrating", "page_consent", "page_kept_tokens", "page_listen", "watch")
    ),
    # Who exports first as users do loads torch's exporter: 5 s.
    "exports": (
        *(
            f"train/expression/{name}"
            for name in ("models/test_sparse", "quantize/test_methods", "test_card")
        ),
        *(f"train/{name}" for name in ("listener/test_network", "onnx/test_export", "onnx/test_read")),
        "train/expression/quantize/test_comparison",
    ),
    "models": tuple(
        f"serve/test_{name}" for name in ("face_tokens", "live2d_stage", "recorder", "retarget", "vrm")
    ),
}


def pytest_collection_finish() -> None:
    """What the imports left is not looked through again by each collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """A worker runs a file, or a group of :data:`TOGETHER`."""
    from xdist.scheduler import LoadFileScheduling

    every = [Path(__file__).parent / f"{file}.py" for files in TOGETHER.values() for file in files]
    assert all(path.is_file() for path in every), "a group names a file that is no more"

    class Grouped(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.split("::")[0]
            return next(
                (name for name, files in TOGETHER.items() if path.removesuffix(".py").endswith(files)), path
            )

    return Grouped(config, log)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared real data."""
    path = Path(os.environ.get("VISAVIS_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))
    if not path.is_dir():
        pytest.skip(f"no shared data at {path}; set VISAVIS_SHARED")
    return path


def counting_image(index: int, size: tuple[int, int]) -> ImageArray:
    """Grey that grows with the index, its top left quarter white: tells order and orientation."""
    image = np.full((size[1], size[0], 3), 20 + 4 * (index % 40), np.uint8)
    image[: size[1] // 2, : size[0] // 2] = 255
    return image


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Writes a small video and returns its path."""

    def make(
        name: str = "clip.mp4",
        count: int = 30,
        size: tuple[int, int] = (64, 48),
        fps: int = 30,
        times_s: Sequence[float] | None = None,
        sound_hz: float | None = None,
    ) -> Path:
        path = tmp_path / name
        codec = "libvpx" if path.suffix == ".webm" else "mpeg4" if path.suffix == ".avi" else "libx264"
        with av.open(str(path), "w", options={"movflags": "+faststart"}) as output:
            video = output.add_stream(codec, rate=fps)
            video.width, video.height, video.pix_fmt = *size, "yuv420p"
            video.codec_context.time_base = Fraction(1, fps if times_s is None else 1000)
            video.codec_context.max_b_frames = 0
            video.codec_context.gop_size = 10
            sound = output.add_stream("aac", rate=16000, layout="mono") if sound_hz else None
            for index in range(count if times_s is None else len(times_s)):
                frame = av.VideoFrame.from_ndarray(counting_image(index, size), format="rgb24")
                frame.pts = index if times_s is None else round(1000 * times_s[index])
                frame.time_base = video.codec_context.time_base
                output.mux(video.encode(frame))
            if sound is not None:
                time_s = np.arange(16000 * count // fps) / 16000
                samples = (0.5 * np.sin(2 * np.pi * sound_hz * time_s)).astype(np.float32)[None]
                chunk = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
                chunk.sample_rate, chunk.pts = 16000, 0
                output.mux(sound.encode(chunk))
                output.mux(sound.encode(None))
            output.mux(video.encode(None))
        return path

    return make


@pytest.fixture
def painted_puppet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the real puppet's place wherever one is loaded."""
    monkeypatch.setattr(Puppet, "load", PaintedPuppet)


@pytest.fixture
def squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Corpora are built with the faces of drawn calls."""
    from support.conversations import SquareTracker, square_pipeline

    monkeypatch.setattr("visavis.corpus.watching.Pipeline", square_pipeline)
    monkeypatch.setattr("visavis.corpus.watching.open_tracker", lambda *_: SquareTracker())


@pytest.fixture
def scripted_pipeline() -> Pipeline:
    """A pipeline whose tracker and classifier are stand-ins and whose avatar is real."""
    return testing.scripted_pipeline()


@pytest.fixture
def visavis(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, scripted_pipeline: Pipeline
) -> CommandLine:
    """Runs a command line on the scripted pipeline; returns its exit status."""

    def made(*_: object, mirror: bool = True, **__: object) -> Pipeline:
        scripted_pipeline.mirror = mirror
        return scripted_pipeline

    monkeypatch.setattr("visavis.pipeline.Pipeline", made)
    return command_line


@pytest.fixture
def command_line(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Runs a command line; returns its exit status."""
    return CommandLine(capsys)
