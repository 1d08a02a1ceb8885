"""Metrics in Prometheus' text format: counters, cumulative histograms, labels."""

from __future__ import annotations

import re

from visavis.serve.metrics import Metrics

LINE = re.compile(r'[a-z_]+(\{([a-z_]+="[^"\n]*",?)+\})? [0-9.e+-]+|# (HELP|TYPE) [a-z_]+ .+')


def lines(metrics: Metrics, process: str = "") -> list[str]:
    text = metrics.text(
        {"sessions": 2}, {"sessions_refused_total": {"full": 3}, "sessions_begun_total": 4}, process
    )
    assert text.endswith("\n")
    found = text.splitlines()
    for line in found:
        assert LINE.fullmatch(line), line
    return found


def test_counters_and_gauges() -> None:
    metrics = Metrics()
    metrics.count("frames_received_total")
    metrics.count("frames_received_total", 2)
    metrics.count("errors_total", code="bad_frame")
    found = lines(metrics)
    for expected in (
        "# TYPE visavis_frames_received_total counter",
        "visavis_frames_received_total 3",
        'visavis_errors_total{code="bad_frame"} 1',
        'visavis_sessions_refused_total{reason="full"} 3',
        "visavis_sessions_begun_total 4",
        "visavis_sessions 2",
        "# TYPE process_cpu_seconds_total counter",
    ):
        assert expected in found
    assert 'visavis_sessions{process="77"} 2' in lines(metrics, process="77")


def test_histograms_are_cumulative() -> None:
    metrics = Metrics()
    for seconds in (0.004, 0.005, 0.03, 60.0):
        metrics.observe("stage_seconds", seconds, stage="face")
    found = lines(metrics)
    for bound, count in (("0.0025", 0), ("0.005", 2), ("0.025", 2), ("0.05", 3), ("10", 3), ("+Inf", 4)):
        assert f'visavis_stage_seconds_bucket{{stage="face",le="{bound}"}} {count}' in found
    assert 'visavis_stage_seconds_sum{stage="face"} 60.039' in found
    assert 'visavis_stage_seconds_count{stage="face"} 4' in found
