"""iFacialMocap: an iPhone or iPad that tracks the face with ARKit, and every program that sends its format.

``ifacialmocap://192.168.1.7`` asks the phone with this address to send; ``ifacialmocap://`` only listens.
The phone sends to port 49983, whatever port the request came from.

A frame is one text, ``name-value|...|=head#rx,ry,rz,px,py,pz|rightEye#rx,ry,rz|leftEye#rx,ry,rz|``: values
0..100, angles in degrees, the head's place in metres. Version 2 has ``&`` instead of ``-``; newer versions
send ``trackingStatus``, which is 0 while no face is seen. https://www.ifacialmocap.com/for-developer/

Signs. The axes are ARKit's: x to the image's right (the person's left), y up, z out of the face. So +X
turns the nose down, +Y to the image's right, and +Z leans the head anticlockwise as seen. In the
documentation's frames, the eyes' angles agree with the weights eyeLook* in this sense, and with 0.0282 for
a degree. For the head:

- https://github.com/xuan25/VTube-IFacial-Link (utils.py) maps Y, -X and -Z to Live2D's angles;
- https://github.com/DrBomb/ExpressionAppBridge sends MediaPipe's angles in these axes, mirrored as a whole.

``trackingStatus`` as in https://github.com/an1by/SandoitchiBridge
"""

from __future__ import annotations

import math

from visavis.base.address import Address
from visavis.base.clock import Clock
from visavis.capture.datagram_source import DatagramSource, Hello
from visavis.capture.tracked import SPELLINGS, state_of
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.types import FaceState

PORT = 49983
GREETING = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719|sendDataVersion=v2"
GREETING_S = 2.0
USUAL = "VSeeFace, VMagicMirror or iFacialMocap's own program"
# The weight eyeLook* of an eye that is turned by one degree; measured on the documentation's frames.
LOOK_PER_DEGREE = 0.0282
LOOKS = frozenset(name for name in BLENDSHAPES if name.startswith("eyeLook"))


class IFacialMocapDecoder:
    """Reads frames of versions 1 and 2."""

    def decode(self, datagram: bytes) -> tuple[FaceState | None, ...]:
        """The face of a frame; None if the phone sees none.

        Raises:
            InputError: the datagram is no whole frame. ValueError: it is no text, or a value is no number.
        """
        weights: dict[str, float] = {}
        turns: dict[str, list[float]] = {}
        for part in datagram.decode("utf-8").split("|"):
            name, mark, value = part.partition("#")
            if mark:
                turns[name.strip(" =")] = [float(number) for number in value.split(",")]
                continue
            name, mark, value = part.partition("&" if "&" in part else "-")
            if channel := SPELLINGS.get(name.strip()):
                weights[channel] = float(value) / 100
            elif name.strip() == "trackingStatus" and value.strip() == "0":
                return (None,)
        head = turns.get("head", [])
        if len(head) != 6 or not weights:
            raise InputError("no whole frame of iFacialMocap: expected weights and =head# with six numbers")
        if weights.keys().isdisjoint(LOOKS):
            weights |= _looks(turns)
        down, aside, lean = map(math.radians, head[:3])
        x_m, y_m, z_m = head[3:]
        return (state_of(weights, (aside, -down, -lean), (100 * x_m, 100 * y_m, 100 * z_m)),)


def open(address: Address, clock: Clock | None = None) -> DatagramSource:
    """Listen to a phone; an address with a host asks it to send.

    Raises:
        InputError: the host is not known, or the address has options.
        DeviceError: the port is taken.
    """
    address.require()
    port = address.port or PORT
    hello = Hello(PORT, lambda _: GREETING, GREETING_S) if address.host else None
    return DatagramSource(address, port, IFacialMocapDecoder, clock=clock, hello=hello, usual=USUAL)


def _looks(turns: dict[str, list[float]]) -> dict[str, float]:
    """The weights eyeLook* from the angles of the eyes."""
    weights: dict[str, float] = {}
    for side in ("Left", "Right"):
        turn = turns.get(f"{side.lower()}Eye", [])
        if len(turn) != 3:
            continue
        down, left = LOOK_PER_DEGREE * turn[0], LOOK_PER_DEGREE * turn[1]
        out = left if side == "Left" else -left
        looks = {"Down": down, "Up": -down, "Out": out, "In": -out}
        weights |= {f"eyeLook{way}{side}": weight for way, weight in looks.items()}
    return weights
