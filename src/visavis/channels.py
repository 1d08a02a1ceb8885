"""Names and orders of all channels of a face, an expression and an avatar's pose."""

from __future__ import annotations

import re
from types import MappingProxyType

# The 52 coefficients of Apple's ARFaceAnchor.BlendShapeLocation, in alphabetical order: the order of
# FaceVerse in REACT2024 and, except for tongueOut, of MediaPipe's Face Landmarker.
# https://developer.apple.com/documentation/arkit/arfaceanchor/blendshapelocation
BLENDSHAPES: tuple[str, ...] = tuple(
    """browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight
    cheekPuff cheekSquintLeft cheekSquintRight
    eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight
    eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight
    eyeWideLeft eyeWideRight
    jawForward jawLeft jawOpen jawRight
    mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft
    mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight
    mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight
    mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight
    noseSneerLeft noseSneerRight tongueOut""".split()
)
HEAD_ANGLES: tuple[str, ...] = ("yaw", "pitch", "roll")
TRANSLATIONS: tuple[str, ...] = ("x", "y", "z")
FACE_CHANNELS: tuple[str, ...] = BLENDSHAPES + HEAD_ANGLES + TRANSLATIONS
FACE_INDEX = MappingProxyType({name: index for index, name in enumerate(FACE_CHANNELS)})

# What a mirror does to a face: the channel whose value each channel takes, and the sign that it gets.
MIRROR_ORDER: tuple[int, ...] = tuple(
    FACE_INDEX[f"{name[:-4]}Right" if name.endswith("Left") else re.sub("Right$", "Left", name)]
    for name in FACE_CHANNELS
)
MIRROR_SIGN: tuple[int, ...] = tuple(-1 if name in ("yaw", "roll", "x") else 1 for name in FACE_CHANNELS)

# What a viewer sees of a face from the front, in distances between the outer eye corners: name -> (of an
# average face at rest, how far an expression moves it). Left and right are the person's own, x grows to the
# image's right and y upward. Corners of the mouth and brows are heights above the corners of the eyes.
FACE_MEASURES = MappingProxyType(
    {
        "mouthOpening": (0.01, 0.45),
        "mouthWidth": (0.57, 0.2),
        "mouthCornerLeft": (-0.76, 0.12),
        "mouthCornerRight": (-0.76, 0.12),
        "mouthAside": (0.0, 0.12),
        "browLeft": (0.245, 0.1),
        "browRight": (0.245, 0.1),
        "lidLeft": (0.1, 0.1),
        "lidRight": (0.1, 0.1),
        "gazeX": (0.0, 0.08),
        "gazeY": (0.023, 0.05),
    }
)

# The 25 expression channels of REACT2024 (Song et al. 2024, arXiv:2401.05166), in its order: 15 action units
# of the Facial Action Coding System, valence, arousal, and 8 expressions.
ACTION_UNITS: tuple[str, ...] = tuple(
    "AU1 AU2 AU4 AU6 AU7 AU9 AU10 AU12 AU14 AU15 AU17 AU23 AU24 AU25 AU26".split()
)
EXPRESSIONS: tuple[str, ...] = (
    "neutral",
    "happy",
    "sad",
    "surprise",
    "fear",
    "disgust",
    "anger",
    "contempt",
)
EXPRESSION_CHANNELS: tuple[str, ...] = (*ACTION_UNITS, "valence", "arousal", *EXPRESSIONS)

# An avatar's parameters: id -> (lowest, highest, at rest). First Live2D's standard ones, up to ParamBreath.
# https://docs.live2d.com/en/cubism-editor-manual/standard-parameter-list/
# Then those that models for VTube Studio and VBridger have for ARKit's mouths, under their usual ids, and
# four of our own (ParamMouthLForm, ParamMouthRForm, ParamJawX, ParamNoseSneer) that have no usual id.
AVATAR_PARAMETERS = MappingProxyType(
    {
        "ParamAngleX": (-30.0, 30.0, 0.0),
        "ParamAngleY": (-30.0, 30.0, 0.0),
        "ParamAngleZ": (-30.0, 30.0, 0.0),
        "ParamEyeLOpen": (0.0, 1.0, 1.0),
        "ParamEyeLSmile": (0.0, 1.0, 0.0),
        "ParamEyeROpen": (0.0, 1.0, 1.0),
        "ParamEyeRSmile": (0.0, 1.0, 0.0),
        "ParamEyeBallX": (-1.0, 1.0, 0.0),
        "ParamEyeBallY": (-1.0, 1.0, 0.0),
        "ParamBrowLY": (-1.0, 1.0, 0.0),
        "ParamBrowRY": (-1.0, 1.0, 0.0),
        "ParamBrowLX": (-1.0, 1.0, 0.0),
        "ParamBrowRX": (-1.0, 1.0, 0.0),
        "ParamBrowLAngle": (-1.0, 1.0, 0.0),
        "ParamBrowRAngle": (-1.0, 1.0, 0.0),
        "ParamBrowLForm": (-1.0, 1.0, 0.0),
        "ParamBrowRForm": (-1.0, 1.0, 0.0),
        "ParamMouthForm": (-1.0, 1.0, 0.0),
        "ParamMouthOpenY": (0.0, 1.0, 0.0),
        "ParamCheek": (0.0, 1.0, 0.0),
        "ParamBodyAngleX": (-10.0, 10.0, 0.0),
        "ParamBodyAngleY": (-10.0, 10.0, 0.0),
        "ParamBodyAngleZ": (-10.0, 10.0, 0.0),
        "ParamBreath": (0.0, 1.0, 0.0),
        "ParamMouthLForm": (-1.0, 1.0, 0.0),
        "ParamMouthRForm": (-1.0, 1.0, 0.0),
        "ParamMouthX": (-1.0, 1.0, 0.0),
        "ParamMouthPuckerWiden": (-1.0, 1.0, 0.0),
        "ParamMouthFunnel": (0.0, 1.0, 0.0),
        "ParamMouthShrug": (0.0, 1.0, 0.0),
        "ParamMouthPressLipOpen": (-1.0, 1.0, 0.0),
        "ParamJawOpen": (0.0, 1.0, 0.0),
        "ParamJawX": (-1.0, 1.0, 0.0),
        "ParamCheekPuff": (0.0, 1.0, 0.0),
        "ParamNoseSneer": (0.0, 1.0, 0.0),
        "ParamTongueOut": (0.0, 1.0, 0.0),
    }
)
