"""A picture of HDR, as phones record it: skin, lips and white."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

HLG = 18
BT2020 = 9
LIMITED = 1
# In sRGB, and as Y, Cb and Cr of 10 bits in HLG, of which white has 75% (ITU-R BT.2408).
COLORS = np.asarray([(224, 172, 140), (190, 60, 70), (255, 255, 255)])
_IN_HLG = np.asarray([(605, 459, 549), (388, 465, 648), (721, 512, 512)], np.uint16)
SIZE = (192, 64)


def frame() -> av.VideoFrame:
    """The picture; each color is 64 pixels wide."""
    columns = zip(_IN_HLG.T, (64, 32, 32), strict=True)
    planes = [np.tile(np.repeat(values, side), (side, 1)).ravel() for values, side in columns]
    return av.VideoFrame.from_ndarray(np.concatenate(planes).reshape(96, 192), format="yuv420p10le")


def write(path: Path, codec: str) -> None:
    """A file of this one picture."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=30, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p10le"
        context = stream.codec_context
        context.colorspace = context.color_primaries = BT2020
        context.color_trc, context.color_range = HLG, LIMITED
        picture = frame()
        picture.pts = 0
        output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
