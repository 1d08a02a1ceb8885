import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from visavis import weights
from visavis.errors import WeightsError


@pytest.fixture
def tampered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the installed assets whose face network lost one bit; nothing else may be opened."""
    real = weights.files("visavis") / "assets"
    folder = tmp_path / "assets"
    folder.mkdir()
    for entry in weights.manifest().values():
        (folder / entry.file).write_bytes((real / entry.file).read_bytes())
    (folder / weights.MANIFEST).write_bytes((real / weights.MANIFEST).read_bytes())
    file = folder / weights.manifest()["face"].file
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    monkeypatch.setattr(weights, "files", lambda _: tmp_path)
    weights.manifest.cache_clear()
    yield folder
    weights.manifest.cache_clear()


def test_every_embedded_network_is_what_its_manifest_says() -> None:
    for name, entry in weights.manifest().items():
        assert len(weights.read(name)) == entry.size
        assert entry.licence
        assert entry.training_data
        assert (Path(__file__).parents[1] / entry.config).is_file()


def test_a_tampered_file_is_refused_before_it_is_opened(
    tampered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights.ort, "InferenceSession", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(WeightsError, match=r"face\.onnx is not the file .* reinstall"):
        weights.open_session("face")


def test_a_missing_file_is_named(tampered: Path) -> None:
    (tampered / "face.onnx").unlink()
    with pytest.raises(WeightsError, match=r"face\.onnx cannot be read"):
        weights.read("face")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"'nose'.*face"):
        weights.read("nose")


@pytest.mark.parametrize("text", ["", "[]", '{"face": {"file": "face.onnx"}}'])
def test_a_malformed_manifest_is_one_clear_error(tampered: Path, text: str) -> None:
    (tampered / weights.MANIFEST).write_text(text)
    with pytest.raises(WeightsError, match="manifest"):
        weights.manifest()


@pytest.mark.parametrize(("key", "value"), [("sha256", None), ("size", "big"), ("file", "../face.onnx")])
def test_an_entry_of_wrong_kinds_is_one_clear_error(tampered: Path, key: str, value: object) -> None:
    entries = json.loads((tampered / weights.MANIFEST).read_text())
    entries["face"][key] = value
    (tampered / weights.MANIFEST).write_text(json.dumps(entries))
    with pytest.raises(WeightsError, match=r"manifest\.json cannot be read .*'face'"):
        weights.manifest()


def test_the_manifest_is_plain_json(tampered: Path) -> None:
    assert json.loads((tampered / weights.MANIFEST).read_text())
