"""The weights that a new expression network starts from, as the key ``init`` names them."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import onnx
import torch
from torch import Tensor, nn

from visavis.base import networks
from visavis.base.reading import read_bytes
from visavis.errors import InputError
from visavis.expression.sparse import SparseClassifier
from visavis_train.expression.config import Experiment
from visavis_train.expression.data.augment import augment
from visavis_train.expression.distillation import Teacher, onnx_teacher
from visavis_train.expression.models.heads import Reading
from visavis_train.expression.models.learned import LEARNED
from visavis_train.expression.models.pruning import PruningConfig
from visavis_train.expression.models.sparse import SparseNet
from visavis_train.expression.quantize.network import classifier_from_bytes
from visavis_train.expression.release import export_network, export_sparse
from visavis_train.loop.checkpoint import load_checkpoint, load_state
from visavis_train.onnx.export import ASSETS
from visavis_train.onnx.read import read_back

# Number of faces for the statistics of batch norms.
_FACES = 1024
# How an ONNX file with the number of tokens as an input prunes.
_EMBEDDED = PruningConfig(keep_rate=0.1, queries="kept")


def require_start(experiment: Experiment) -> None:
    """Find missing initial weights before the work.

    Raises:
        InputError: ``init`` or ``init_stem`` is no file, no folder, and no embedded network.
    """
    for key in ("init", "init_stem"):
        place: Path | None = getattr(experiment, key)
        if place is not None and not embedded(place).exists():
            raise InputError(f"{key}: {place}: no such file or folder; expected weights to start from")


def start(network: nn.Module, experiment: Experiment, images: Tensor) -> None:
    """Replace the weights of a network of ``experiment.model`` by those of ``experiment.init``, if given.

    ``images`` (N, 1, F, F) uint8 are training faces.

    Raises:
        InputError: ``init`` is neither a checkpoint nor an ONNX file of such a network.
        WeightsError: it is the ONNX file of another kind of network.
    """
    init = experiment.init
    if init is None:
        return
    if not (init := embedded(init)).exists():
        raise InputError(f"{init}: no such file; expected weights to start from")
    if init.suffix != ".onnx":
        load_checkpoint(init, {"model": network}, more=experiment.init_deeper, new=LEARNED)
        return
    if experiment.init_deeper:
        raise InputError(f"{init}: init_deeper needs a checkpoint, such as another run's best.safetensors")
    if experiment.reading != Reading():
        raise InputError(f"{init}: an ONNX file was trained with the usual [reading]; leave that table out")
    data = read_bytes(init, networks.ONNX_FILE)
    asks_keep = isinstance(classifier_from_bytes(data, str(init)), SparseClassifier)
    side_px = experiment.model.image_px
    rng = torch.Generator().manual_seed(experiment.seed)
    some = images[torch.randperm(len(images), generator=rng)[:_FACES].to(images.device)].cpu()
    batch = augment(some, side_px, experiment.augmentation, rng)
    stored = onnx.load_model_from_string(data)
    if asks_keep and isinstance(network, SparseNet):
        _start_sparse(network, stored, init, batch)
    else:
        read_back(stored, str(init), network, lambda each, path: export_network(each, path, side_px), batch)


def _start_sparse(network: SparseNet, stored: onnx.ModelProto, init: Path, batch: Tensor) -> None:
    """Read a file with the number of tokens as an input; the new network may prune in another way."""
    own = network.pruning
    ways = [own] * own.counts_tokens + [_EMBEDDED]
    for number, how in enumerate(ways, start=1):
        with torch.random.fork_rng():
            twin = SparseNet(network.config.model_copy(update={"pruning": how}))
        try:
            read_back(stored, str(init), twin, _export_sparse, batch)
        except InputError:
            if number == len(ways):
                raise
            continue
        load_state(network, twin.state_dict(), init, new=LEARNED)
        return


def _export_sparse(network: nn.Module, path: Path) -> None:
    each = cast(SparseNet, network)
    export_sparse(each, path, min(each.pruning.rates.values(), default=1.0))


def start_teacher(experiment: Experiment) -> Teacher | None:
    """The answers of the network that an experiment starts from, if it is a dense one in an ONNX file."""
    if experiment.init is None or experiment.model.kind == "sparse":
        return None
    file = embedded(experiment.init)
    if file.suffix != ".onnx" or not file.exists():
        return None
    return onnx_teacher(file, experiment.threads, experiment.reading.face_px)


def embedded(init: Path) -> Path:
    """The file of an embedded network that is given by its name; other paths stay as they are.

    Raises:
        WeightsError: the network is missing or was changed.
    """
    known = networks.manifest()
    if init.exists() or str(init) not in known:
        return init
    networks.read(str(init))
    return ASSETS / known[str(init)].file
