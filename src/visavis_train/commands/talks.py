"""The ``visavis lab`` commands for simulated conversations and listeners."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from visavis.base.machine import MOST_PROCESSES
from visavis.base.words import counted
from visavis.errors import InputError
from visavis_train.commands.shared import (
    GOES_ON,
    NOTHING_WRITTEN,
    Overrides,
    Page,
    Results,
    TablesOnly,
    ends_in,
    interrupted_says,
)


@GOES_ON
def simulate(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the corpus.")],
    seed: Annotated[int, typer.Option(help="Seed of all randomness.", min=0, max=2**32 - 1)] = 1,
    clips: Annotated[int, typer.Option(help="Clips in train; val and test have a fifth of that each.")] = 240,
    listeners: Annotated[int, typer.Option(help="Listeners for each clip.")] = 4,
    frames: Annotated[int, typer.Option(help="Frames of a clip, 25 a second.")] = 750,
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder with the folders speech, video and faces.")
    ] = Path("../shared/data"),
    pack: Annotated[
        Path, typer.Option(metavar="PACK.npz", help="Face tracks: a pack of `visavis lab tracks`.")
    ] = Path("runs/tokens/faces.npz"),
    workers: Annotated[int, typer.Option(help="Number of processes.", min=1, max=MOST_PROCESSES)] = 1,
) -> None:
    """Simulate conversations from real parts; the listeners nod and smile as real people do.

    The same command continues an interrupted run.

    Examples:

        visavis lab simulate --out runs/small --clips 20 --workers 2
    """
    from visavis.base.console import print_note
    from visavis_train.simulation.corpus import read_parts, simulate_corpus
    from visavis_train.simulation.settings import SPLITS, SimulationSettings

    settings = SimulationSettings(seed, clips, listeners, frames)
    made = simulate_corpus(out, settings, read_parts(data, pack, settings.length_s), workers)
    print_note(f"{out}: {counted(made, 'clip')} made now, {sum(map(settings.count, SPLITS))} in all")


@interrupted_says("interrupted")
def simulation_statistics(
    corpus: Annotated[Path, typer.Argument(help="Folder of a simulated corpus.")],
    listeners: Annotated[int, typer.Option(help="Listeners of each speaker's clip.", min=1)] = 4,
    splits: Annotated[
        list[str] | None,
        typer.Option("--split", help="A split to use; may be repeated.", show_default="train, val, test"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare a simulated corpus with real people: nods, blinks, gaze and smiles.

    The measurement uses only the faces of the corpus, not the plans of the simulation.

    Examples:

        visavis lab simulation-statistics runs/simulated --split test --json
    """
    from visavis.base.console import print_json, print_table
    from visavis.datasets.react import find_react
    from visavis_train.simulation.settings import SPLITS
    from visavis_train.simulation.statistics import as_rows, measure_statistics

    simulated = find_react(corpus)
    if simulated is None:
        raise InputError(f"{corpus}: no corpus; visavis lab simulate makes one")
    found = {split: measure_statistics(simulated.read(split), listeners) for split in splits or SPLITS}
    if as_json:
        print_json(found)
    else:
        print_table(["", *found, "real or published"], as_rows(found))


@NOTHING_WRITTEN
def smiles(
    calls: Annotated[Path, typer.Argument(metavar="CALLS", help="The signals of real calls: vc_dyads.npz.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The JSON file to write.",
            show_default="the simulation's file",
            callback=ends_in(".json"),
        ),
    ] = None,
) -> None:
    """Measure how people smile and smile back in real calls.

    Simulated listeners use the written file. Pairs that test tokenizers are left out.

    Examples:

        visavis lab smiles vc_dyads.npz --out smile_coupling.json
    """
    from visavis.base.console import print_note
    from visavis.base.files import write_json
    from visavis_train.simulation import coupling
    from visavis_train.simulation.measure_smiles import coupling_json, measure_coupling, training_calls

    out = out or Path(coupling.__file__).with_name(coupling.NAME)
    used, fps = training_calls(calls)
    write_json(out, coupling_json(measure_coupling(used, fps)))
    print_note(f"{out}: {len(used)} calls")


