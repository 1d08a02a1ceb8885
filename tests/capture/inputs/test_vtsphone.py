from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.phones import VTubeStudioPhone, vtube_studio_frame
from visavis.base.address import Address
from visavis.capture.inputs import vtsphone
from visavis.capture.inputs.vtsphone import VTSPhoneDecoder
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.types import FaceState


def decoded(**changes: object) -> FaceState:
    (state,) = VTSPhoneDecoder().decode(vtube_studio_frame(**changes))
    return state


def test_a_frame() -> None:
    state = decoded()
    assert (state["eyeBlinkLeft"], state["jawOpen"], state["eyeBlinkRight"]) == (0.75, 0.25, 0)
    assert np.degrees(state.head_rad).tolist() == pytest.approx([10, 20, -5])
    assert state.translation_cm.tolist() == [-5.5, -6.25, 0]


@pytest.mark.parametrize("spell", [str, lambda name: name[0].upper() + name[1:], "short", "Short"])
def test_spellings_of_names(spell: object) -> None:
    def spelled(name: str) -> str:
        if callable(spell):
            return str(spell(name))
        short = name.removesuffix("Left") + "_L" if name.endswith("Left") else name
        short = short.removesuffix("Right") + "_R" if short.endswith("Right") else short
        return short[0].upper() + short[1:] if spell == "Short" else short

    for name in BLENDSHAPES:
        assert decoded(BlendShapes=[{"k": spelled(name), "v": 0.5}])[name] == 0.5


def test_a_phone_that_sees_no_face_says_so() -> None:
    assert VTSPhoneDecoder().decode(vtube_studio_frame(FaceFound=False, BlendShapes=[])) == (None,)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b"\xff\xfe{",
        vtube_studio_frame(FaceFound="yes"),
        vtube_studio_frame(BlendShapes=[]),
        vtube_studio_frame(BlendShapes=None),
        vtube_studio_frame(BlendShapes=[{"k": ["JawOpen"], "v": 1}]),
        vtube_studio_frame(BlendShapes=[{"k": "JawOpen", "v": "wide"}]),
        vtube_studio_frame(BlendShapes=[{"k": "JawOpen", "v": float("nan")}]),
        vtube_studio_frame(BlendShapes=[{"k": "JawOpen"}]),
        vtube_studio_frame(BlendShapes=[7]),
        vtube_studio_frame(Rotation={"x": 1}),
        vtube_studio_frame(Rotation={"x": 1e999, "y": 0, "z": 0}),
        vtube_studio_frame(Rotation={"x": 10**400, "y": 0, "z": 0}),
        vtube_studio_frame(Position=3),
    ],
)
def test_bad_datagrams_are_refused(bad: bytes) -> None:
    with pytest.raises((InputError, ValueError)):
        VTSPhoneDecoder().decode(bad)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("kvxyz"), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.binary(max_size=200),
    st.integers(0, 400),
    st.dictionaries(st.sampled_from(["FaceFound", "BlendShapes", "Rotation", "Position"]), json_values),
)
def test_cut_and_random_datagrams_are_read_or_refused(
    noise: bytes, end: int, changes: dict[str, object]
) -> None:
    decoder = VTSPhoneDecoder()
    whole = vtube_studio_frame(**changes)
    for datagram in (noise, whole, whole[:end], whole + whole, whole[:end] + noise):
        try:
            (state,) = decoder.decode(datagram)
        except (InputError, ValueError):
            continue
        assert state is None or isinstance(state, FaceState)


def test_the_request_is_as_documented() -> None:
    request = json.loads(vtsphone.request(50123))
    assert request == {
        "messageType": "iOSTrackingDataRequest",
        "time": 5.0,
        "sentBy": "visavis",
        "ports": [50123],
    }
    assert vtsphone.ASKED_S < request["time"] / 2 <= 5


def test_the_phone_is_asked_and_its_face_is_read() -> None:
    with VTubeStudioPhone() as phone, vtsphone.open(Address("vtsphone", "127.0.0.1", phone.port)) as source:
        face = next(frame.faces[0] for frame in source if frame.faces)
    assert face.state["eyeBlinkLeft"] == 0.75
    assert phone.requests[0]["ports"] == [source.port]


def test_an_address_without_a_phone_is_refused() -> None:
    with pytest.raises(InputError, match="name its IP address"):
        vtsphone.open(Address("vtsphone"))
