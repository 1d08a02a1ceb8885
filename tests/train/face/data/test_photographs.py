"""Packages of pictures: a failure is one line, and never counts as fetched."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.errors import InputError
from visavis_train.face.data import photographs
from visavis_train.face.data.photographs import Package, fetch, read_any

PACKAGE = Package(debian="walls", folder="usr")


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of stand-ins for apt-get and dpkg, which is all that the path holds with /bin."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    script(folder / "apt-get", "touch walls_1_all.deb")
    script(folder / "dpkg", 'mkdir -p "$3/usr" && touch "$3/usr/$2"')
    return folder


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_package_is_fetched_once(commands: Path, tmp_path: Path) -> None:
    place = fetch(PACKAGE, tmp_path / "cache")
    assert (place / "usr" / "walls_1_all.deb").exists()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["walls"]
    script(commands / "apt-get", "exit 1")
    assert fetch(PACKAGE, tmp_path / "cache") == place


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "apt-get",
            "echo reading >&2; echo 'E: Unable to locate package' >&2; exit 100",
            "100: E: Unable to locate",
        ),
        ("apt-get", "exit 3", "status 3: it says nothing"),
        ("apt-get", "true", "expected a downloaded"),
        ("dpkg", 'mkdir -p "$3/usr"; touch "$3/usr/half"; exit 2', "dpkg -x walls_1_all.deb .*status 2"),
    ],
)
def test_what_fails_is_one_line_and_not_in_the_cache(
    commands: Path, tmp_path: Path, name: str, text: str, said: str
) -> None:
    whole = (commands / name).read_text()
    script(commands / name, text)
    with pytest.raises(InputError, match=said) as caught:
        fetch(PACKAGE, tmp_path / "cache")
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "cache" / "walls").exists()
    (commands / name).write_text(whole)
    place = fetch(PACKAGE, tmp_path / "cache")
    assert [path.name for path in (place / "usr").iterdir()] == ["walls_1_all.deb"]


def test_without_apt_get_it_says_so(commands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt-get cannot be run"):
        fetch(PACKAGE, tmp_path / "cache")


@pytest.mark.parametrize("name", ["light.exr", "LIGHT.EXR"])
def test_light_is_known_by_its_ending_in_any_case(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    light = np.full((100, 120, 3), 3.0, np.float32)
    light[0] = -0.5  # As filters of renderers leave it beside a bright edge.
    monkeypatch.setattr(photographs, "_light", lambda path: light)
    image = read_any(Path(name))
    assert image is not None
    assert image.shape == (100, 120, 3)
    assert image[0].max() == 0


def test_a_picture_of_16_bits_is_read_as_one_of_8(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((100, 100, 3), 257 * 90, np.uint16))
    image = read_any(tmp_path / "deep.png")
    assert image is not None
    assert set(np.unique(image)) == {90}
