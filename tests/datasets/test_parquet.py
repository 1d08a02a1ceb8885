from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from visavis.channels import BLENDSHAPES
from visavis.datasets.parquet import read_tracks, write_tracks
from visavis.errors import InputError
from visavis.track import Track

pytest.importorskip("pyarrow", reason="needs the extra tables")


def track(seed: int, frames: int = 30, points: int = 0, fps: float = 25.0) -> Track:
    draw = np.random.default_rng(seed)
    face, expression = draw.random((frames, 58)), draw.random((frames, 25))
    found = draw.random(frames) > 0.2
    face[~found], expression[~found] = np.nan, np.nan
    landmarks = draw.uniform(0, 500, (frames, points, 2))
    landmarks[~found] = np.nan
    values = (array.astype(np.float32) for array in (face, expression))
    numbers = np.arange(points, dtype=np.int32)
    return Track(np.arange(frames) / fps, *values, found, fps, landmarks.astype(np.float32), numbers)


@pytest.mark.parametrize("points", [0, 7])
def test_two_people_come_back_bit_by_bit(tmp_path: Path, points: int) -> None:
    people = {"A": track(0, 30, points), "B": track(1, 20, points)}
    write_tracks(tmp_path / "call.parquet", people)
    read = read_tracks(tmp_path / "call.parquet")
    assert list(read) == ["A", "B"]
    for name, one in read.items():
        for field in ("time_s", "face", "expression", "found", "fps", "landmarks_xy", "landmark_numbers"):
            np.testing.assert_array_equal(getattr(one, field), getattr(people[name], field))


def test_columns_have_a_fixed_size_and_say_what_they_hold(tmp_path: Path) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    write_tracks(tmp_path / "call.parquet", {"A": track(0), "B": track(1)}, {"recording": "call"})
    file = parquet.ParquetFile(tmp_path / "call.parquet")
    schema = file.schema_arrow
    assert schema.field("weights").type == arrow.list_(arrow.float32(), 52)
    assert schema.field("head").type == arrow.list_(arrow.float32(), 6)
    assert schema.field("expression").type == arrow.list_(arrow.float32(), 8)
    assert schema.field("weights").metadata[b"channels"].decode().split() == list(BLENDSHAPES)
    assert schema.field("head").metadata[b"unit"].startswith(b"three angles in rad")
    assert b'"recording": "call"' in schema.metadata[b"visavis"]
    assert file.num_row_groups == 2
    assert file.metadata.row_group(0).column(3).compression == "ZSTD"


def test_pandas_reads_the_file(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    people = {"A": track(0)}
    write_tracks(tmp_path / "call.parquet", people)
    frame = pandas.read_parquet(tmp_path / "call.parquet")
    assert frame["person"].unique().tolist() == ["A"]
    np.testing.assert_array_equal(np.stack(frame["weights"]), people["A"].face[:, :52])


def test_what_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_tracks(tmp_path / "nothing.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(InputError, match=r"text\.parquet: not a Parquet file of visavis corpus build"):
        read_tracks(tmp_path / "text.parquet")
    track(0).to_parquet(tmp_path / "flat.parquet")
    with pytest.raises(InputError, match=r"flat\.parquet: not a Parquet file of visavis corpus build"):
        read_tracks(tmp_path / "flat.parquet")
    with pytest.raises(InputError, match="need the same frame rate"):
        write_tracks(tmp_path / "two.parquet", {"A": track(0), "B": track(1, fps=30.0)})
