"""visavis evaluate reaction: the promised figures, and bad input."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from support.console import one_error

FIELDS = """items predictions frames listeners neighbours fr_corr fr_dist fr_div fr_var fr_dvs fr_syn fr_rea
fr_corr_repaired fr_dist_repaired fr_syn_repaired""".split()


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "predictions": random.random((2, 3, 55, 25), np.float32),
        "listeners": random.random((2, 55, 25), np.float32),
        "speakers": random.random((2, 55, 25), np.float32),
        "neighbours": np.eye(2, dtype=np.uint8),
    }


def test_json_has_what_it_promises(visavis, tmp_path: Path) -> None:
    data = arrays()
    data["predictions"] = np.repeat(data["listeners"][:, None], 3, axis=1)
    np.savez(tmp_path / "r.npz", **data, real_features=np.eye(3), fake_features=np.eye(3))
    answer = visavis.json("evaluate", "reaction", tmp_path / "r.npz", "--json", "--threads", 2, quiet=True)
    assert list(answer) == FIELDS
    assert [answer[name] for name in FIELDS[:5]] == [2, 3, 55, 2, 2]
    assert answer["fr_corr"] == pytest.approx(3, rel=1e-5)
    assert answer["fr_corr_repaired"] == pytest.approx(1)
    assert answer["fr_dist"] == answer["fr_div"] == 0
    assert answer["fr_rea"] == pytest.approx(0, abs=1e-9)


def test_the_official_names_compression_and_a_missing_value(
    visavis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"predictions": "pred", "listeners": "listener", "speakers": "speaker", "neighbours": "neighbour"}
    one = {name: array[:1] for name, array in arrays().items()}
    np.savez_compressed(tmp_path / "r.npz", **{names[name]: array for name, array in one.items()})
    answer = visavis.json("evaluate", "reaction", tmp_path / "r.npz", "--json")
    assert answer["fr_dvs"] is answer["fr_rea"] is None
    assert visavis("evaluate", "reaction", tmp_path / "r.npz") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 item of 3 predictions and 55 frames; 1 listener, 1.0 appropriate")
    assert f"{answer['fr_corr']:.4f}" in next(line for line in lines if "FRCorr" in line)
    assert next(line for line in lines if "FRDvs" in line).split() == ["FRDvs", "-", "-"]


def test_neighbours_out_of_range(visavis, tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", **{**arrays(), "neighbours": np.eye(2, 3, 1)})
    command = ("evaluate", "reaction", tmp_path / "r.npz", "--json", "--out-of-range")
    assert "r.npz: neighbours[1] names listener 2, but there are 2" in visavis.error(*command, "error")
    found = [visavis.json(*command, treatment)["fr_dist"] for treatment in ("zero", "leave-out")]
    assert found[1] == pytest.approx(2 * found[0])
    assert "error, zero, leave-out; found ignore" in visavis.error(*command, "ignore")


def written(path: Path, kind: str) -> None:
    data = arrays()
    if kind == "track":
        data = {"face": np.zeros((2, 55, 58)), "emotion": np.zeros((2, 55, 25))}
    if kind == "nan":
        data["speakers"][1, 2, 3] = np.nan
    if kind == "objects":
        np.savez(path, **{**data, "listeners": np.asarray([None, "a"])})
    elif kind == "columns":
        np.savez(path, **{**data, "listeners": np.asfortranarray(data["listeners"])})
    elif kind == "number":
        np.savez(path, **{**data, "neighbours": np.float64(1)})
    elif kind == "bytes":
        with ZipFile(path, "w") as archive:
            archive.writestr("predictions", b"raw")
    elif kind == "text":
        path.write_text("predictions")
    elif kind != "missing":
        np.savez(path, **data)
    if kind == "cut":
        whole = path.read_bytes()
        # The middle of the predictions' data, so that the directory at the end stays whole.
        path.write_bytes(whole[:9000] + bytes(2000) + whole[11000:])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "r.npz: no such file"),
        ("text", "r.npz: not a readable file of reactions (.npz)"),
        ("track", "no array named predictions, listeners, speakers, neighbours; found face, emotion"),
        ("bytes", "no array named predictions, listeners, speakers, neighbours; found nothing"),
        ("nan", "r.npz: speakers[1] holds nan at index (2, 3)"),
        ("objects", "r.npz: listeners holds object; expected numbers"),
        ("columns", "r.npz: listeners is stored in Fortran's order"),
        ("number", "r.npz: neighbours is a single number"),
        ("cut", "r.npz: predictions: it is damaged or cut off"),
    ],
)
def test_bad_files_are_named(
    visavis, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, message: str
) -> None:
    written(tmp_path / "r.npz", kind)
    assert visavis("evaluate", "reaction", tmp_path / "r.npz", "--json") == 2
    err = one_error(capsys)
    assert message in err
    assert err.count("r.npz") == 1
