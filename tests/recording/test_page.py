"""The report: one self-contained page with the run's figures."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.drawing.timelines import CHANNELS, COLUMNS, channel_chart, runs, thin, tick_step
from visavis.errors import InputError
from visavis.recording.log import Recording
from visavis.recording.page import total_ms, write_report
from visavis.track import Track


def make_track(frames: int = 100, missed: slice = slice(40, 50), fps: float = 25.0) -> Track:
    found = np.ones(frames, bool)
    found[missed] = False
    face = np.full((frames, len(FACE_CHANNELS)), 0.2, np.float32)
    expression = np.full((frames, len(EXPRESSION_CHANNELS)), 0.125, np.float32)
    face[~found] = expression[~found] = np.nan
    return Track(np.arange(frames) / fps, face, expression, found, fps)


def make_recording(frames: int = 100) -> Recording:
    times = np.linspace(1.0, 3.0, frames).astype(np.float32)
    return Recording(
        frames=frames,
        frames_with_face=frames * 9 // 10,
        duration_s=frames / 25,
        elapsed_s=frames / 50,
        timings_ms=MappingProxyType(
            {"face": times, "expression": times, "avatar": times, "video": 5 * times}
        ),
        expressions=MappingProxyType({"happy": 60, "neutral": 30}),
        written=(),
        interrupted=False,
        error=None,
    )


class Page(HTMLParser):
    """Collects tags and their attributes; fails on tags that do not match."""

    VOID = frozenset({"meta", "link", "img", "br", "rect", "line"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def write(folder: Path, track: Track | None = None, source: str = "a clip") -> str:
    path = folder / "report.html"
    track = make_track() if track is None else track
    write_report(path, make_recording(), track, source=source, video=folder / "demo.mp4")
    return path.read_text("utf-8")


def test_the_page_is_well_formed_and_loads_nothing_but_the_video_beside_it(tmp_path: Path) -> None:
    text = write(tmp_path)
    page = Page(text)
    assert page.named("video")[0]["src"] == "demo.mp4"
    assert not page.named("script")
    assert not page.named("link")
    assert not page.named("img")
    assert not re.findall(r"https?://|url\(|@import", text)
    assert len(page.named("svg")) == 2
    assert "prefers-color-scheme: dark" in text


def test_its_figures_are_those_of_the_run(tmp_path: Path) -> None:
    text = write(tmp_path)
    assert "<b>90%</b><span>with a face" in text
    assert "<b>50</b><span>frames a second (2.0 times real time)" in text
    assert "happy <b>67%</b>" in text
    times = make_recording().timings_ms["face"]
    p50, p95 = np.percentile(times, (50, 95))
    row = re.search(r"<th>face</th>.*?</tr>", text)
    assert row is not None
    assert re.findall(r"\d+\.\d\d", row[0]) == [f"{v:.2f}" for v in (p50, p95, times.max())]
    np.testing.assert_allclose(total_ms(make_recording().timings_ms), 3 * times, rtol=1e-6)
    for name in ("visavis", "onnxruntime", "numpy", "opencv", "python", "processor"):
        assert f"<th>{name}</th>" in text


def test_names_from_outside_cannot_add_markup(tmp_path: Path) -> None:
    text = write(tmp_path, source="<script>alert(1)</script> $style")
    assert "<script>" not in text
    assert "$style" in text


def test_a_missed_stretch_leaves_a_gap(tmp_path: Path) -> None:
    assert channel_chart(make_track()).count("<polyline") == 2 * len(CHANNELS)
    assert write(tmp_path).count("<polygon") == 2 * 8


def test_runs_without_faces_or_expressions_are_reported_too(tmp_path: Path) -> None:
    text = write(tmp_path, make_track(missed=slice(0, 100)))
    assert "No face was found." in text
    assert "Expressions were not read." in text
    assert "nan" not in text.lower().replace("nanum", "")


def test_a_single_frame_is_enough_and_none_is_too_few(tmp_path: Path) -> None:
    assert "<svg" in write(tmp_path, make_track(1, slice(0, 0)))
    with pytest.raises(InputError, match="at least one frame"):
        write(tmp_path, make_track(0, slice(0, 0)))


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_report(tmp_path / "none" / "r.html", make_recording(), make_track(), source="x")


def test_long_runs_are_averaged_into_a_page_of_bounded_size(tmp_path: Path) -> None:
    assert len(write(tmp_path, make_track(20_000, slice(5000, 9000)))) < 150_000


@pytest.mark.parametrize("frames", [1, COLUMNS, COLUMNS + 1, 5 * COLUMNS + 3])
def test_thinning_keeps_the_mean_and_the_order(frames: int) -> None:
    times_s = np.arange(frames) / 25
    values = np.random.default_rng(0).random((frames, 2), np.float32)
    thin_s, thin_values = thin(times_s, values)
    assert len(thin_s) == min(frames, COLUMNS) == len(thin_values)
    assert (np.diff(thin_s) > 0).all()
    np.testing.assert_allclose(thin_values.mean(axis=0), values.mean(axis=0), atol=0.02)


def test_thinning_forgets_gaps_only_where_something_is_known() -> None:
    values = np.ones((COLUMNS * 4, 1), np.float32)
    values[:8] = np.nan
    values[9] = np.nan
    _, thinned = thin(np.arange(len(values)) / 25, values)
    assert np.isnan(thinned[:2]).all()
    assert (thinned[2:] == 1.0).all()


def test_runs_are_the_stretches_of_true() -> None:
    assert runs(np.asarray([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.zeros(3, bool)) == []


@pytest.mark.parametrize(
    ("span", "step"), [(12.0, 1.0), (0.04, 0.005), (3600.0, 500.0), (30.0, 5.0), (100.0, 10.0)]
)
def test_ticks_stand_at_round_times(span: float, step: float) -> None:
    assert tick_step(span) == pytest.approx(step)
    assert 4 <= span / tick_step(span) <= 13
