"""The avatar's mouth, jaw, cheeks and nose, from blendshape weights and landmarks.

If the face has landmarks, the drawn mouth opens, widens, raises its corners and moves sideways as far as the
real mouth, in shares of its own width; weights add what landmarks cannot show (teeth, pout or funnel, puffed
cheeks, nose, tongue). Without landmarks, weights give everything, by the community's conversion from ARKit to
VTube Studio and VBridger.
"""

from __future__ import annotations

from collections.abc import Mapping

from visavis.avatar.easing import ease
from visavis.avatar.seen import Seen

MOUTH_OPEN_GAIN = 1.5
# How the drawn mouth moves if its parameters are 1, in shares of its width at rest: how far it opens,
OPENS = {"ParamMouthOpenY": 0.93, "ParamMouthFunnel": 0.29, "ParamMouthPressLipOpen": 0.33}
# how much wider it gets (pucker: narrower),
WIDENS, PUCKERS, FUNNEL_NARROWS, OPEN_NARROWS = 0.38, 0.43, 0.43, 0.05
SMILE_WIDENS, OPEN_SMILE_WIDENS = 0.29, 0.52
# and how far its corners rise or sink with a form of 1, one corner alone, and an open mouth.
FORM_RAISES, CORNER_RAISES, OPEN_SINKS = 0.19, 0.2, 0.14
ASIDE = 0.28
# A drawn mouth is small in its face: its corners and its opening move further than the real one's.
CORNER_GAIN, OPEN_GAIN = 1.3, 1.15
PUCKER_SHARE = 0.4
# The weights' share in the corners of the mouth, and how much further the corners move than a weight.
WEIGHTS_SHARE, WEIGHTS_GAIN = 0.35, 1.4
# From this weight of jawOpen on, closed teeth are not visible.
JAW_PARTS = 0.4


def mouth(face: Mapping[str, float], seen: Seen | None) -> dict[str, float]:
    """Parameters of mouth, jaw, cheeks, nose and tongue, not yet within their ranges.

    Args:
        face: weights by name; unreliable weights have already faded to 0.
        seen: what the landmarks show; None without landmarks.
    """
    smile = face["mouthSmileLeft"] + face["mouthSmileRight"]
    rolled = (
        face["mouthRollUpper"]
        + face["mouthRollLower"]
        + (face["mouthPressLeft"] + face["mouthPressRight"]) / 2
    )
    bared = sum(face[f"mouth{lip}{side}"] for lip in ("UpperUp", "LowerDown") for side in ("Left", "Right"))
    grin = ease((smile / 2 - 0.4) / 0.6)
    parameters = {
        "ParamMouthFunnel": face["mouthFunnel"],
        "ParamMouthShrug": (face["mouthShrugUpper"] + face["mouthShrugLower"]) / 2,
        "ParamMouthPressLipOpen": min(max(bared / 2 - rolled, -1), 1),
        "ParamJawOpen": face["jawOpen"],
        "ParamJawX": face["jawLeft"] - face["jawRight"],
        "ParamCheekPuff": face["cheekPuff"],
        "ParamNoseSneer": (face["noseSneerLeft"] + face["noseSneerRight"]) / 2,
        "ParamTongueOut": face["tongueOut"],
        "ParamCheek": 0.35 * grin,
    }
    by_weights = _by_weights(face)
    return parameters | (by_weights if seen is None else _by_landmarks(seen, parameters | by_weights))


def _by_weights(face: Mapping[str, float]) -> dict[str, float]:
    corners = {
        side: face[f"mouthSmile{side}"] - face[f"mouthFrown{side}"] + face[f"mouthDimple{side}"] / 2
        for side in ("Left", "Right")
    }
    rolled = face["mouthRollUpper"] + face["mouthRollLower"]
    opened = face["jawOpen"] - face["mouthClose"] - 0.2 * rolled + 0.2 * face["mouthFunnel"]
    apart = (corners["Left"] - corners["Right"]) / 2
    return {
        "ParamMouthForm": (corners["Left"] + corners["Right"] - face["mouthPucker"]) / 2,
        "ParamMouthLForm": apart,
        "ParamMouthRForm": -apart,
        # A hundredth of jawOpen is noise, not speech.
        "ParamMouthOpenY": MOUTH_OPEN_GAIN * max(opened - 0.02, 0.0),
        "ParamMouthX": face["mouthLeft"] - face["mouthRight"],
        "ParamMouthPuckerWiden": face["mouthStretchLeft"] + face["mouthStretchRight"] - face["mouthPucker"],
    }


def _by_landmarks(seen: Seen, weights: Mapping[str, float]) -> dict[str, float]:
    opening = OPEN_GAIN * max(seen.opening, 0.0)
    funnel, press = weights["ParamMouthFunnel"], weights["ParamMouthPressLipOpen"]
    # Bared teeth and a funnel use at most the existing opening; a dropped jaw parts the teeth.
    press = min(
        press * max(1 - weights["ParamJawOpen"] / JAW_PARTS, 0.0) if press > 0 else press,
        opening / OPENS["ParamMouthPressLipOpen"],
    )
    left = opening - max(press, 0.0) * OPENS["ParamMouthPressLipOpen"]
    funnel = min(funnel, left / OPENS["ParamMouthFunnel"])
    opened = (left - funnel * OPENS["ParamMouthFunnel"]) / OPENS["ParamMouthOpenY"]
    # Pursed lips move forward more than they become narrow.
    pursed = max(-weights["ParamMouthPuckerWiden"] - 0.3, 0.0)
    raised = CORNER_GAIN * (seen.corner_left + seen.corner_right) / 2
    apart = CORNER_GAIN * (seen.corner_left - seen.corner_right) / 2 / CORNER_RAISES
    form = (raised + OPEN_SINKS * min(opened, 1.0)) / FORM_RAISES
    form += WEIGHTS_SHARE * (WEIGHTS_GAIN * weights["ParamMouthForm"] - form)
    apart += WEIGHTS_SHARE * (WEIGHTS_GAIN * weights["ParamMouthLForm"] - apart)
    wider = SMILE_WIDENS + (OPEN_SMILE_WIDENS - SMILE_WIDENS) * min(opened, 1.0)
    width = seen.width + FUNNEL_NARROWS * funnel + OPEN_NARROWS * opened - wider * min(max(form, 0.0), 1.0)
    return {
        "ParamMouthOpenY": opened,
        "ParamMouthFunnel": funnel,
        "ParamMouthPressLipOpen": press,
        "ParamMouthForm": form,
        "ParamMouthLForm": apart,
        "ParamMouthRForm": -apart,
        "ParamMouthX": 0.7 * seen.aside / ASIDE + 0.4 * weights["ParamMouthX"],
        "ParamMouthPuckerWiden": width / (WIDENS if width > 0 else PUCKERS) - PUCKER_SHARE * pursed,
    }
