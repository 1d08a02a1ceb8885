from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from support import tiny_fer
from visavis.capture.portrait import PortraitClip
from visavis.expression.reader import CROP_DOWN, CROP_SCALE
from visavis.face.detector import FaceDetector
from visavis.face.network import FaceNetwork
from visavis.face.region import LANDMARK_MARGIN, FaceRegion
from visavis.types import FloatArray, ImageArray

collect_ignore_glob = [] if find_spec("torch") else ["*"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("research")


@cache
def keep_operators() -> None:
    """Makes torch's table of operators once and not for each export."""
    with suppress(ImportError, AttributeError):  # Other versions of torch may have the table elsewhere.
        from torch.onnx._internal.exporter._registration import ONNXRegistry

        ONNXRegistry.from_torchlib = staticmethod(cache(ONNXRegistry.from_torchlib))  # type: ignore[assignment]


@pytest.fixture(scope="module", autouse=True)
def exports() -> Iterator[Callable[..., Any]]:
    """Networks are exported faster than users do, where that is possible; yields users' export."""
    import torch

    from support.quick_export import quick_export

    export = torch.onnx.export

    def as_users(*arguments: Any, **keywords: Any) -> Any:
        keep_operators()
        return export(*arguments, **keywords)

    def quick(*arguments: Any, **keywords: Any) -> Any:
        try:
            return quick_export(*arguments, **keywords)
        except Exception:  # noqa: BLE001 - The older exporter lacks operators, and each fails in its own way.
            return as_users(*arguments, **keywords)

    torch.onnx.export = quick  # type: ignore[assignment]
    yield as_users
    torch.onnx.export = export


@pytest.fixture(scope="module")
def as_users_export(exports: Callable[..., Any]) -> None:
    """From here on, the module exports as users do: its tests read the file's operators."""
    import torch

    torch.onnx.export = exports


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small FER-2013 with votes."""
    folder = tmp_path_factory.mktemp("fer2013")
    tiny_fer.write(folder)
    return folder


@pytest.fixture
def toml(data: Path, tmp_path: Path) -> Path:
    """An experiment on it; its run folder is ``run`` beside it."""
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_fer.CONFIG.format(data=data, out=tmp_path / "run"))
    return path


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that the trainer made."""
    from support.tiny_report import train_one

    return train_one(data, tmp_path_factory.mktemp("trained"))


@pytest.fixture
def make_run(data: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a run folder by hand; see :func:`tiny_report.write_run`."""
    from support.tiny_report import write_run

    def make(folder: str = "a", name: str = "tiny", faces: Path = data, *, finished: bool = True) -> Path:
        return write_run(tmp_path / folder, name, faces, finished=finished)

    return make


@pytest.fixture(scope="session")
def crop() -> ImageArray:
    """The embedded portrait, cut as FER-2013 cuts its faces."""
    image_rgb = next(iter(PortraitClip())).image_rgb
    network = FaceNetwork()
    region = FaceRegion.from_box(FaceDetector().detect(image_rgb)[0].box_xyxy, LANDMARK_MARGIN)
    for _ in range(2):
        region = network.next_region(network.read(image_rgb, [region])[0])
    cut = region.scaled(CROP_SCALE, CROP_DOWN).crop(image_rgb, 48)
    return np.asarray(cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY), np.uint8)


@pytest.fixture(scope="session")
def points(crop: ImageArray) -> FloatArray:
    """(146, 2) of that face, in shares of the crop's side."""
    from visavis_train.face.data.crop_landmarks import find_landmarks

    return find_landmarks(crop[None]).points[0]
