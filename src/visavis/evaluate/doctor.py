"""Checks of what works on this computer and what does not.

Everything except the standard library is imported inside the checks, because they must find packages that
cannot be imported.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from visavis.base.machine import UNUSABLE, machine, versions
from visavis.errors import DeviceError, VisavisError

if TYPE_CHECKING:
    from visavis.capture.camera import Camera

OLDEST_PYTHON = (3, 11)
# Extra -> (a package that only it brings, what it is for).
EXTRAS = {
    "mediapipe": ("mediapipe", "MediaPipe's face tracker as a second one"),
    "train": ("torch", "training networks of your own"),
    "metrics": ("numba", "measuring reactions"),
    "corpora": ("scipy", "reading ViCo's coefficients"),
    "tables": ("pandas", "tables for pandas and Parquet"),
    "live2d": ("live2d", "drawing a Live2D model"),
    "camera": ("pyvirtualcam", "a virtual camera"),
    "scale": ("ray", "building corpora on a Ray cluster"),
}
VIDEO_CODEC, SOUND_CODEC = "libx264", "aac"
DEVICES = Path("/dev")
MOST_CAMERAS = 4


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        name: what was checked.
        ok: whether it works.
        essential: whether visavis needs it for its main functions.
        detail: what was found, or what to do.
    """

    name: str
    ok: bool
    essential: bool
    detail: str


def checks(port: int | None = None) -> Iterator[Check]:
    """Run all checks, one after the other; failed checks raise no errors.

    Args:
        port: port of the page; None for its default.
    """
    python = ".".join(str(v) for v in sys.version_info[:3])
    oldest = ".".join(str(v) for v in OLDEST_PYTHON)
    yield Check("python", sys.version_info >= OLDEST_PYTHON, True, f"{python} (needs {oldest} or newer)")
    made = ", ".join(f"{name} {version}" for name, version in versions().items() if name != "python")
    yield Check("packages", UNUSABLE not in made, True, made)
    about = machine()
    yield Check(
        "machine", True, False, f"{about['processor']}, {about['threads']} threads, {about['system']}"
    )
    yield from check_networks()
    yield attempt("8 bits", _look_at_int8)
    yield attempt("avatar", _look_at_avatar)
    yield attempt("portrait", _look_at_portrait)
    yield attempt("video encoder", lambda: _look_at_codec(VIDEO_CODEC))
    yield attempt("sound encoder", lambda: _look_at_codec(SOUND_CODEC), essential=False)
    yield attempt("cameras", look_at_cameras, essential=False)
    yield attempt("page", lambda: look_at_port(port), essential=False)
    for extra, (package, purpose) in EXTRAS.items():
        yield check_extra(extra, package, purpose)


def attempt(name: str, look: Callable[[], str], *, essential: bool = True) -> Check:
    """The check of a function that returns details or raises an error."""
    try:
        return Check(name, True, essential, look())
    except (VisavisError, ImportError) as error:
        return Check(name, False, essential, " ".join(str(error).split()))


def check_networks() -> Iterator[Check]:
    """Compare every embedded network with the manifest, and open it with ONNX Runtime."""
    try:
        from visavis.base import networks

        known = networks.manifest()
    except (VisavisError, ImportError) as error:
        yield Check("networks", False, True, str(error))
        return
    if not known:
        yield Check("networks", False, True, "the manifest names none; reinstall visavis")
    for name, entry in known.items():

        def look(name: str = name, detail: str = f"{entry.file}, {entry.size / 1e6:.1f} MB") -> str:
            networks.open_session(name)
            return detail

        yield attempt(f"network {name}", look)


def _look_at_int8() -> str:
    from visavis.base import int8

    names = ", ".join(int8.variants() + int8.STORED_RUNS * ["face (some layers)"])
    measured = f"{int8.gain():.1f} times as fast as 32 bits here"
    used = "used" if int8.wanted() else "not used"
    return f"{measured}; {names}: {used} ({int8.VARIABLE}={int8.choice()})"


def _look_at_avatar() -> str:
    from visavis.avatar.puppet import Puppet

    return f"a drawing of {len(Puppet.load().rig.layers)} layers"


def _look_at_portrait() -> str:
    from visavis.capture.portrait import PortraitClip

    return f"a clip of {PortraitClip().duration_s:g} s for the demo"


def _look_at_codec(codec: str) -> str:
    import av

    try:
        av.Codec(codec, "w")
    except (ValueError, av.FFmpegError) as error:
        raise DeviceError(
            f"av {av.__version__} comes without {codec}: pip install --force-reinstall av"
        ) from error
    return f"{codec} of av {av.__version__}"


def look_at_cameras(open_camera: Callable[[int], Camera] | None = None) -> str:
    """The cameras that give a picture.

    Raises:
        DeviceError: no camera does.
    """
    if open_camera is None:
        from visavis.capture.camera import Camera

        open_camera = Camera
    found = []
    for index in _candidates():
        try:
            with open_camera(index) as camera:
                found.append(f"{index} ({camera.size[0]}x{camera.size[1]})")
        except DeviceError:
            continue
    if not found:
        raise DeviceError("none found; files and  visavis demo --headless  work without one")
    return ", ".join(found)


def look_at_port(port: int | None) -> str:
    """Test that the page's port is free.

    Raises:
        DeviceError: the port is in use.
    """
    from visavis.serve.app import DEFAULT_PORT

    port = DEFAULT_PORT if port is None else port
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DeviceError(f"port {port}: {error.strerror}; use  visavis serve --port N") from error
    return f"port {port} is free"


def check_extra(extra: str, package: str, purpose: str) -> Check:
    """Check whether an optional part is installed, or say how to install it."""
    if find_spec(package) is not None:
        return Check(f"extra {extra}", True, False, purpose)
    return Check(f"extra {extra}", False, False, f"{purpose}: in a clone, pip install -e '.[{extra}]'")


def camera_likely(devices: Path = DEVICES) -> bool:
    """Whether there seems to be a camera. Opening it could turn on its light or ask for permission."""
    return sys.platform != "linux" or bool(_candidates(devices))


def display_likely(environment: Mapping[str, str]) -> bool:
    """Whether a browser could show a page on this computer."""
    return sys.platform != "linux" or any(environment.get(key) for key in ("DISPLAY", "WAYLAND_DISPLAY"))


def _candidates(devices: Path = DEVICES) -> list[int]:
    if sys.platform != "linux":
        return list(range(MOST_CAMERAS))
    names = (path.name.removeprefix("video") for path in devices.glob("video*"))
    return sorted(int(name) for name in names if name.isdecimal())[:MOST_CAMERAS]
