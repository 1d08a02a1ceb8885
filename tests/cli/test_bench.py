"""visavis bench: figures of named stages, in text and JSON."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from support.console import CommandLine
from visavis.base.clock import ManualClock
from visavis.cli import app
from visavis.errors import InputError
from visavis.evaluate.bench import TIMED, Timing, bench_steps, measure_speed
from visavis.pipeline import Pipeline


def test_timings_are_percentiles() -> None:
    timing = Timing.of([float(v) for v in range(1, 102)])
    assert timing == Timing(101, 51.0, 96.0, 101.0)


def test_the_first_second_is_not_counted(scripted_pipeline: Pipeline) -> None:
    seen: list[None] = []
    results = measure_speed(
        list(TIMED),
        duration_s=1.2,
        make_pipeline=lambda: scripted_pipeline,
        clock=ManualClock(),
        on_step=lambda: seen.append(None),
    )
    assert list(results) == list(TIMED)
    assert {timing.calls for timing in results.values()} == {5}
    assert len(seen) == bench_steps(list(TIMED), 1.2) == 60
    assert results["puppet"].p50_ms == 0.0  # by the clock that stands still
    parts = results["track"].p50_ms + results["expression"].p50_ms
    assert results["pipeline"].p50_ms >= 0.5 * parts > 0


@pytest.mark.parametrize("names", [[], ["tracks"]])
def test_unknown_names_are_refused(names: list[str]) -> None:
    with pytest.raises(InputError, match="benchmarks are track, expression, puppet, pipeline; found"):
        measure_speed(names)


def test_a_clip_as_short_as_the_warm_up_is_refused() -> None:
    with pytest.raises(InputError, match="more than its warm-up"):
        measure_speed(["puppet"], duration_s=1.0)


def test_json_names_input_machine_versions_and_results(command_line: CommandLine) -> None:
    data = command_line.json("bench", "puppet", "--duration-s", 1.2, "--json")
    assert set(data) == {"input", "recognizer", "keep", "int8", "machine", "versions", "results"}
    assert set(data["results"]) == {"puppet"}
    assert data["results"]["puppet"]["p95_ms"] >= data["results"]["puppet"]["p50_ms"] > 0
    assert data["versions"].keys() >= {"visavis", "python", "numpy", "onnxruntime", "opencv", "av"}
    assert data["machine"]["processor"]


def test_text_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "visavis.evaluate.bench.measure_speed", lambda *_, **__: {"puppet": Timing(5, 1.5, 2.0, 3.0)}
    )
    result = CliRunner().invoke(app, ["bench", "puppet"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["p50", "ms", "p95", "ms", "max", "ms"]
    assert lines[1].split()[:4] == ["puppet", "1.50", "2.00", "3.00"]


def test_an_unknown_name_ends_with_status_2() -> None:
    assert CliRunner().invoke(app, ["bench", "tracks"]).exit_code == 2
