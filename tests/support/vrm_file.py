"""A small VRM model: a box for a head, with a red left eye, a green right eye and a blue mouth that move."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

# Bone -> (its parent, its place relative to the parent for a model that looks along +z).
BONES: dict[str, tuple[str | None, tuple[float, float, float]]] = {
    "hips": (None, (0, 1, 0)),
    "spine": ("hips", (0, 0.1, 0)),
    "chest": ("spine", (0, 0.15, 0)),
    "neck": ("chest", (0, 0.2, 0)),
    "head": ("neck", (0, 0.1, 0)),
    "leftUpperArm": ("chest", (0.15, 0.15, 0)),
    "leftLowerArm": ("leftUpperArm", (0.25, 0, 0)),
    "leftHand": ("leftLowerArm", (0.25, 0, 0)),
    "rightUpperArm": ("chest", (-0.15, 0.15, 0)),
    "rightLowerArm": ("rightUpperArm", (-0.25, 0, 0)),
    "rightHand": ("rightLowerArm", (-0.25, 0, 0)),
    "leftUpperLeg": ("hips", (0.1, 0, 0)),
    "leftLowerLeg": ("leftUpperLeg", (0, -0.45, 0)),
    "leftFoot": ("leftLowerLeg", (0, -0.45, 0)),
    "rightUpperLeg": ("hips", (-0.1, 0, 0)),
    "rightLowerLeg": ("rightUpperLeg", (0, -0.45, 0)),
    "rightFoot": ("rightLowerLeg", (0, -0.45, 0)),
}
EYES = {"leftEye": ("head", (0.05, 0.14, 0.11)), "rightEye": ("head", (-0.05, 0.14, 0.11))}
COLORS = {"skin": (1, 1, 1), "left": (1, 0, 0), "right": (0, 1, 0), "mouth": (0, 0, 1)}
# What moves with which of the three morph targets, by ARKit's names and by the presets of VRM 1.0 and 0.x.
TARGETS = ("mouth", "left", "right")
ARKIT = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")
VRM1 = ("aa", "blinkLeft", "blinkRight")
VRM0 = ("a", "blink_l", "blink_r")


def rectangle(x: float, y: float, z: float, width: float, height: float) -> np.ndarray:
    corners = np.asarray([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    return corners * [width / 2, height / 2, 0] + [x, y, z]


def vrm_file(
    *,
    version: int = 1,
    arkit: bool = True,
    eyes_deg: tuple[float, float] | None = None,
    hair: bool = False,
    **changes: Any,
) -> bytes:
    """The bytes of a model of VRM 1.0 or 0.x.

    Args:
        version: 0 or 1.
        arkit: whether it has expressions with ARKit's names, else only VRM's presets.
        eyes_deg: how far bones turn the eyes up and down at most; None: the model has no eye bones.
        hair: whether four nodes, hair0 to hair3, hang from the head as springs.
        changes: fields of the glTF that are replaced.
    """
    front = 1 if version else -1  # Models of VRM 0 look along -z.
    at = {
        "skin": (rectangle(0, 0.1, 0.1, 0.24, 0.3), None),
        "left": (rectangle(0.05, 0.14, 0.11, 0.05, 0.03), rectangle(0.05, 0.14, 0.11, 0.05, 0.002)),
        "right": (rectangle(-0.05, 0.14, 0.11, 0.05, 0.03), rectangle(-0.05, 0.14, 0.11, 0.05, 0.002)),
        "mouth": (rectangle(0, 0.03, 0.11, 0.08, 0.005), rectangle(0, 0.03, 0.11, 0.08, 0.06)),
    }
    turn = np.asarray([front, 1, front], np.float32)
    data, views, accessors, primitives, materials = b"", [], [], [], []

    def accessor(array: np.ndarray, kind: int, shape: str) -> int:
        nonlocal data
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": array.nbytes})
        data += array.tobytes()
        found = {"bufferView": len(views) - 1, "componentType": kind, "count": len(array), "type": shape}
        if shape == "VEC3":
            found |= {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
        accessors.append(found)
        return len(accessors) - 1

    faces = accessor(np.asarray([0, 1, 2, 0, 2, 3], np.uint32), 5125, "SCALAR")
    for name, (rest, moved) in at.items():
        place = (rest * turn).astype(np.float32)
        targets = []
        for target in TARGETS:
            away = (moved - rest) * turn if moved is not None and target == name else np.zeros_like(rest)
            targets.append({"POSITION": accessor(away.astype(np.float32), 5126, "VEC3")})
        materials.append(
            {
                "name": name,
                "doubleSided": True,
                "pbrMetallicRoughness": {"baseColorFactor": [*COLORS[name], 1]},
                "extensions": {"KHR_materials_unlit": {}},
            }
        )
        primitives.append(
            {
                "attributes": {"POSITION": accessor(place, 5126, "VEC3")},
                "indices": faces,
                "material": len(materials) - 1,
                "targets": targets,
            }
        )
    bones = BONES if eyes_deg is None else BONES | EYES
    names = list(bones)
    nodes: list[dict[str, Any]] = [
        {
            "name": name,
            "translation": (np.asarray(place) * turn).tolist(),
            "children": [names.index(child) for child, (above, _) in bones.items() if above == name],
        }
        for name, (_, place) in bones.items()
    ]
    nodes.append({"name": "face", "mesh": 0})
    nodes[names.index("head")]["children"].append(len(nodes) - 1)
    if hair:
        nodes[names.index("head")]["children"].append(len(nodes))
        for k in range(4):
            node = {"name": f"hair{k}", "translation": [0, -0.1 * min(k, 1), 0], "children": [len(nodes) + 1]}
            nodes.append(node if k < 3 else node | {"children": []})
    for node in nodes:
        if not node.get("children"):
            node.pop("children", None)
    gltf = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": nodes,
        "meshes": [{"primitives": primitives, "weights": [0, 0, 0]}],
        "materials": materials,
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(data)}],
        "extensionsUsed": ["KHR_materials_unlit", "VRMC_vrm" if version else "VRM"],
        "extensions": _vrm1(len(names), names, arkit) if version else _vrm0(names, arkit),
    } | changes
    if hair:
        _hang(gltf, range(len(nodes) - 4, len(nodes)))
    if eyes_deg is not None:
        _turn_eyes(gltf["extensions"], eyes_deg)
    text = json.dumps(gltf).encode()
    text += b" " * (-len(text) % 4)
    chunks = (
        struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _vrm1(face: int, names: list[str], arkit: bool) -> dict[str, Any]:
    def bound(index: int) -> dict[str, Any]:
        return {"morphTargetBinds": [{"node": face, "index": index, "weight": 1}]}

    expressions: dict[str, Any] = {"preset": {name: bound(i) for i, name in enumerate(VRM1)}}
    if arkit:
        expressions["custom"] = {name: bound(i) for i, name in enumerate(ARKIT)}
    return {
        "VRMC_vrm": {
            "specVersion": "1.0",
            "meta": {"name": "box", "authors": ["visavis"], "licenseUrl": "https://vrm.dev/licenses/1.0/"},
            "humanoid": {"humanBones": {name: {"node": index} for index, name in enumerate(names)}},
            "expressions": expressions,
        }
    }


def _vrm0(names: list[str], arkit: bool) -> dict[str, Any]:
    groups = [(name, name) for name in VRM0] + ([(name, "unknown") for name in ARKIT] if arkit else [])
    return {
        "VRM": {
            "specVersion": "0.0",
            "meta": {"title": "box"},
            "humanoid": {"humanBones": [{"bone": name, "node": index} for index, name in enumerate(names)]},
            "blendShapeMaster": {
                "blendShapeGroups": [
                    {
                        "name": name,
                        "presetName": preset,
                        "binds": [{"mesh": 0, "index": i % 3, "weight": 100}],
                    }
                    for i, (name, preset) in enumerate(groups)
                ]
            },
        }
    }


def _hang(gltf: dict[str, Any], chain: range) -> None:
    """Let these nodes swing."""
    if "VRM" in gltf["extensions"]:
        gltf["extensions"]["VRM"]["secondaryAnimation"] = {
            "boneGroups": [{"bones": [chain[0]], "stiffiness": 1, "dragForce": 0.2, "colliderGroups": []}],
            "colliderGroups": [],
        }
        return
    joints = [{"node": node, "stiffness": 1, "dragForce": 0.2} for node in chain]
    gltf["extensionsUsed"].append("VRMC_springBone")
    gltf["extensions"]["VRMC_springBone"] = {"specVersion": "1.0", "springs": [{"joints": joints}]}


def _turn_eyes(extensions: dict[str, Any], eyes_deg: tuple[float, float]) -> None:
    """Let bones turn the eyes: so far up and down for an input of 15 degrees, and 10 sideways for 25."""
    ranges = dict(zip(("Up", "Down"), eyes_deg, strict=True))
    if "VRM" in extensions:
        line = [0, 0, 0, 1, 1, 1, 1, 0]
        maps = {f"lookAtVertical{way}": {"xRange": 15, "yRange": most} for way, most in ranges.items()}
        maps |= {f"lookAtHorizontal{way}": {"xRange": 25, "yRange": 10} for way in ("Inner", "Outer")}
        maps = {name: {"curve": line, **each} for name, each in maps.items()}
        extensions["VRM"]["firstPerson"] = {"lookAtTypeName": "Bone", **maps}
        return
    maps = {f"rangeMapVertical{way}": (15, most) for way, most in ranges.items()}
    maps |= {f"rangeMapHorizontal{way}": (25, 10) for way in ("Inner", "Outer")}
    extensions["VRMC_vrm"]["lookAt"] = {"type": "bone", "offsetFromHeadBone": [0, 0.06, 0]} | {
        name: {"inputMaxValue": at, "outputScale": most} for name, (at, most) in maps.items()
    }


# What the server and the page refuse alike, and a part of what both say.
NO_VRM = [
    (b"PNG", "does not begin with glTF"),
    (b"glTF\x01\0\0\0" + vrm_file()[8:], "glTF version 1"),
    (vrm_file()[:200], "cut short"),
    (vrm_file()[:-9], "cut short"),
    (vrm_file(extensions={}), "without VRM data"),
    (vrm_file(images=[{"uri": "https://example.org/a.png"}]), "refers to other files"),
    (vrm_file(buffers=[{"byteLength": 4, "uri": "../a.bin"}]), "refers to other files"),
]
