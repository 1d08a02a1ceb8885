"""Point numbers of MediaPipe's face mesh: outer eye corners, parts of the face, the 146 landmarks.

The mesh has 478 points, 0 to 477 (FaceLandmarksConnections in MediaPipe, Apache-2.0).
"""

from __future__ import annotations

# On the image's left and right.
OUTER_EYE_CORNERS = (33, 263)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split())


PARTS: dict[str, tuple[int, ...]] = {
    "eyes": _numbers(
        """
        7 33 133 144 145 153 154 155 157 158 159 160 161 163 173 246 249 263 362 373 374 380 381 382 384
        385 386 387 388 390 398 466
        """
    ),
    "brows": _numbers(
        """
        46 52 53 55 63 65 66 70 105 107 276 282 283 285 293 295 296 300 334 336
        """
    ),
    "mouth": _numbers(
        """
        0 13 14 17 37 39 40 61 78 80 81 82 84 87 88 91 95 146 178 181 185 191 267 269 270 291 308 310
        311 312 314 317 318 321 324 375 402 405 409 415
        """
    ),
    "irises": _numbers(
        """
        468 469 470 471 472 473 474 475 476 477
        """
    ),
    "oval": _numbers(
        """
        10 21 54 58 67 93 103 109 127 132 136 148 149 150 152 162 172 176 234 251 284 288 297 323 332
        338 356 361 365 377 378 379 389 397 400 454
        """
    ),
}

# The points that MediaPipe's own blendshape model reads (face_blendshapes_graph.cc, Apache-2.0).
LANDMARKS_146 = _numbers(
    """
    0 1 4 5 6 7 8 10 13 14 17 21 33 37 39 40 46 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82 84 87
    88 91 93 95 103 105 107 109 127 132 133 136 144 145 146 148 149 150 152 153 154 155 157 158 159
    160 161 162 163 168 172 173 176 178 181 185 191 195 197 234 246 249 251 263 267 269 270 276 282
    283 284 285 288 291 293 295 296 297 300 308 310 311 312 314 317 318 321 323 324 332 334 336 338
    356 361 362 365 373 374 375 377 378 379 380 381 382 384 385 386 387 388 389 390 397 398 400 402
    405 409 415 454 466 468 469 470 471 472 473 474 475 476 477
    """
)
