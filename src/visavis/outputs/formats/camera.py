"""Virtual camera: OBS, Zoom, Teams, browsers and other programs see Mira as a camera.

The address is ``camera://``, or ``camera:///dev/video9`` for one device. Options: ``size=720`` (pixels of the
square picture) and ``background=00ff00`` (a colour; Mira's own backdrop by default). The extra ``camera``
installs pyvirtualcam, which is under the GPL-2; it needs OBS's virtual camera, or v4l2loopback on Linux:
https://github.com/letmaik/pyvirtualcam. Mira is drawn in the sender's thread, so that tracking does not wait.
"""

from __future__ import annotations

import re
from typing import Any

from visavis.avatar.puppet import Puppet
from visavis.base.address import Address
from visavis.errors import DeviceError, InputError, MissingExtraError
from visavis.outputs.sample import Sample
from visavis.outputs.sender import Connection

FPS = 30
SIZES_PX = (64, 2160)
HEX_COLOR = re.compile(r"#?([0-9a-fA-F]{6})")


def connect(address: Address) -> Connection:
    """A virtual camera that is not yet open.

    Raises:
        InputError: the address has a host, or an option is not understood.
        MissingExtraError: pyvirtualcam is not installed.
    """
    address.require("size", "background", name=True)
    if address.host is not None:
        raise InputError(f"{address}: a virtual camera has no host; write camera:// or camera:///dev/video9")
    size = address.options.get("size", "720")
    if not size.isdecimal() or int(size) % 2 or not SIZES_PX[0] <= int(size) <= SIZES_PX[1]:
        raise InputError(
            f"{address}: size={size}; expected an even number of pixels, {SIZES_PX[0]} to {SIZES_PX[1]}"
        )
    text = address.options.get("background")
    found = HEX_COLOR.fullmatch(text or "000000")
    if found is None:
        raise InputError(f"{address}: background={text}; expected a colour such as 00ff00")
    color = None if text is None else tuple(bytes.fromhex(found[1]))
    return VirtualCamera(int(size), color, f"/{address.name}" if address.name else None)


class VirtualCamera:
    """Shows Mira to other programs.

    Args:
        size_px: side of the square picture.
        background: RGB colour; None for Mira's own backdrop.
        device: the system's name of the camera; None for the first one.

    Raises:
        MissingExtraError: pyvirtualcam is not installed.
    """

    # Programs expect a steady camera, also while no face comes.
    repeat_s: float | None = 1 / FPS
    waits = 1
    at_once = False

    def __init__(self, size_px: int, background: Any, device: str | None) -> None:
        try:
            import pyvirtualcam
        except ImportError as error:
            raise MissingExtraError("pyvirtualcam", "camera", "a virtual camera") from error
        self._library: Any = pyvirtualcam
        self._size_px, self._background, self._device = size_px, background, device
        self._camera: Any = None
        self._puppet: Puppet | None = None

    def open(self) -> None:
        """Open the camera.

        Raises:
            DeviceError: there is no virtual camera, or another program uses it.
        """
        self._puppet = self._puppet or Puppet.load()
        try:
            self._camera = self._library.Camera(self._size_px, self._size_px, FPS, device=self._device)
        except RuntimeError as error:
            why = str(error).rstrip(".")
            raise DeviceError(
                f"no virtual camera: {why}; start OBS's virtual camera once, or on Linux load v4l2loopback"
            ) from error

    def send(self, sample: Sample) -> str:
        """Draw and show one pose."""
        if self._camera is None or self._puppet is None:
            raise OSError("the virtual camera is closed")
        self._camera.send(self._puppet.draw(sample.pose, self._size_px, self._background))
        return f"the camera is called {self._camera.device}"

    def close(self) -> None:
        """Close the camera."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None
