#!/usr/bin/env bash
# torchvision's flip moves KeyPoints one pixel less than the picture and the boxes: landmarks of small faces get worse.
#
# Versions:  torchvision 0.29.1, torch 2.14.1 (CPU); Python 3.10 or newer.
# Behaviour: a bright square is centred at (10, 10) of a picture of 32 x 32. A key point and a box lie on this centre. After
#            transforms.v2 horizontal_flip, the square's centre and the box are at x = 22, the key point is at 21. vertical_flip
#            does the same with y. rotate by 180 degrees, resize, crop and pad keep the three together. So a flip after
#            resizing a face to 32 pixels costs 3% of its width, and a flip before it, in a large picture, almost nothing.
# Source:    torchvision/transforms/v2/functional/_geometry.py, horizontal_flip_keypoints(): width - 1 - x, as for numbers of
#            pixels; horizontal_flip_bounding_boxes(): width - x, and resize of both: x times the ratio, as for places.
# For users: RandomHorizontalFlip trains each point with two answers, a pixel apart. Add 1 to x of the flipped points. The
#            flip does not exchange left and right points, either. Our training does not use torchvision.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torchvision==0.29.1 torch==2.14.1
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import torch
from torchvision.transforms.v2 import functional as v2
from torchvision.tv_tensors import BoundingBoxes, Image, KeyPoints

SIDE = 32
picture = torch.zeros(1, SIDE, SIDE)
picture[:, 8:12, 8:12] = 1  # Columns and rows 8 to 11: from 8 to 12, so the centre is 10.
picture = Image(picture)
point = KeyPoints(torch.tensor([[10.0, 10.0]]), canvas_size=(SIDE, SIDE))
box = BoundingBoxes(torch.tensor([[10.0, 10.0, 10.0, 10.0]]), format="XYXY", canvas_size=(SIDE, SIDE))


def centre(image: torch.Tensor) -> list[float]:
    """The x and y of what is bright; the middle of the first pixel is 0.5."""
    _, rows, columns = image.shape
    x = (image[0].sum(0) * (torch.arange(columns) + 0.5)).sum() / image.sum()
    y = (image[0].sum(1) * (torch.arange(rows) + 0.5)).sum() / image.sum()
    return [round(float(x), 2), round(float(y), 2)]


ways = {
    "horizontal_flip": v2.horizontal_flip,
    "vertical_flip": v2.vertical_flip,
    "rotate 180": lambda it: v2.rotate(it, 180),
    "resize to 64": lambda it: v2.resize(it, [64, 64]),
    "crop": lambda it: v2.crop(it, 4, 6, 16, 16),
    "pad": lambda it: v2.pad(it, [3, 5]),
}
for name, way in ways.items():
    square, of_box, of_point = centre(way(picture)), way(box)[0, :2].tolist(), way(point)[0].tolist()
    print(f"{name:16} square {square}  box {of_box}  key point {of_point}")
    assert of_box == square, "boxes have changed"
    off = {"horizontal_flip": [-1, 0], "vertical_flip": [0, -1]}.get(name, [0, 0])
    assert [p - s for p, s in zip(of_point, square, strict=True)] == off, "key points have changed"
PYTHON
