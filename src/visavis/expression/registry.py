"""Opening a recogniser of expressions by its name or from an open network."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import onnxruntime as ort

from visavis.base import networks
from visavis.base.int8 import chosen
from visavis.base.reading import read_json_object
from visavis.errors import InputError, WeightsError
from visavis.expression import classifier, sparse
from visavis.expression.classifier import ExpressionClassifier, output_names
from visavis.expression.sparse import SparseClassifier

# Recogniser -> its embedded network. A new one also needs its name in cli/recognizer.py and its network in
# assets/manifest.json (CONTRIBUTING.md, Weights).
NETWORKS = {"dense": classifier.NAME, "sparse": sparse.NAME}
DEFAULT = "dense"
# The network of a folder that visavis train made.
RUN_NETWORK = "expression.onnx"
# What takes the networks of other tasks.
_TAKEN_BY = {
    "listener": "visavis react TRACK.npz --out REACTIONS.npz --listener",
    "voice": "visavis evaluate voices RAVDESS --voice",
}
_MOST_BYTES = 10**6


def network_of(recognizer: str) -> str:
    """The name of a recogniser's embedded network.

    Raises:
        InputError: the name is not in :data:`NETWORKS`.
    """
    if recognizer not in NETWORKS:
        raise InputError(
            f"no recogniser is called {recognizer!r}; there are {', '.join(NETWORKS)}, files NET.onnx, and "
            "folders that visavis train made"
        )
    return NETWORKS[recognizer]


def network_file(network: Path) -> Path:
    """The ONNX file of a run folder; a file stays as it is.

    Raises:
        InputError: the folder holds no network.
    """
    if not network.exists():
        raise InputError(f"{network}: no such file or folder; expected an ONNX file, or a run's folder")
    if not network.is_dir():
        return network
    file = network / RUN_NETWORK
    if file.exists():
        return file
    task = _task(network)
    if task is None:
        advice = "expected an ONNX file, or the folder of an expression run of visavis train"
    elif task in _TAKEN_BY:
        other = network / f"{task}.onnx"
        advice = f"the {task} of this run is for  {_TAKEN_BY[task]} {quote(str(other))}"
    elif task == "expression":
        advice = f"run  visavis export {quote(str(network))} --out {quote(str(file))}"
    else:
        advice = f"a run of the task {task} makes no recogniser"
    raise InputError(f"{network}: is a folder, not a file, and holds no {RUN_NETWORK}; {advice}")


def _task(run: Path) -> str | None:
    """The task of a run; None for another folder."""
    try:
        return str(read_json_object(run / "config.json", _MOST_BYTES).get("task", "expression"))
    except InputError:
        return None


def open_classifier(recognizer: str = DEFAULT, keep: float | None = None) -> ExpressionClassifier:
    """A recogniser by its name; it uses one thread.

    Args:
        recognizer: one of :data:`NETWORKS`; or an ONNX file as ``visavis train`` writes it, or its folder.
        keep: see :func:`classifier_of`.

    Raises:
        InputError: the name is unknown, the file cannot be read, or ``keep`` is given for a recogniser that
            drops no tokens.
        WeightsError: the network is missing, was changed, or is no recogniser.
    """
    if recognizer not in NETWORKS and (recognizer.endswith(".onnx") or Path(recognizer).is_dir()):
        session = networks.open_file(network_file(Path(recognizer)))
        try:
            return classifier_of(session, keep)
        except (InputError, WeightsError) as error:
            raise type(error)(f"{recognizer}: {error}") from error
    return classifier_of(networks.open_session(chosen(network_of(recognizer))), keep)


def classifier_of(
    session: ort.InferenceSession, keep: float | None = None, *, mirror: bool = False
) -> ExpressionClassifier:
    """The classifier for a network of either kind, which its inputs and outputs determine.

    Args:
        session: the network.
        keep: how many tokens a sparse network keeps; None uses the value in its metadata.
        mirror: see :class:`ExpressionClassifier`.

    Raises:
        InputError: ``keep`` is given for a network that drops no tokens.
        WeightsError: the network is of neither kind.
    """
    if output_names(session) == SparseClassifier.ENDS:
        return SparseClassifier(session, keep, mirror=mirror)
    if keep is not None:
        raise InputError(
            "a keep rate is for a recogniser that drops tokens, and this one keeps all: "
            "choose sparse, or leave it out"
        )
    return ExpressionClassifier(session, mirror=mirror)
