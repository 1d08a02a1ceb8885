"""Opening a recogniser of expressions by its name or from an open network."""

from __future__ import annotations

import onnxruntime as ort

from visavis.base import networks
from visavis.emotion import classifier, sparse
from visavis.emotion.classifier import ExpressionClassifier, ends
from visavis.emotion.sparse import Keeping, SparseClassifier
from visavis.errors import InputError

# Recogniser -> its embedded network.
NETWORKS = {"dense": classifier.NAME, "sparse": sparse.NAME}
DEFAULT = "dense"


def network_of(recognizer: str) -> str:
    """The name of a recogniser's embedded network.

    Raises:
        InputError: the name is not in :data:`NETWORKS`.
    """
    if recognizer not in NETWORKS:
        raise InputError(f"no recogniser is called {recognizer!r}; there are: {', '.join(NETWORKS)}")
    return NETWORKS[recognizer]


def open_classifier(recognizer: str = DEFAULT, keep: Keeping | None = None) -> ExpressionClassifier:
    """An embedded recogniser by its name; it uses one thread.

    Args:
        recognizer: one of :data:`NETWORKS`.
        keep: see :func:`classifier_of`.

    Raises:
        InputError: the name is unknown, or ``keep`` is given for a recogniser that drops no tokens.
        WeightsError: the network is missing or was changed.
    """
    return classifier_of(networks.open_session(network_of(recognizer)), keep)


def classifier_of(
    session: ort.InferenceSession, keep: Keeping | None = None, *, mirror: bool = False
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
    if ends(session) == SparseClassifier.ENDS:
        return SparseClassifier(session, keep, mirror=mirror)
    if keep is not None:
        raise InputError(
            "a keep rate (--keep) is for a recogniser that drops tokens, and this one keeps all: "
            "choose sparse, or leave it out"
        )
    return ExpressionClassifier(session, mirror=mirror)
