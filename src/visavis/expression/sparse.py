"""The sparse recogniser: expressions of face crops, and the tokens that it kept.

Its transformer drops the least informative tokens of a face; the number of kept tokens is an input of the
network. The same weights serve all keep rates; see docs/reference/sparse.md.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import ClassVar

import numpy as np
import onnxruntime as ort

from visavis.base import networks
from visavis.errors import InputError, WeightsError
from visavis.expression.classifier import ExpressionClassifier, checked_answer
from visavis.types import BoolArray, FloatArray, ImageArray

NAME = "expression_sparse"


def check_keep(rate: float) -> float:
    """The keep rate itself, if ceil(rate n) of n tokens can be kept.

    Raises:
        InputError: it is not above 0 and at most 1.
    """
    if not isinstance(rate, Real) or not 0 < rate <= 1:
        raise InputError(f"keep rate {rate!r}; expected above 0 and at most 1")
    return rate


def kept_count(tokens: int, rate: float) -> int:
    """ceil(rate * tokens), at least 1."""
    # 0.07 * 100 is a little above 7 in floating point, but must give 7 tokens.
    return max(1, math.ceil(round(rate * tokens, 9)))


class SparseClassifier(ExpressionClassifier):
    """Reads expressions with a network that drops tokens; do not use one object in several threads.

    Args:
        session: a network with the inputs of :class:`ExpressionClassifier` and ``keep``, the number of kept
            tokens, () int64; and one more output ``kept`` (N, keep), their indices in the G x G cells, row by
            row. Its metadata give ``grid`` (G), and ``keep`` with the default ``rate``.
        keep: keep rate, above 0 and at most 1; None for the rate in the network's metadata.
        mirror: see :class:`ExpressionClassifier`.

    Attributes:
        keep: the given value, or the value in the metadata.
        grid: G.
        kept: (N, G, G) which tokens of the last crops were kept; None before the first call.

    Raises:
        InputError: the keep rate is out of range.
        WeightsError: the network does not fit this description.
    """

    ENDS: ClassVar[tuple[str, ...]] = ("images", "keep", "expressions", "labels", "kept")

    def __init__(
        self,
        session: ort.InferenceSession,
        keep: float | None = None,
        *,
        mirror: bool = False,
    ) -> None:
        super().__init__(session, mirror=mirror)
        count = session.get_inputs()[1]
        if (count.type, count.shape) != ("tensor(int64)", []):
            raise WeightsError(
                f"the sparse network reads keep as {count.type} {count.shape}; expected tensor(int64) []"
            )
        notes = networks.metadata(session)
        grid, defaults = notes.get("grid"), notes.get("keep")
        usual = defaults.get("rate") if isinstance(defaults, dict) else None
        if not isinstance(grid, int) or not 0 < grid <= self.side_px or not isinstance(usual, int | float):
            raise WeightsError(
                f"the sparse network's metadata name grid {grid} and keep rate {usual}; expected those "
                "that visavis' export writes"
            )
        if not 0 < usual <= 1:
            raise WeightsError(f"the sparse network's keep rate is {usual}; expected above 0 and at most 1")
        self.keep = float(usual) if keep is None else check_keep(keep)
        self._session = session  # Not batched: the number of kept tokens is no item.
        self.grid = grid
        self.kept: BoolArray | None = None

    def _answer(self, faces: ImageArray, output: str) -> FloatArray:
        cells, count = self.grid**2, self.count(self.keep)
        feed = {"images": faces, "keep": np.asarray(count, np.int64)}
        expressions, labels, chosen = self._session.run(None, feed)
        if chosen.dtype != np.int64 or chosen.shape != (len(faces), count):
            raise WeightsError(
                f"the sparse network's kept are {chosen.dtype} {chosen.shape}; "
                f"expected int64 {(len(faces), count)}"
            )
        outside = chosen[(chosen < 0) | (chosen >= cells)]
        if outside.size:
            raise WeightsError(f"the sparse network kept cell {outside[0]}; expected 0 to {cells - 1}")
        kept = np.zeros((len(faces), cells), np.bool_)
        np.put_along_axis(kept, chosen, True, axis=1)
        named = {"expressions": expressions, "labels": labels}
        answers = {name: checked_answer(answer, name, len(faces)) for name, answer in named.items()}
        self.kept = kept.reshape(-1, self.grid, self.grid)
        return answers[output]

    def count(self, rate: float) -> int:
        """How many of the G x G tokens are kept at a keep rate."""
        return kept_count(self.grid**2, rate)
