"""The head, drawn over a background from mesh, view, textures and light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visavis.types import FloatArray, ImageArray
from visavis_train.face.rendering import raster
from visavis_train.face.rendering.head import Head

# Pictures are drawn at twice their final size, for soft edges.
FINE = 2


@dataclass(frozen=True, slots=True)
class Looks:
    """The look of a person's surface.

    Attributes:
        skin: (256, 256, 3) texture.
        eye: (64, 64, 3) texture.
        palette: (8, 3) colours of the other materials.
        shine: (8,) how much each material shines.
        lashes: density of the lashes, from 0 to 1.
    """

    skin: ImageArray
    eye: ImageArray
    palette: FloatArray
    shine: FloatArray
    lashes: float


@dataclass(frozen=True, slots=True)
class Light:
    """The light on a head, in the camera's axes.

    Attributes:
        ambient: (2, 3) colours from above and below.
        lamps: (L, 3) unit directions to the lamps.
        colors: (L, 3) of the lamps.
    """

    ambient: FloatArray
    lamps: FloatArray
    colors: FloatArray


@dataclass(frozen=True, slots=True)
class Canvas:
    """A picture during drawing.

    Attributes:
        image: (H, W, 3) from 0 to 255.
        depth_cm: (H, W) distance to the drawn surface; infinite in the background.
    """

    image: FloatArray
    depth_cm: FloatArray


def sample_light(rng: np.random.Generator, strength: float) -> Light:
    """Random light from above, from below, and from one or two lamps; its sum is about 1.

    Args:
        rng: source of randomness.
        strength: how much of it comes from lamps, from 0 to 1.
    """
    share = strength * rng.uniform(0.2, 0.9)
    above = rng.normal(1, 0.05, 3) * (1 - share)
    below = above * rng.uniform(0.6, 1.0)
    lamps, colors = [], []
    for brightness in (1.0, 0.4)[: int(rng.integers(1, 3))]:
        side, up = rng.uniform(-1.3, 1.3), rng.uniform(-0.4, 1.0)
        lamps.append((np.sin(side) * np.cos(up), np.sin(up), np.cos(side) * np.cos(up)))
        warm = rng.normal(0, 0.08)
        colors.append(brightness * 1.25 * share * np.array([1 + warm, 1, 1 - warm]))
    return Light(
        np.asarray([above, below], np.float32), np.asarray(lamps, np.float32), np.asarray(colors, np.float32)
    )


def draw_head(
    head: Head,
    vertices: FloatArray,
    screen: FloatArray,
    rotation: FloatArray,
    looks: Looks,
    light: Light,
    background: FloatArray,
) -> Canvas:
    """Draw a head over a background, which is changed.

    Args:
        head: the mesh.
        vertices: (V, 3) bent, in cm.
        screen: (V, 3) the same as pixel x, pixel y, distance in cm.
        rotation: (3, 3) of the head in the picture.
        looks: textures and colours.
        light: the light, in the picture's axes.
        background: (H, W, 3) from 0 to 255.
    """
    shape = background.shape[:2]
    depth = np.full(shape, np.inf, np.float32)
    nearest = np.full(shape, -1, np.int32)
    where = np.zeros((*shape, 2), np.float32)
    normal = raster.normals(vertices, head.triangles) @ rotation.T
    lit = raster.light_vertices(
        normal.astype(np.float32), head.light, light.ambient, light.lamps, light.colors
    )
    raster.cover(screen, head.triangles, 0, head.lashes, False, depth, nearest, where)
    paint = (head.triangles, head.material, head.uv, lit, looks.skin, looks.eye, looks.palette, looks.shine)
    raster.color(background, nearest, where, *paint, 1.0)
    if looks.lashes > 0:
        over = np.full(shape, -1, np.int32)
        near = depth.copy()
        raster.cover(screen, head.triangles, head.lashes, len(head.triangles), True, near, over, where)
        raster.color(background, over, where, *paint, looks.lashes)
    return Canvas(background, depth)