@GOES_ON
def conversations(
    corpus: Annotated[Path, typer.Argument(help="Folder of a corpus of conversations.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the packs: train.npz and so on.")],
    splits: Annotated[
        list[str] | None,
        typer.Option("--split", help="Use only this split; may be repeated.", show_default="all"),
    ] = None,
    wav2vec2: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Your Wav2Vec2 weights, for its features in place of ours."),
    ] = None,
) -> None:
    """Make packs of a corpus of conversations, to train and measure listeners.

    The corpus has weights in the layout of a REACT challenge; other rates become 25 frames a second. Existing
    packs are not changed. With --wav2vec2, listeners are trained and measured in bits, but cannot run.

    Examples:

        visavis lab conversations runs/simulated --out runs/listening/simulated
        visavis lab conversations react/ --out runs/listening/react --split val
    """
    from visavis_train.listener.corpus import pack_corpus

    if wav2vec2 is None:
        pack_corpus(corpus, out, splits or ())
    else:
        from visavis_train.listener.wav2vec2 import Wav2Vec2Features

        pack_corpus(corpus, out, splits or (), Wav2Vec2Features(wav2vec2))


@GOES_ON
def listener_report(
    experiments: Annotated[
        list[Path] | None, typer.Argument(metavar="EXPERIMENT", help="TOML files of listeners.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds for training and draws.", min=1)] = 3,
    samples: Annotated[int, typer.Option(help="Number of reactions to each clip.", min=2)] = 10,
    guidance: Annotated[
        list[float] | None,
        typer.Option(metavar="FACTOR", help="Another guidance; may be repeated.", show_default="1 and 3"),
    ] = None,
    no_guidance: Annotated[
        bool, typer.Option("--no-guidance", help="Use only the guidance of the experiments.")
    ] = False,
    baseline_steps: Annotated[
        int | None,
        typer.Option(help="Training steps of each baseline; 0 leaves them out.", min=0, show_default="1500"),
    ] = None,
    overrides: Overrides = None,
    results: Results = None,
    page: Page = None,
    kept: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of finished scores.", show_default="runs/listener_report"),
    ] = None,
    tables_only: TablesOnly = False,
) -> None:
    """Compare trained listeners with baselines, and write the tables.

    Trains the baselines, not the listeners. A listener without a run is listed as not run. Writes a JSON file
    and the tables of docs/reference/listener.md. Finished scores are kept.

    Examples:

        visavis lab listener-report experiments/listener.toml experiments/listener_patches.toml
        visavis lab listener-report --tables-only
    """
    from visavis.base.files import write_json
    from visavis.base.reading import regular
    from visavis_train.listener import report
    from visavis_train.listener.baselines.training import BaselineTraining
    from visavis_train.listener.config import ListenerExperiment
    from visavis_train.listener.tables import listener_tables
    from visavis_train.loop.experiment import load_experiment
    from visavis_train.loop.marks import write_between

    results = results or report.RESULTS
    if not tables_only:
        if not experiments:
            raise InputError("found no experiment; expected TOML files such as experiments/listener*.toml")
        read = [load_experiment(path, ListenerExperiment, overrides or ()) for path in experiments]
        steps = {} if baseline_steps is None else {"steps": baseline_steps}
        training = None if baseline_steps == 0 else BaselineTraining(**steps)
        guided = () if no_guidance else guidance or report.GUIDANCE
        found = report.compare_listeners(read, training, seeds, samples, kept or report.KEPT, guided)
        write_json(results, found, allow_nan=True)
    told = json.loads(regular(results).read_text("utf-8-sig"))
    write_between(page or report.PAGE, report.MARKS, listener_tables(told))


@interrupted_says("interrupted")
def listener_bits(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs.")],
) -> None:
    """Compare listeners in bits a frame: print a table with the keys in which the runs differ.

    Runs that differ only in their seed share a row: mean ± standard deviation over seeds.

    Examples:

        visavis lab listener-bits runs/sound_*
    """
    from visavis.base.console import print_line
    from visavis_train.listener.tables import bits_table

    for line in bits_table(runs):
        print_line(line)


