"""Measurement of listeners, baselines and peers on the test split, and their tables.

All experiments must name the same folder of packs. Peers are trained here, in minutes; listeners are not. The
runs of an experiment are its folder and the folders with the same name and ``_seed2`` and so on
(``visavis train E.toml --set seed=2 --set out=runs/E_seed2``). Experiments without runs are listed.
``visavis lab listener-report`` writes ``benchmarks/results/listener.json`` and the text between the marks
of ``docs/reference/listener.md``. Finished scores are kept in ``runs/listener_report``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from visavis.base.console import print_note
from visavis.base.files import require_folder, whole_file
from visavis.base.machine import machine, versions
from visavis.base.reading import regular
from visavis.errors import InputError
from visavis.reaction.speech import FRAME_RATE_HZ
from visavis_train.data.conversation_pack import ListeningPack, load_listening
from visavis_train.listener.baselines.latent_diffusion import LatentDiffusion
from visavis_train.listener.baselines.method import Method
from visavis_train.listener.baselines.simple import GroundTruth, MeanSequence, Mime, NearestNeighbour, Uniform
from visavis_train.listener.baselines.trained_listener import TrainedListener
from visavis_train.listener.baselines.training import PeerTraining
from visavis_train.listener.baselines.trans_vae import TransVae
from visavis_train.listener.config import Drawing, ListenerExperiment
from visavis_train.listener.cost import stream_cost
from visavis_train.listener.release import LISTENER_FILE
from visavis_train.listener.scores import Contest, score, summary
from visavis_train.listener.tables import tables
from visavis_train.listener.task import network_config
from visavis_train.listener.tokens import Vocabulary
from visavis_train.loop.experiment import load_experiment
from visavis_train.loop.marks import write_between
from visavis_train.onnx.export import current_commit

RESULTS = Path("benchmarks/results/listener.json")
PAGE = Path("docs/reference/listener.md")
KEPT = Path("runs/listener_report")
GUIDANCE = (1.0, 4.0)
MARKS = ("<!-- listeners: by visavis lab listener-report -->", "<!-- end of listeners -->")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of the table with one seed.

    Attributes:
        name: name of the row.
        seed: seed of its training and draws.
        settings: JSON values that determine its scores, together with the data.
        open: gives the trained method.
    """

    name: str
    seed: int
    settings: dict[str, Any]
    open: Callable[[], Method]


def baselines(train: ListeningPack, test: Contest, peers: PeerTraining, seeds: int) -> Iterator[Candidate]:
    """All methods except our own network; methods without randomness come once."""
    yield Candidate("ground truth", 1, {}, lambda: GroundTruth(test.truths))
    for seed in range(1, seeds + 1):
        yield Candidate("random", seed, {}, Uniform)
    yield Candidate("mime", 1, {}, Mime)
    yield Candidate("mean face", 1, {}, lambda: MeanSequence(train, still=True))
    yield Candidate("mean sequence", 1, {}, lambda: MeanSequence(train))
    yield Candidate("nearest neighbour", 1, {}, lambda: NearestNeighbour(train))
    for name, kind in (("Trans-VAE, small", TransVae), ("latent diffusion, small", LatentDiffusion)):
        for seed in range(1, seeds + 1):
            yield Candidate(name, seed, peers.model_dump(), _trained(kind, train, peers, seed))


def _trained(
    kind: type[TransVae] | type[LatentDiffusion], train: ListeningPack, peers: PeerTraining, seed: int
) -> Callable[[], Method]:
    return lambda: kind.trained(train, peers, seed)


def listeners(experiment: ListenerExperiment, guidance: Sequence[float] = ()) -> Iterator[Candidate]:
    """The finished runs of an experiment; with guidance, its own folder's run also with other guidances."""
    folders = [experiment.out, *sorted(experiment.out.parent.glob(f"{experiment.out.name}_seed*"))]
    for folder in folders:
        ways = {experiment.name: experiment.sampling}
        if experiment.sampling.guided and folder == experiment.out:
            for much in guidance:
                way = experiment.sampling.model_copy(update={"guidance": much})
                ways[f"{experiment.name}, guidance {much:g}"] = way
        file = folder / LISTENER_FILE
        if file.is_file():
            stored = json.loads(regular(folder / "config.json").read_text("utf-8"))
            digest = hashlib.sha256(regular(file).read_bytes()).hexdigest()
            for name, way in ways.items():
                settings = {"file": digest, "sampling": way.model_dump()}
                yield Candidate(name, int(stored["seed"]), settings, _loaded(experiment, file, way))


def _loaded(experiment: ListenerExperiment, file: Path, drawing: Drawing) -> Callable[[], Method]:
    def load() -> Method:
        tokenizer = Vocabulary.open(experiment.tokenizer).tokenizer
        return TrainedListener.load(file, tokenizer, drawing.sampling)

    return load


