"""The embedded network that gives the expression of a face crop."""

from __future__ import annotations

from textwrap import shorten
from typing import ClassVar

import cv2
import numpy as np
import onnxruntime as ort

from visavis.base import networks
from visavis.base.arrays import require_flag
from visavis.channels import EXPRESSIONS
from visavis.errors import InputError, WeightsError
from visavis.expression.labels import FER2013_LABELS
from visavis.types import FloatArray, ImageArray

NAME = "expression"
# How many classes each output has.
CLASSES = {"expressions": len(EXPRESSIONS), "labels": len(FER2013_LABELS)}


class ExpressionClassifier:
    """Reads the expressions of square face crops that are framed as in FER-2013.

    Args:
        session: a network with the input ``images`` (N, 1, S, S) uint8 and the outputs ``expressions``
            (N, 8) and ``labels`` (N, 7), probabilities in the orders that its metadata name.
        mirror: also read each face mirrored, and average; a little more accurate in twice the time.

    Raises:
        WeightsError: the network has other inputs, outputs or orders, or gives other shapes.
    """

    # The network's inputs, then its outputs.
    ENDS: ClassVar[tuple[str, ...]] = ("images", "expressions", "labels")

    def __init__(self, session: ort.InferenceSession, *, mirror: bool = False) -> None:
        require_flag("mirror", mirror)
        found = output_names(session)
        notes = networks.metadata(session)
        if found != self.ENDS:
            raise WeightsError(
                f"the expression network has {shorten(', '.join(found), 80)}; expected {', '.join(self.ENDS)}"
            )
        orders = (notes.get("expressions"), notes.get("labels"))
        if orders != (list(EXPRESSIONS), list(FER2013_LABELS)):
            raise WeightsError(f"the expression network's classes are {orders}; expected visavis' own orders")
        pictures = session.get_inputs()[0]
        match pictures.type, pictures.shape:
            case "tensor(uint8)", [str() | None, 1, int(height), int(width)] if height == width:
                self.side_px = height
            case found_type, found_shape:
                raise WeightsError(
                    f"the expression network reads {found_type} {found_shape}; expected tensor(uint8) "
                    "[any, 1, S, S] with a fixed S"
                )
        self._network = networks.batched(session)
        self.mirror = mirror

    def predict(self, crops: ImageArray) -> FloatArray:
        """Probabilities (N, 8) of EXPRESSIONS, as ten FER+ annotators would vote.

        Args:
            crops: (N, H, H) grey or (N, H, H, 3) RGB, uint8, any H.

        Raises:
            InputError: the crops have another shape or dtype.
        """
        return self._run(crops, "expressions")

    def predict_labels(self, crops: ImageArray) -> FloatArray:
        """Probabilities (N, 7) of FER2013_LABELS, as FER-2013 itself labels faces; see :meth:`predict`."""
        return self._run(crops, "labels")

    def _run(self, crops: ImageArray, output: str) -> FloatArray:
        faces = self._prepare(crops)
        turned = self._answer(faces[..., ::-1], output) if self.mirror else None
        answer = self._answer(faces, output)
        return answer if turned is None else np.divide(answer + turned, 2, dtype=np.float32)

    def _answer(self, faces: ImageArray, output: str) -> FloatArray:
        """The network's output of that name for faces (N, 1, S, S)."""
        return checked_answer(self._network.run([output], {"images": faces})[0], output, len(faces))

    def _prepare(self, crops: ImageArray) -> ImageArray:
        """(N, H, H[, 3]) -> (N, 1, S, S) grey."""
        shape = crops.shape
        square = crops.ndim in (3, 4) and 0 not in shape and shape[1] == shape[2] and shape[3:] in ((), (3,))
        if crops.dtype != np.uint8 or not square:
            raise InputError(
                f"face crops must be uint8 (N, H, H) or (N, H, H, 3); found {crops.dtype} {shape}"
            )
        side = self.side_px
        faces = np.empty((shape[0], 1, side, side), np.uint8)
        for face, crop in zip(faces[:, 0], crops, strict=True):
            gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) if crop.ndim == 3 else crop
            shrinks = gray.shape[0] > side
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            face[:] = cv2.resize(gray, (side, side), interpolation=how)
        return faces


def checked_answer(answer: FloatArray, output: str, faces: int) -> FloatArray:
    """A network's output for this many faces, checked to have the shape of the output of that name.

    Raises:
        WeightsError: the shape is wrong.
    """
    expected = (faces, CLASSES[output])
    if answer.shape != expected:
        raise WeightsError(f"the expression network's {output} are {answer.shape}; expected {expected}")
    return answer


def output_names(session: ort.InferenceSession) -> tuple[str, ...]:
    """The names of a network's inputs, then of its outputs."""
    return tuple(spec.name for spec in (*session.get_inputs(), *session.get_outputs()))
