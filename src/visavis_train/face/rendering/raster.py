"""A software rasterizer: loops over triangles and pixels, compiled by numba.

The first pass finds the nearest triangle for each pixel, and the pixel's place in it. The second one colours.
Triangles are about as small as pixels, so interpolating on the screen is exact enough. Nothing is compiled
at import: a loop is compiled at its first call, and kept in numba's cache.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.errors import MissingExtraError
from visavis.types import FloatArray

try:
    from numba import njit
except ModuleNotFoundError as error:
    if error.name != "numba":
        raise
    raise MissingExtraError("numba", "metrics", "training of faces") from error

IntArray = NDArray[np.int32]
ByteArray = NDArray[np.uint8]


@njit(cache=True, fastmath=True)
def add_shapes(
    vertices: FloatArray,
    starts: NDArray[np.int64],
    vertex: IntArray,
    offset: FloatArray,
    weights: FloatArray,
) -> None:
    """Add shapes to vertices (V, 3) in place: rows ``starts[m]..starts[m + 1]`` times ``weights[m]``."""
    for m in range(len(weights)):
        weight = weights[m]
        if weight != 0.0:
            for row in range(starts[m], starts[m + 1]):
                v = vertex[row]
                vertices[v, 0] += weight * offset[row, 0]
                vertices[v, 1] += weight * offset[row, 1]
                vertices[v, 2] += weight * offset[row, 2]


@njit(cache=True, fastmath=True)
def normals(vertices: FloatArray, triangles: IntArray) -> FloatArray:
    """Unit normals (V, 3) of a mesh, outward for counterclockwise triangles; 0 where there is no surface."""
    out = np.zeros_like(vertices)
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = (
            vertices[j, 0] - vertices[i, 0],
            vertices[j, 1] - vertices[i, 1],
            vertices[j, 2] - vertices[i, 2],
        )
        bx, by, bz = (
            vertices[k, 0] - vertices[i, 0],
            vertices[k, 1] - vertices[i, 1],
            vertices[k, 2] - vertices[i, 2],
        )
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for v in (i, j, k):
            out[v, 0] += nx
            out[v, 1] += ny
            out[v, 2] += nz
    for v in range(len(out)):
        size = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2) + np.float32(1e-12)
        for axis in range(3):
            out[v, axis] /= size
    return out


@njit(cache=True, fastmath=True)
def light_vertices(
    normal: FloatArray, reach: FloatArray, ambient: FloatArray, lamps: FloatArray, colors: FloatArray
) -> FloatArray:
    """Light (V, 4) that arrives at each vertex: red, green, blue, and a white shine.

    Args:
        normal: (V, 3) unit, in the camera's axes.
        reach: (V,) share of the light that reaches a vertex.
        ambient: (2, 3) colours from above and from below.
        lamps: (L, 3) unit directions to the lamps.
        colors: (L, 3) of the lamps.
    """
    out = np.empty((len(normal), 4), np.float32)
    for v in range(len(normal)):
        up = np.float32(0.5) + np.float32(0.5) * normal[v, 1]
        shine = np.float32(0.0)
        for c in range(3):
            out[v, c] = ambient[0, c] * up + ambient[1, c] * (1 - up)
        for lamp in range(len(lamps)):
            fall = (
                normal[v, 0] * lamps[lamp, 0] + normal[v, 1] * lamps[lamp, 1] + normal[v, 2] * lamps[lamp, 2]
            )
            # Skin lets light through: the shadow begins beyond the terminator.
            soft = max((fall + np.float32(0.25)) / np.float32(1.25), np.float32(0.0))
            for c in range(3):
                out[v, c] += colors[lamp, c] * soft
            # The viewer is along z: half way between the viewer and the lamp.
            hx, hy, hz = lamps[lamp, 0], lamps[lamp, 1], lamps[lamp, 2] + np.float32(1.0)
            size = np.sqrt(hx * hx + hy * hy + hz * hz) + np.float32(1e-6)
            half = max((normal[v, 0] * hx + normal[v, 1] * hy + normal[v, 2] * hz) / size, np.float32(0.0))
            shine += colors[lamp, 1] * half**16
        for c in range(3):
            out[v, c] *= reach[v]
        out[v, 3] = shine * reach[v]
    return out


@njit(cache=True, fastmath=True)
def cover(
    screen: FloatArray,
    triangles: IntArray,
    first: int,
    end: int,
    both_sides: bool,
    depth: FloatArray,
    nearest: IntArray,
    where: FloatArray,
) -> None:
    """Draw triangles ``first..end``: the nearest one of each pixel, and the place in it.

    Args:
        screen: (V, 3) pixel x, pixel y (down), distance from the camera.
        triangles: (T, 3), counterclockwise as seen from outside.
        first: first triangle drawn.
        end: one past the last.
        both_sides: also draw back sides.
        depth: (H, W) distances, written.
        nearest: (H, W) numbers of triangles, -1 where there is none, written.
        where: (H, W, 2) weights of the second and third corner, written.
    """
    height, width = depth.shape
    for t in range(first, end):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, z0 = screen[i, 0], screen[i, 1], screen[i, 2]
        ax, ay = screen[j, 0] - x0, screen[j, 1] - y0
        bx, by = screen[k, 0] - x0, screen[k, 1] - y0
        area = by * ax - bx * ay
        # With y down, front sides have a negative area.
        if area == 0.0 or (area > 0.0 and not both_sides):
            continue
        low_x = max(int(np.ceil(min(x0, x0 + ax, x0 + bx))), 0)
        high_x = min(int(np.floor(max(x0, x0 + ax, x0 + bx))), width - 1)
        low_y = max(int(np.ceil(min(y0, y0 + ay, y0 + by))), 0)
        high_y = min(int(np.floor(max(y0, y0 + ay, y0 + by))), height - 1)
        scale = np.float32(1.0) / area
        az, bz = screen[j, 2] - z0, screen[k, 2] - z0
        for y in range(low_y, high_y + 1):
            dy = np.float32(y) - y0
            for x in range(low_x, high_x + 1):
                dx = np.float32(x) - x0
                u = (dx * by - bx * dy) * scale
                v = (ax * dy - dx * ay) * scale
                if u >= 0.0 and v >= 0.0 and u + v <= 1.0:
                    z = z0 + u * az + v * bz
                    if z < depth[y, x]:
                        depth[y, x] = z
                        nearest[y, x] = t
                        where[y, x, 0] = u
                        where[y, x, 1] = v


@njit(cache=True, fastmath=True)
def texel(texture: ByteArray, u: float, v: float, c: int) -> float:
    """Bilinear sample of channel c of (H, W, C) at places from 0 to 1."""
    height, width = texture.shape[:2]
    x = min(max(u * width - 0.5, 0.0), width - 1.001)
    y = min(max(v * height - 0.5, 0.0), height - 1.001)
    i, j = int(y), int(x)
    b, a = y - i, x - j
    top = texture[i, j, c] * (1 - a) + texture[i, j + 1, c] * a
    low = texture[i + 1, j, c] * (1 - a) + texture[i + 1, j + 1, c] * a
    return float(top * (1 - b) + low * b)


@njit(cache=True, fastmath=True)
def color(
    image: FloatArray,
    nearest: IntArray,
    where: FloatArray,
    triangles: IntArray,
    material: ByteArray,
    uv: FloatArray,
    light: FloatArray,
    skin: ByteArray,
    eye: ByteArray,
    palette: FloatArray,
    shine: FloatArray,
    opacity: float,
) -> None:
    """Colour the pixels that triangles cover, in place.

    Args:
        image: (H, W, 3) from 0 to 255, written.
        nearest: (H, W) as from :func:`cover`.
        where: (H, W, 2) as from :func:`cover`.
        triangles: (T, 3).
        material: (T,) 0 for the skin's texture, 4 for the eye's, else a row of the palette.
        uv: (V, 2) places in the textures.
        light: (V, 4) as from :func:`light_vertices`.
        skin: (H, W, 3) texture.
        eye: (H, W, 3) texture.
        palette: (M, 3) colours of materials.
        shine: (M,) how much they shine.
        opacity: from 0 to 1, of lashes (5) at their roots.
    """
    height, width = nearest.shape
    for y in range(height):
        for x in range(width):
            t = nearest[y, x]
            if t < 0:
                continue
            b, c = where[y, x, 0], where[y, x, 1]
            a = np.float32(1.0) - b - c
            i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            kind = material[t]
            gloss = (a * light[i, 3] + b * light[j, 3] + c * light[k, 3]) * shine[kind]
            u = a * uv[i, 0] + b * uv[j, 0] + c * uv[k, 0]
            v = a * uv[i, 1] + b * uv[j, 1] + c * uv[k, 1]
            # Lashes become thin towards their tips.
            share = opacity * max(np.float32(1.0) - u, np.float32(0.0)) if kind == 5 else opacity
            for channel in range(3):
                if kind == 0:
                    base = texel(skin, u, v, channel)
                elif kind == 4:
                    base = texel(eye, u, v, channel)
                else:
                    base = palette[kind, channel]
                lit = a * light[i, channel] + b * light[j, channel] + c * light[k, channel]
                value = base * lit + gloss
                image[y, x, channel] += share * (value - image[y, x, channel])
