"""Valence and arousal on Russell's circumplex, from the probabilities of the 8 expressions.

The plane is from Russell 1980 ("A circumplex model of affect", J. Pers. Soc. Psychol. 39:1161-1178).
The points are mean pleasure and arousal ratings of emotion words on -1..1 by Russell and Mehrabian 1977
("Evidence for a three-factor theory of emotions", J. Res. Pers. 11:273-294), in the values that later work
repeats; we have not seen the printed table. The ratings are for words, not faces: a stopgap until valence and
arousal are trained.
"""

from __future__ import annotations

import numpy as np

from visavis.base.arrays import as_float32
from visavis.channels import EXPRESSIONS
from visavis.types import FloatArray

# Expression: (valence, arousal).
POINTS: dict[str, tuple[float, float]] = {
    "neutral": (0.0, 0.0),  # the origin, by definition
    "happy": (0.81, 0.51),
    "sad": (-0.63, -0.27),
    "surprise": (0.40, 0.67),
    "fear": (-0.64, 0.60),
    "disgust": (-0.60, 0.35),
    "anger": (-0.51, 0.59),
    # Our own choice, because there is no source: half way from neutral to the mean of anger and disgust.
    "contempt": (-0.28, 0.24),
}
# (8, 2) the points in the order of EXPRESSIONS.
PLANE = np.asarray([POINTS[name] for name in EXPRESSIONS], np.float32)


def valence_arousal(probabilities: FloatArray) -> tuple[float, float]:
    """Mean of the points under the distribution.

    Args:
        probabilities: (8,) in the order of EXPRESSIONS, summing to 1.

    Returns:
        Valence and arousal, each in -1..1.

    Raises:
        InputError: the array has another shape or is not finite.
    """
    valence, arousal = as_float32("expression probabilities", probabilities, (len(EXPRESSIONS),)) @ PLANE
    return float(valence), float(arousal)