@NOTHING_WRITTEN
def behavior(
    experiment: Annotated[Path, typer.Argument(help="TOML file of a trained listener.")],
    guidance: Annotated[
        list[float] | None,
        typer.Option(metavar="FACTOR", help="Guidance to try; may be repeated.", show_default="1 and 1.5"),
    ] = None,
    clips: Annotated[int, typer.Option(help="Number of speakers' clips, 4 or more.")] = 24,
    samples: Annotated[int, typer.Option(help="Number of listeners of each clip.", min=1)] = 6,
    results: Results = None,
    page: Page = None,
) -> None:
    """Compare a trained listener's nods, smiles, blinks and mouth with the people that it learnt from.

    Writes a JSON file and the table of docs/models/listener.md.

    Examples:

        visavis lab behavior experiments/listener.toml --guidance 1 --guidance 2 --clips 8
    """
    from visavis.base.files import write_json
    from visavis_train.listener import behavior as comparing
    from visavis_train.listener.config import ListenerExperiment
    from visavis_train.loop.experiment import load_experiment
    from visavis_train.loop.marks import write_between

    if clips <= comparing.STRANGERS:
        raise InputError(f"found {clips} clips; expected more than {comparing.STRANGERS}")
    named = load_experiment(experiment, ListenerExperiment)
    result = comparing.compare_behavior(named, guidance or comparing.GUIDANCE, clips, samples)
    write_json(results or comparing.RESULTS, result, allow_nan=True)
    write_between(page or comparing.PAGE, comparing.MARKS, comparing.table(result))


@NOTHING_WRITTEN
def predict(
    pack: Annotated[Path, typer.Argument(metavar="PACK.npz", help="A pack of `visavis lab conversations`.")],
    out: Annotated[Path, typer.Option(metavar="R.npz", help="What `visavis evaluate reaction` reads.")],
    samples: Annotated[int, typer.Option(help="Reactions to each clip.", min=1)] = 10,
    seed: Annotated[int, typer.Option(help="Another seed gives other listeners.", min=0)] = 0,
    listener: Annotated[
        Path | None,
        typer.Option(metavar="NET.onnx", help="Another listener: listener.onnx of a run."),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Run folder of its tokenizer.", show_default="the package's"),
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(metavar="FACTOR", help="How strongly the speaker counts.", min=0)
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(help="Length of the clips.", min=51, show_default="the shortest clip's, at least 51"),
    ] = None,
    binary: Annotated[bool, typer.Option("--binary-units", help="Round action units to 0 or 1.")] = False,
    submission: Annotated[
        Path | None,
        typer.Option(metavar="S.npy", help="Also write the reactions alone, (N, 10, 750, 25)."),
    ] = None,
    feature_network: Annotated[
        Path | None,
        typer.Option(metavar="NET.onnx", help="For FRRea: its features of drawn listeners are written."),
    ] = None,
) -> None:
    """Let a listener react to the speakers of a corpus.

    The reactions are written for the metrics.

    Examples:

        visavis lab predict runs/listening/simulated/test.npz --out R.npz
        visavis evaluate reaction R.npz
        visavis lab predict packs/test.npz --listener runs/mine/listener.onnx --frames 750 --out R.npz
        visavis lab predict packs/test.npz --feature-network inception.onnx --out R.npz
    """
    from visavis.reaction.listener import ListenerModel
    from visavis_train.listener.scores import write_predictions
    from visavis_train.listener.tokens import TokenVocabulary

    if tokenizer is not None and listener is None:
        raise InputError("--tokenizer belongs to another listener: give --listener too")
    tokens = None if tokenizer is None else TokenVocabulary.open(tokenizer).tokenizer
    networks = ListenerModel.default() if listener is None else ListenerModel.load(listener, tokens)
    write_predictions(
        out,
        pack,
        networks.with_sampling(guidance=guidance),
        samples=samples,
        seed=seed,
        frames=frames,
        binary=binary,
        submission=submission,
        network=feature_network,
    )


COMMANDS = (
    simulate,
    simulation_statistics,
    smiles,
    conversations,
    listener_report,
    listener_bits,
    behavior,
    predict,
)
