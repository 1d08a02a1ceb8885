from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from visavis.avatar.puppet import Puppet
from visavis.avatar.retarget import preset_text
from visavis.base import assets, networks
from visavis.capture.portrait import PortraitClip
from visavis.errors import WeightsError


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the embedded files."""
    shutil.copytree(assets.files("visavis") / "assets", tmp_path / "assets")
    monkeypatch.setattr(assets, "files", lambda _: tmp_path)
    assets.digests.cache_clear()
    yield tmp_path / "assets"
    assets.digests.cache_clear()


def test_every_embedded_file_stands_under_a_sha256(copied: Path) -> None:
    networks_too = {entry.file for entry in networks.manifest().values()}
    there = {str(path.relative_to(copied).as_posix()) for path in copied.rglob("*") if path.is_file()}
    assert there == {*assets.digests(), *networks_too, assets.DIGESTS, networks.MANIFEST, "README.md"}
    for name in assets.digests():
        assert assets.read_asset(name) == (copied / name).read_bytes()


READERS: dict[str, Callable[[], object]] = {
    "puppet.json": Puppet.load,
    "portrait.mp4": PortraitClip,
    "retarget/arkit.toml": lambda: preset_text("arkit"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_changed_or_missing_file_is_refused(copied: Path, name: str) -> None:
    data = bytearray((copied / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / name).write_bytes(data)
    with pytest.raises(WeightsError, match=rf"assets/{name} is not the file .* reinstall visavis"):
        READERS[name]()
    (copied / name).unlink()
    with pytest.raises(WeightsError, match=rf"assets/{name} cannot be read .* reinstall visavis"):
        READERS[name]()


@pytest.mark.parametrize("text", ["", "[]", "\xff"])
def test_a_malformed_list_is_one_clear_error(copied: Path, text: str) -> None:
    (copied / assets.DIGESTS).write_text(text, "latin-1")
    with pytest.raises(WeightsError, match=r"assets/sha256\.json cannot be read"):
        assets.read_asset("puppet.json")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"'nose\.json'.*puppet\.json"):
        assets.read_asset("nose.json")
