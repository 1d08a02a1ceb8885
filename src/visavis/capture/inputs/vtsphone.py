"""VTube Studio on a phone: an iPhone, iPad or Android phone that sends its raw tracking to this computer.

``vtsphone://192.168.1.7`` asks the phone with this address to send. The app must allow "3rd Party PC
Clients".

The app sends one JSON object for each frame to the ports that a request names, until the time of the
request is over; so the request is repeated.
https://github.com/DenchiSoft/VTubeStudioBlendshapeUDPReceiverTest

Weights have ARKit's names with a capital letter (``EyeBlinkLeft``); those of Android have ``_L`` and ``_R``
(``EyeBlink_L``). MeowFace on Android answers the same request with small letters.

Signs. Rotation is in degrees, and x is not pitch: +x turns the nose to the image's right, +y down, and +z
leans the head anticlockwise as seen. Position grows to the image's left and up; its unit is not documented,
so x and y are taken as centimetres, and z is not used.

- The app's own example (VTubeStudioReceiveDataExample.cs) turns a cube before the camera by (-y, -x, z) and
  moves it by (-x, y) of Position.
- https://github.com/Veasu/warudo-vtubestudio and, for MeowFace, https://github.com/virtual-puppet-project/vpuppr
  turn heads in this sense.
- https://github.com/ovROG/rusty-bridge agrees on x, y and Position, but leans the other way.
"""

from __future__ import annotations

import json
import math

from visavis.base.address import Address
from visavis.base.clock import Clock
from visavis.base.words import reason
from visavis.capture.datagram_source import DatagramSource, Hello
from visavis.capture.tracked import SPELLINGS, state_of
from visavis.errors import InputError
from visavis.types import FaceState

PORT = 21412
# The app sends for this time after a request, and is asked again long before its end.
SENDS_S = 5.0
ASKED_S = 1.0


class VTSPhoneDecoder:
    """Reads the app's frames."""

    def decode(self, datagram: bytes) -> tuple[FaceState | None, ...]:
        """The face of a frame; None if the phone sees none.

        Raises:
            InputError: the datagram is no frame of the app. ValueError: it is no JSON, or holds no number.
        """
        try:
            frame = json.loads(datagram)
        except RecursionError as error:
            raise InputError("JSON that is nested too deep") from error
        if not isinstance(frame, dict) or not isinstance(found := frame.get("FaceFound"), bool):
            raise InputError("no frame of VTube Studio: it does not say FaceFound")
        if not found:
            return (None,)
        try:
            weights = {
                SPELLINGS[shape["k"]]: float(shape["v"])
                for shape in frame["BlendShapes"]
                if shape["k"] in SPELLINGS
            }
            aside, down, lean = (math.radians(float(frame["Rotation"][axis])) for axis in "xyz")
            x, y = (float(frame["Position"][axis]) for axis in "xy")
        except (KeyError, TypeError, OverflowError) as error:
            raise InputError(f"a frame of VTube Studio is not as documented: {reason(error)}") from error
        if not weights:
            raise InputError("a frame of VTube Studio without ARKit's weights")
        return (state_of(weights, (aside, -down, -lean), (-x, y, 0.0)),)


def request(port: int) -> bytes:
    """The message that lets the app send to a port of this computer."""
    asked = {"messageType": "iOSTrackingDataRequest", "time": SENDS_S, "sentBy": "visavis", "ports": [port]}
    return json.dumps(asked).encode()


def open(address: Address, clock: Clock | None = None) -> DatagramSource:
    """Ask a phone to send, and listen to it.

    Raises:
        InputError: the address names no phone, or the phone is not known.
        DeviceError: this computer has no network.
    """
    address.require()
    if address.host is None:
        raise InputError(
            f"{address}: the phone must be asked, so name its IP address, such as vtsphone://192.168.1.7; "
            "the app shows it under '3rd Party PC Clients'"
        )
    hello = Hello(address.port or PORT, request, ASKED_S, always=True)
    return DatagramSource(address, 0, VTSPhoneDecoder, clock=clock, hello=hello)
