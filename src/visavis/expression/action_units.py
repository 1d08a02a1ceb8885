"""The intensities of REACT's 15 action units, from 52 ARKit weights.

Each row of :data:`TABLE` reads one action unit of the Facial Action Coding System (Ekman, Friesen and Hager
2002) from the blendshapes whose description by Apple names the same movement; M. Ozel's "ARKit to FACS
cheat sheet" (melindaozel.com) is the community's reading of the same pairs. Left and right are averaged.

The value of a blendshape on a neutral face is subtracted: ``rest`` is the median of the row over 396 faces
of FER-2013 Training with 8 or more of 10 FER+ votes for "neutral" (all but 4 of the 400 drawn, in which
MediaPipe 0.10.32 finds no face). The remaining range is stretched to 0..1.

Some trackers do not read cheekPuff, cheekSquint and noseSneer; these are then 0. AU6 is therefore
also read from tightened lids in a smile (:func:`action_units`); AU9 has no other evidence and stays 0
with such trackers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visavis.base.arrays import as_float32
from visavis.channels import ACTION_UNITS, BLENDSHAPES
from visavis.types import FloatArray


@dataclass(frozen=True, slots=True)
class Row:
    """How one action unit is computed.

    Attributes:
        terms: weight of each blendshape in the sum.
        rest: the sum on a neutral face.
        source: Apple's descriptions of the blendshapes, FACS' name of the unit, and our own interpretation.
    """

    terms: tuple[tuple[str, float], ...]
    rest: float
    source: str


def _both(name: str, weight: float = 1.0) -> tuple[tuple[str, float], ...]:
    return ((f"{name}Left", weight / 2), (f"{name}Right", weight / 2))


# https://developer.apple.com/documentation/arkit/arfaceanchor/blendshapelocation
TABLE: dict[str, Row] = {
    "AU1": Row((("browInnerUp", 1.0),), 0.04, "inner portion of both eyebrows up: inner brow raiser"),
    "AU2": Row(_both("browOuterUp"), 0.13, "outer portion of the eyebrow up: outer brow raiser"),
    "AU4": Row(_both("browDown"), 0.02, "outer portion of the eyebrow down: brow lowerer"),
    "AU6": Row(_both("cheekSquint"), 0.0, "cheek around and below the eye up: cheek raiser"),
    "AU7": Row(_both("eyeSquint"), 0.24, "contraction of the face around the eye: lid tightener"),
    "AU9": Row(_both("noseSneer"), 0.0, "raising of the nose's side around the nostril: nose wrinkler"),
    "AU10": Row(_both("mouthUpperUp"), 0.0, "upper lip up on one side: upper lip raiser"),
    "AU12": Row(_both("mouthSmile"), 0.0, "corner of the mouth up: lip corner puller"),
    "AU14": Row(_both("mouthDimple"), 0.0, "corner of the mouth back: dimpler"),
    "AU15": Row(_both("mouthFrown"), 0.0, "corner of the mouth down: lip corner depressor"),
    "AU17": Row((("mouthShrugLower", 1.0),), 0.02, "outward movement of the lower lip: chin raiser"),
    "AU23": Row(
        (("mouthRollLower", 0.5), ("mouthRollUpper", 0.5)),
        0.01,
        "lips towards the inside of the mouth: ARKit has no lip tightener; rolled lips (AU28) show the same "
        "narrowed red of the lips, and are our stand-in for it",
    ),
    "AU24": Row(_both("mouthPress"), 0.01, "upward compression of the lower lip: lip pressor"),
    "AU25": Row(
        (("jawOpen", 1.0), ("mouthClose", -1.0), *_both("mouthLowerDown"), *_both("mouthUpperUp")),
        0.01,
        "jaw open less closure of the lips independent of the jaw, lower lip down, upper lip up: lips part "
        "(the sum is our reading)",
    ),
    "AU26": Row((("jawOpen", 1.0),), 0.01, "opening of the lower jaw: jaw drop"),
}


def _matrix() -> FloatArray:
    result = np.zeros((len(ACTION_UNITS), len(BLENDSHAPES)), np.float32)
    for row, name in enumerate(ACTION_UNITS):
        for shape, weight in TABLE[name].terms:
            result[row, BLENDSHAPES.index(shape)] = weight
    return result


# (15, 52) the weights of TABLE, rows as ACTION_UNITS, columns as BLENDSHAPES.
MATRIX = _matrix()
# (15,) what a relaxed face has of each unit.
REST = np.asarray([TABLE[name].rest for name in ACTION_UNITS], np.float32)
_AU6, _AU7, _AU12 = (ACTION_UNITS.index(name) for name in ("AU6", "AU7", "AU12"))


def action_units(weights: FloatArray) -> FloatArray:
    """Read the action units from blendshape weights.

    Args:
        weights: (52,) in the order of BLENDSHAPES, 0..1.

    Returns:
        (15,) in the order of ACTION_UNITS, 0..1. AU6 is the larger of its row and the geometric mean of
        AU7 and AU12: a tracker without cheeks sees the cheek raiser of a Duchenne smile as tightened lids
        (Ekman, Davidson and Friesen 1990; the formula is ours).

    Raises:
        InputError: the array has another shape or is not finite.
    """
    units = (MATRIX @ as_float32("blendshape weights", weights, (len(BLENDSHAPES),)) - REST) / (1 - REST)
    units = units.clip(0.0, 1.0)
    units[_AU6] = max(units[_AU6], np.sqrt(units[_AU7] * units[_AU12]))
    return units
