"""REACT's 25 numbers of expression from face states, as far as geometry shows them.

A simulated face has no picture, so no classifier can look at it. Action units come from the weights, as
everywhere (``visavis.expression.action_units``). The eight expressions come from the action units that EMFACS
(Friesen and Ekman 1983) is commonly said to name for each, as far as ARKit can show them; we have not
seen the original. Valence and arousal come from the expressions (``visavis.expression.circumplex``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from visavis.channels import ACTION_UNITS, BLENDSHAPES, EXPRESSIONS
from visavis.expression.action_units import MATRIX, REST
from visavis.expression.circumplex import PLANE
from visavis.types import FloatArray

PROTOTYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "happy": ("AU12", "AU12", "AU6"),
        "sad": ("AU1", "AU4", "AU15"),
        "surprise": ("AU1", "AU2", "AU26"),
        "fear": ("AU1", "AU2", "AU4", "AU7", "AU26"),
        "disgust": ("AU9", "AU10", "AU15", "AU17"),
        "anger": ("AU4", "AU7", "AU23", "AU24"),
        "contempt": ("AU14", "AU12"),
    }
)
# A prototype with a mean intensity of 0.25 is as likely as a neutral face. Our choice.
SHARPNESS, NEUTRAL_AT = 14.0, 0.25
_MEMBERS = np.asarray(
    [[PROTOTYPES.get(name, ()).count(unit) for unit in ACTION_UNITS] for name in EXPRESSIONS], np.float32
)
_SIZES = np.maximum(_MEMBERS.sum(axis=1), 1)


def expression_values(face: FloatArray, rest: FloatArray) -> FloatArray:
    """Read a face over time.

    Args:
        face: (T, 58).
        rest: (58,) the person's relaxed face: high brows are not surprise if they are always high.

    Returns:
        (T, 25) in the order of EXPRESSION_CHANNELS. Action units are from the face itself; expressions are
        read from the action units' increase over the face at rest.
    """
    units, usual = units_of(face), units_of(rest[None])
    scores = SHARPNESS * ((units - usual).clip(0) @ _MEMBERS.T / _SIZES - NEUTRAL_AT)
    scores[:, EXPRESSIONS.index("neutral")] = 0.0
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    return np.concatenate([units, chances @ PLANE, chances], axis=1).astype(np.float32)


def units_of(face: FloatArray) -> FloatArray:
    """(T, 15) the action units of faces (T, 58), as in ``visavis.expression.action_units``, all at once."""
    units = ((face[:, : len(BLENDSHAPES)] @ MATRIX.T - REST) / (1 - REST)).clip(0, 1)
    six, seven, twelve = (ACTION_UNITS.index(name) for name in ("AU6", "AU7", "AU12"))
    units[:, six] = np.maximum(units[:, six], np.sqrt(units[:, seven] * units[:, twelve]))
    return np.asarray(units, np.float32)