def scored(candidate: Candidate, data: str, test: Contest, samples: int, kept: Path) -> dict[str, Any]:
    """Measure a candidate, or read the result of an earlier run of this command.

    Args:
        candidate: the candidate.
        data: digest of the packs.
        test: the test data.
        samples: K.
        kept: folder of finished scores.
    """
    key = {
        "name": candidate.name,
        "seed": candidate.seed,
        "settings": candidate.settings,
        "data": data,
        "samples": samples,
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    file = kept / f"{digest}.json"
    if not file.exists():
        found = key | score(candidate.name, candidate.open(), test, samples, candidate.seed)
        with whole_file(file) as partial:
            partial.write_text(json.dumps(found) + "\n", "utf-8")
        print_note(f"{candidate.name}, seed {candidate.seed}: measured")
    result: dict[str, Any] = json.loads(regular(file).read_text("utf-8"))
    return result


def compare(
    experiments: Sequence[ListenerExperiment],
    peers: PeerTraining,
    seeds: int,
    samples: int,
    kept: Path,
    guidance: Sequence[float],
) -> dict[str, Any]:
    """Measure everything.

    Raises:
        InputError: the experiments name several folders of packs, or a pack or run cannot be used.
    """
    if len(folders := {experiment.data for experiment in experiments}) != 1:
        raise InputError(
            f"the experiments are of {', '.join(sorted(map(str, folders)))}; expected one folder of packs"
        )
    torch.set_num_threads(1)
    files = [next(iter(folders)) / f"{split}.npz" for split in ("train", "test")]
    train, pack = (load_listening(file) for file in files)
    data = hashlib.sha256(b"".join(regular(file).read_bytes() for file in files)).hexdigest()
    test = Contest.of(pack)
    own = {experiment.name: list(listeners(experiment, guidance)) for experiment in experiments}
    candidates = [*baselines(train, test, peers, seeds), *(one for runs in own.values() for one in runs)]
    require_folder(kept)
    kept.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for candidate in candidates:
        found.setdefault(candidate.name, []).append(scored(candidate, data, test, samples, kept))
    return {
        "commit": current_commit(),
        "machine": machine(),
        "versions": versions(),
        "samples": samples,
        "peers": peers.model_dump(),
        "test": {
            "corpus": pack.corpus,
            "clips": len(test.speakers),
            "listeners": len(test.listeners),
            "frames": len(test.speakers[0]),
        },
        "methods": {name: summary(runs) for name, runs in found.items()},
        "not_run": [name for name, runs in own.items() if not runs],
        "costs": {experiment.name: _cost(experiment) for experiment in experiments},
    }


def _cost(experiment: ListenerExperiment) -> dict[str, Any]:
    """A guided listener runs twice: with the speaker and alone."""
    levels = Vocabulary.open(experiment.tokenizer).levels
    cost = stream_cost(network_config(experiment, levels), FRAME_RATE_HZ)
    return asdict(replace(cost, streamed=cost.streamed * (2 if experiment.sampling.guided else 1)))


def report(
    experiments: Sequence[Path],
    *,
    seeds: int = 3,
    samples: int = 10,
    guidance: Sequence[float] = GUIDANCE,
    peer_steps: int | None = None,
    overrides: Sequence[str] = (),
    results: Path | None = None,
    page: Path | None = None,
    kept: Path | None = None,
    tables_only: bool = False,
) -> None:
    """Measure everything that is missing, and write the results and the tables.

    Args:
        experiments: TOML files.
        seeds: number of seeds for training and draws, 1 or more.
        samples: number of reactions to each clip, 2 or more.
        guidance: further guidances for guided listeners.
        peer_steps: training steps of each peer.
        overrides: overrides of all experiments, ``key=value``.
        results: the JSON file, :data:`RESULTS` by default.
        page: the page whose tables are replaced, :data:`PAGE` by default.
        kept: folder of finished scores, :data:`KEPT` by default.
        tables_only: make the tables from existing results.

    Raises:
        InputError: there is no experiment, or an experiment, the results or the page cannot be used.
    """
    results = results or RESULTS
    if not tables_only:
        if not experiments:
            raise InputError("found no experiment; expected TOML files such as experiments/listener*.toml")
        read = [load_experiment(path, ListenerExperiment, overrides) for path in experiments]
        peers = PeerTraining() if peer_steps is None else PeerTraining(steps=peer_steps)
        result = compare(read, peers, seeds, samples, kept or KEPT, guidance)
        with whole_file(results) as partial:
            partial.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    write_between(page or PAGE, MARKS, tables(json.loads(regular(results).read_text("utf-8"))))
