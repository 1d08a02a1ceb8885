import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from visavis.base import assets, networks
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
    for module in (assets, networks):
        monkeypatch.setattr(module, "files", lambda _: tmp_path)
    monkeypatch.setattr(networks, "_OPENED", {})
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


def test_a_network_that_failed_to_open_is_opened_again(tampered: Path) -> None:
    with pytest.raises(WeightsError):
        networks.open_session("face")
    (tampered / "face.onnx").write_bytes(
        (Path(networks.__file__).parents[1] / "assets" / "face.onnx").read_bytes()
    )
    assert networks.open_session("face").get_inputs()


def test_everybody_in_a_process_gets_the_same_network(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(networks, "_OPENED", {})
    monkeypatch.setattr(networks, "session_of", lambda data, what, *_: opened.append(what) or object())
    with ThreadPoolExecutor(8) as pool:
        sessions = list(pool.map(networks.open_session, 8 * ["detector"]))
    assert len(set(map(id, sessions))) == len(opened) == 1
    assert networks.batched(sessions[0]) is networks.batched(sessions[1]) is not sessions[0]
    assert networks.open_session("detector", 2) is not sessions[0]


def test_a_session_of_ones_own_is_not_batched() -> None:
    own = networks.session_of(networks.read("detector"), "own")
    assert networks.batched(own) is own


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


@pytest.mark.parametrize("part", ["input", "metadata"])
def test_a_damaged_text_is_one_clear_error(capfd: pytest.CaptureFixture[str], part: str) -> None:
    data = networks.read("calls_listener")
    session = networks.session_of(data, "whole.onnx")
    name = session.get_inputs()[0].name if part == "input" else next(iter(networks.metadata(session)))
    damaged = data.replace(name.encode(), b"\xff" + name.encode()[1:])
    assert damaged != data
    with pytest.raises(WeightsError, match=r"damaged|no ONNX network|metadata"):
        networks.metadata(networks.session_of(damaged, "damaged.onnx"))
    assert capfd.readouterr().out == ""


def test_files_of_the_same_content_share_a_network(tmp_path: Path) -> None:
    one, other, changed = (tmp_path / name for name in ("one.onnx", "other.onnx", "changed.onnx"))
    for path in (one, other):
        path.write_bytes(networks.read("detector"))
    changed.write_bytes(networks.read("int8_trial"))
    session = networks.open_file(one)
    assert networks.open_file(other) is networks.open_file(str(one)) is session
    assert networks.batched(session) is not session
    assert networks.open_file(changed) is not session
    one.write_bytes(changed.read_bytes())
    assert networks.open_file(one) is networks.open_file(changed)
    one.write_bytes(b"no network")
    for _ in range(2):
        with pytest.raises(WeightsError, match=r"one\.onnx: no ONNX network"):
            networks.open_file(one)
