from __future__ import annotations

import numpy as np
import pytest

from support.live_link_packets import packet
from support.phones import free_port
from support.samples import sample
from visavis.base.address import Address
from visavis.capture.inputs import livelink
from visavis.capture.inputs.livelink import LiveLinkDecoder
from visavis.capture.source import open_source
from visavis.errors import InputError
from visavis.live_link import VALUES
from visavis.outputs.registry import open_output


def values(**named: float) -> list[float]:
    return [named.get(name, 0.0) for name in VALUES]


@pytest.mark.parametrize(
    ("name", "channel", "value"),
    [
        ("JawLeft", "jawLeft", 0.5),
        ("MouthRight", "mouthRight", 0.5),
        ("EyeBlinkRight", "eyeBlinkRight", 0.5),
        ("HeadYaw", "yaw", -0.5),
        ("HeadPitch", "pitch", -0.5),
        ("HeadRoll", "roll", 0.5),
    ],
)
def test_names_and_signs(name: str, channel: str, value: float) -> None:
    (state,) = LiveLinkDecoder().decode(packet(values(**{name: 0.5})))
    assert np.count_nonzero(state.values) == 1
    assert state[channel] == value


def test_without_a_face() -> None:
    assert LiveLinkDecoder().decode(packet(values())) == (None,)


def test_other_datagrams() -> None:
    with pytest.raises(InputError, match="no packet of Live Link Face"):
        LiveLinkDecoder().decode(b"hello")


@pytest.mark.parametrize("host", ["", "0.0.0.0", "[::]", "127.0.0.1"])  # noqa: S104
def test_what_our_output_sends_arrives(host: str) -> None:
    port = free_port()
    with (
        open_source(f"livelink://{host}:{port}") as source,
        open_output(f"livelink://127.0.0.1:{port}/Anna") as outlet,
    ):
        outlet.send(sample(jawOpen=0.5, yaw=0.25))
        frame = next(frame for frame in source if frame.faces)
    (face,) = frame.faces
    assert (face.state["jawOpen"], face.state["yaw"]) == (0.5, 0.25)
    assert source.live


def test_addresses_that_are_not_understood() -> None:
    with pytest.raises(InputError, match="means nothing here"):
        livelink.open(Address.parse("livelink://0.0.0.0/Anna"))
