"""The output to VTube Studio: values, addresses and whole runs, against the fake one."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from support.samples import POSE, face_state, moving_track
from support.studio import opened, sample, until
from visavis.avatar.retarget import Retargeting
from visavis.base.address import Address
from visavis.channels import BLENDSHAPES
from visavis.cli import app
from visavis.errors import InputError, VisavisError
from visavis.outputs import Sample, open_output, vtube_studio
from visavis.outputs.formats.vts import connect
from visavis.outputs.vtube_studio import discovery
from visavis.outputs.vtube_studio.discovery import Announcement
from visavis.outputs.vtube_studio.errors import VTubeStudioError
from visavis.outputs.vtube_studio.login import CLICK
from visavis.testing import FakeVTubeStudio
from visavis.track import Track
from visavis.types import FaceState, FloatArray

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "vtube-studio.md"


def test_the_values_are_those_of_the_mapping(studio: FakeVTubeStudio) -> None:
    state = face_state(
        jawOpen=0.6, mouthSmileLeft=0.5, eyeBlinkRight=1.0, yaw=0.2, pitch=-0.1, roll=0.3, x=4, z=-60
    )
    connection = opened(studio)
    connection.send(sample(0.0, state))
    until(lambda: studio.injected)
    wanted = Retargeting.preset("vtubestudio").apply(state)
    assert studio.injected == [
        {name: value for name, value in wanted.items() if name in studio.parameters.all}
    ]
    assert studio.injected[0]["FaceAngleX"] == pytest.approx(np.degrees(-0.2), abs=1e-4)  # As in a mirror.
    assert studio.parameters.face_found
    connection.close()


def test_every_parameter_of_the_mapping_is_one_of_vtube_studio_s_own() -> None:
    assert Retargeting.preset("vtubestudio").parameters.keys() <= FakeVTubeStudio().parameters.all.keys()


def test_the_guide_s_table_is_the_mapping() -> None:
    mapping = Retargeting.preset("vtubestudio")
    table = ["| Input of VTube Studio | Moved by | Range | At rest |", "|---|---|---|---|"]
    for name, parameter in mapping.parameters.items():
        channels = ", ".join(mapping.rules.by_parameter[name].sum)
        table.append(
            f"| `{name}` | {channels} | {parameter.low:g} to {parameter.high:g} | {parameter.rest:g} |"
        )
    assert "\n".join([*table, ""]) in GUIDE.read_text(encoding="utf-8")


def test_each_message_of_the_guide_exists() -> None:
    table = GUIDE.read_text(encoding="utf-8").partition("| Message |")[2]
    quoted = re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)
    folder = Path(vtube_studio.__file__).parent
    sources = [*folder.glob("*.py"), folder.parent / "formats" / "vts.py"]
    # A message may be broken into two strings in the source.
    text = re.sub(r'"\s*f?"', "", "".join(path.read_text(encoding="utf-8") for path in sources))
    assert len(quoted) == 20
    assert [message for message in quoted if message not in text] == []


def test_a_model_that_is_no_mirror_swaps_sides(studio: FakeVTubeStudio) -> None:
    plain = face_state(
        eyeBlinkLeft=0.5, browOuterUpRight=0.3, mouthLeft=0.2, yaw=0.2, pitch=0.1, roll=-0.1, x=3, y=2
    )
    flipped = face_state(
        eyeBlinkRight=0.5, browOuterUpLeft=0.3, mouthRight=0.2, yaw=-0.2, pitch=0.1, roll=0.1, x=-3, y=2
    )
    for options, state in (("?mirror=0&custom=1", plain), ("?mirror=1&custom=1", flipped)):
        connection = opened(studio, options)
        connection.send(sample(0.0, state))
        connection.close()
    until(lambda: len(studio.injected) == 2)
    assert studio.injected[0] == pytest.approx(studio.injected[1], abs=1e-6)
    assert studio.injected[0]["FaceAngleX"] == pytest.approx(np.degrees(0.2), abs=1e-4)
    assert studio.injected[0]["ArkitEyeBlinkLeft"] == 0.5


def test_custom_parameters_are_created_once_and_hold_the_blendshapes(studio: FakeVTubeStudio) -> None:
    weights = {name: round(0.01 * index, 2) for index, name in enumerate(BLENDSHAPES)}
    connection = opened(studio, "?custom=1&mirror=0")
    assert connection.send(sample(0.0, face_state(**weights))) == ""
    until(lambda: studio.injected)
    for name, weight in weights.items():
        assert studio.injected[0][f"Arkit{name[0].upper()}{name[1:]}"] == pytest.approx(weight)
    connection.close()
    assert studio.requests.count("ParameterCreationRequest") == 52
    again = opened(studio, "?custom=1")
    assert again.send(sample()) == ""
    again.close()
    assert studio.requests.count("ParameterCreationRequest") == 52


def test_a_retarget_file_moves_parameters_of_its_own(studio: FakeVTubeStudio, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[MyJaw]\nsum = { jawOpen = 1 }\nin = [-1, 1]\nout = [-5, 5]\n")
    address = f"?map={tmp_path / 'mine.toml'}"
    connection = opened(studio, address)
    assert connection.send(sample()) == (
        "VTube Studio has no parameter MyJaw; with custom=1 visavis adds what is missing"
    )
    connection.close()
    connection = opened(studio, f"{address}&custom=1")
    assert connection.send(sample(0.0, face_state(jawOpen=0.5))) == ""
    until(lambda: studio.injected)
    assert studio.injected[0]["MyJaw"] == pytest.approx(2.5)
    made = studio.parameters.all["MyJaw"]
    assert (made.low, made.high, made.rest) == (-5, 5, 0)
    connection.close()


def test_a_parameter_that_cannot_be_created_is_told_and_the_others_are_sent(studio: FakeVTubeStudio) -> None:
    studio.fail("ParameterCreationRequest", 356)
    connection = opened(studio, "?custom=1")
    assert connection.send(sample()) == f"ArkitBrowDownLeft: {VTubeStudioError(356)}"
    until(lambda: studio.injected)
    assert sum(name.startswith("Arkit") for name in studio.injected[0]) == 51
    connection.close()


def test_without_a_face_the_values_ease_to_rest(studio: FakeVTubeStudio) -> None:
    connection = opened(studio)
    connection.send(sample(0.0, face_state(yaw=0.5, jawOpen=1.0)))
    for index in range(1, 90):
        connection.send(Sample(index / 30, None, POSE))
    until(lambda: len(studio.injected) == 90)
    angles = [values["FaceAngleX"] for values in studio.injected]
    assert all(0 > after > before for before, after in pairwise(angles))
    assert angles[9] == pytest.approx(angles[0] / np.e, rel=0.01)
    rest = {name: p.rest for name, p in Retargeting.preset("vtubestudio").parameters.items()}
    assert studio.injected[-1] == pytest.approx(rest, abs=0.01)
    assert not studio.parameters.face_found
    connection.close()


@pytest.mark.slow
def test_the_last_values_stay_while_no_frame_comes(studio: FakeVTubeStudio) -> None:
    opened(studio).close()
    with open_output(studio.address) as sender:
        sender.send(sample(0.0, face_state(yaw=0.2)))
        until(lambda: studio.injected)
        time.sleep(1.4)
        assert studio.value("FaceAngleX") == pytest.approx(np.degrees(-0.2), abs=1e-4)
        assert sender.status.sent == 1
    assert 3 <= len(studio.injected) <= 5


def test_vts_without_a_host_looks_on_this_computer(
    studio: FakeVTubeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(studio).close()
    monkeypatch.setattr("visavis.outputs.formats.vts.PORT", 1)
    found: list[Announcement | None] = [Announcement("127.0.0.1", studio.port, True, True)]
    monkeypatch.setattr(discovery, "hear_announcement", lambda: found[0])
    connection = connect(Address.parse("vts://"))
    connection.open()
    assert connection.send(sample()) == ""
    connection.close()
    for found[0], message in (
        (None, "cannot be reached"),
        (Announcement("127.0.0.1", studio.port, False, True), "Allow Plugin API access"),
        (Announcement("192.0.2.1", 8001, True, False), r"send to vts://192\.0\.2\.1:8001"),
    ):
        connection = connect(Address.parse("vts://"))
        with pytest.raises(VisavisError, match=message):
            connection.open()
        connection.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vts://host/name", "'name' means nothing here"),
        ("vts://?joy=Smile", "no option joy; known: map, custom, mirror, happy, sad"),
        ("vts://?map=nothing.toml", "nothing.toml: no such file; name a retarget file"),
        ("vts://?custom=yes", "custom is 'yes'; expected 0 or 1"),
    ],
)
def test_an_address_that_is_not_understood_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        connect(Address.parse(text))


def test_a_track_moves_vtube_studio_as_the_mapping_says(studio: FakeVTubeStudio, tmp_path: Path) -> None:
    track = moving_track(45)
    track.save(tmp_path / "T.npz")
    _follow(studio, tmp_path / "T.npz", track.face)


@pytest.mark.slow
def test_a_run_prints_what_the_person_must_do(tmp_path: Path) -> None:
    moving_track(45).save(tmp_path / "T.npz")
    with FakeVTubeStudio(allow=None) as studio:
        result = CliRunner().invoke(app, ["run", str(tmp_path / "T.npz"), "--send", studio.address])
    assert result.exit_code == 0
    assert result.output.count(f"{studio.address}: {CLICK}\n") == 1


@pytest.mark.shared
@pytest.mark.slow
def test_a_clip_moves_vtube_studio_as_the_mapping_says(
    studio: FakeVTubeStudio, tmp_path: Path, shared: Path
) -> None:
    path = tmp_path / "T.npz"
    clip = shared / "data" / "video" / "lp_d0.mp4"
    assert (
        CliRunner().invoke(app, ["run", str(clip), "--track", str(path), "--no-expressions"]).exit_code == 0
    )
    track = Track.load(path)
    _follow(studio, path, track.face[track.found])


def _follow(studio: FakeVTubeStudio, path: Path, faces: FloatArray) -> None:
    """Send a track; each injection must be the mapping of a row, in the order of rows."""
    opened(studio).close()  # Sign in before the first frame.
    result = CliRunner().invoke(app, ["run", str(path), "--send", studio.address, "--no-expressions"])
    assert result.exit_code == 0, result.output
    mapping = Retargeting.preset("vtubestudio")
    rows = [mapping.apply(FaceState(np.concatenate([row[:52].clip(0, 1), row[52:]]))) for row in faces]
    matched, row = 0, 0
    for values in studio.injected:
        while row < len(rows) and any(abs(values[n] - rows[row][n]) > 1e-4 for n in values):
            row += 1
        assert row < len(rows), f"{values} is the mapping of no later row"
        matched += 1
    assert matched >= 0.8 * len(rows)
