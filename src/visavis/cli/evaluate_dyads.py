"""The command ``visavis evaluate dyads``: how well a listener predicts people in real calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.base import console
from visavis.base.words import counted, shown
from visavis.cli.listener import Guidance

if TYPE_CHECKING:
    from visavis.evaluate.speaker_gain import SpeakerGain


def dyads(
    file: Annotated[
        Path,
        typer.Argument(
            help="An .npz with one array (T, 2, 4) for each call: AU06, AU12, motion and gaze of both people "
            "at 30 Hz, named s<pair>_<anything>.",
            readable=False,
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(help="A listener.onnx that was trained on calls.", show_default="the embedded one"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the wrong speakers and the samples.", min=0)] = 0,
    guidance: Guidance = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a listener on real calls.

    Each person is predicted frame by frame with the true speaker, with people of other calls, and alone. The
    embedded listener was trained on the 45 calls of Diao et al. (ICMI 2024), so results on these calls prove
    nothing. Results on unseen pairs are in docs/models/calls_listener.md.

    Examples:

        visavis evaluate dyads calls.npz
        visavis evaluate dyads calls.npz --guidance 3
        visavis evaluate dyads calls.npz --model runs/calls_listener/fold1/listener.onnx --json
    """
    from visavis.base import networks
    from visavis.datasets.calls import read_calls
    from visavis.evaluate.speaker_gain import ASSET, DEFAULT_SAMPLING, SpeakerGain, measure_speaker_gain
    from visavis.reaction.predictor import Predictor

    sampling = DEFAULT_SAMPLING if guidance is None else replace(DEFAULT_SAMPLING, guidance=guidance)
    calls = read_calls(file)
    predictor = Predictor(networks.open_session(ASSET)) if model is None else Predictor.load(model)
    with networks.naming(model or ASSET), console.progress("evaluate", len(calls), "calls") as advance:
        scores = measure_speaker_gain(predictor, calls, seed=seed, sampling=sampling, on_call=advance)
        gain = SpeakerGain.of(scores)
    result = dyads_json(gain)
    if as_json:
        console.print_json(result)
    else:
        _print(result)


def dyads_json(gain: SpeakerGain) -> dict[str, Any]:
    """What ``--json`` prints."""
    fields = ("bits_per_frame", "au12_peak_r", "variance")
    return {
        "calls": len(gain.calls),
        **{name: gain.mean(name) for name in fields},
        "p_value": gain.p_value,
    }


def _print(result: dict[str, Any]) -> None:
    console.print_line(
        f"{counted(result['calls'], 'call')}; true speaker against others: p {result['p_value']:.2g}, "
        "paired by call"
    )
    bits = result["bits_per_frame"]
    console.print_table(
        ["predicted with", "bits a frame"],
        [[name.replace("_", " "), f"{value:.4f}"] for name, value in bits.items()],
    )
    variance = result["variance"]
    console.print_table(
        ["listener", "AU12: peak r within 2 s", "variance"],
        [[name, shown(value), shown(variance.get(name))] for name, value in result["au12_peak_r"].items()],
    )
