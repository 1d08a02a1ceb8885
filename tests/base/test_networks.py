import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from visavis.base import networks
from visavis.errors import WeightsError


@pytest.fixture
def tampered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the installed assets whose face network lost one bit; nothing else may be opened."""
    real = networks.files("visavis") / "assets"
    folder = tmp_path / "assets"
    folder.mkdir()
    for entry in networks.manifest().values():
        (folder / entry.file).write_bytes((real / entry.file).read_bytes())
    (folder / networks.MANIFEST).write_bytes((real / networks.MANIFEST).read_bytes())
    file = folder / networks.manifest()["face"].file
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    monkeypatch.setattr(networks, "files", lambda _: tmp_path)
    networks.manifest.cache_clear()
    yield folder
    networks.manifest.cache_clear()


def test_every_embedded_network_is_what_its_manifest_says() -> None:
    for name, entry in networks.manifest().items():
        assert len(networks.read(name)) == entry.size
        assert entry.licence
        assert entry.training_data
        assert (Path(__file__).parents[2] / entry.config).is_file()


def test_a_tampered_file_is_refused_before_it_is_opened(
    tampered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks.ort, "InferenceSession", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(WeightsError, match=r"face\.onnx is not the file .* reinstall"):
        networks.open_session("face")


def test_a_missing_file_is_named(tampered: Path) -> None:
    (tampered / "face.onnx").unlink()
    with pytest.raises(WeightsError, match=r"face\.onnx cannot be read"):
        networks.read("face")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"'nose'.*face"):
        networks.read("nose")


@pytest.mark.parametrize("text", ["", "[]", '{"face": {"file": "face.onnx"}}'])
def test_a_malformed_manifest_is_one_clear_error(tampered: Path, text: str) -> None:
    (tampered / networks.MANIFEST).write_text(text)
    with pytest.raises(WeightsError, match="manifest"):
        networks.manifest()


@pytest.mark.parametrize(("key", "value"), [("sha256", None), ("size", "big"), ("file", "../face.onnx")])
def test_an_entry_of_wrong_kinds_is_one_clear_error(tampered: Path, key: str, value: object) -> None:
    entries = json.loads((tampered / networks.MANIFEST).read_text())
    entries["face"][key] = value
    (tampered / networks.MANIFEST).write_text(json.dumps(entries))
    with pytest.raises(WeightsError, match=r"manifest\.json cannot be read .*'face'"):
        networks.manifest()


def test_the_manifest_is_plain_json(tampered: Path) -> None:
    assert json.loads((tampered / networks.MANIFEST).read_text())
