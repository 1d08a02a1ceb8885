import pytest

from visavis.base import int8, networks
from visavis.base.clock import ManualClock
from visavis.errors import InputError


@pytest.fixture(autouse=True)
def _no_choice_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(int8.VARIABLE, raising=False)


def tried(slow_ms: list[float], fast_ms: list[float]) -> float:
    """The gain of two functions that take these times in turn, then always the last."""
    clock = ManualClock()

    def run(times_ms: list[float]) -> None:
        clock.sleep_s((times_ms.pop(0) if len(times_ms) > 1 else times_ms[0]) / 1e3)

    return int8.measured_gain(lambda: run(slow_ms), lambda: run(fast_ms), clock)


@pytest.mark.parametrize(
    ("slow_ms", "fast_ms", "gain"),
    [([2.0], [1.0], 2.0), ([1.0], [2.0], 0.5), ([90.0, 2.0], [1.0], 2.0), ([2.0], [90.0, 80.0, 1.0], 2.0)],
)
def test_the_shortest_times_decide(slow_ms: list[float], fast_ms: list[float], gain: float) -> None:
    assert tried(slow_ms, fast_ms) == pytest.approx(gain)


@pytest.mark.parametrize(("gain", "ending"), [(1.1, ""), (1.0, ""), (1.4, "_int8"), (2.5, "_int8")])
def test_8_bits_are_chosen_where_they_are_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, gain: float, ending: str
) -> None:
    monkeypatch.setattr(int8, "gain", lambda: gain)
    assert int8.chosen("expression") == "expression" + ending
    assert int8.chosen("detector") == "detector"  # It has no such variant.


@pytest.mark.parametrize(("word", "name"), [("on", "expression_int8"), ("off", "expression")])
def test_the_environment_overrules_the_trial(monkeypatch: pytest.MonkeyPatch, word: str, name: str) -> None:
    monkeypatch.setattr(int8, "gain", lambda: pytest.fail("there was a trial"))
    monkeypatch.setenv(int8.VARIABLE, word)
    assert int8.chosen("expression") == name


@pytest.mark.parametrize(
    ("runs", "word", "used"), [(True, "on", True), (True, "off", False), (False, "on", False)]
)
def test_dense_layers_use_their_8_bits_where_onnx_runtime_can(
    monkeypatch: pytest.MonkeyPatch, runs: bool, word: str, used: bool
) -> None:
    monkeypatch.setattr(int8, "STORED_RUNS", runs)
    monkeypatch.setenv(int8.VARIABLE, word)
    assert int8.stored_wanted() is used


def test_another_word_in_the_environment_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(int8.VARIABLE, "yes")
    with pytest.raises(InputError, match="VISAVIS_INT8 is 'yes'; expected auto, on, off"):
        int8.chosen("expression")


def test_the_trial_is_made_once_in_a_process() -> None:
    assert int8.gain() is int8.gain() > 0


def test_a_variant_has_the_same_inputs_outputs_and_notes() -> None:
    names = "expression", "expression" + int8.SUFFIX
    one, other = (networks.session_of(networks.read(each), each) for each in names)
    for kind in ("get_inputs", "get_outputs"):
        ends = [
            [(spec.name, spec.shape[1:], spec.type) for spec in getattr(each, kind)()]
            for each in (one, other)
        ]
        assert ends[0] == ends[1]
    assert networks.metadata(other) == {**networks.metadata(one), "quantized": "int8"}
