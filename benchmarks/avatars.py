"""A person, Mira, a Live2D model and a VRM model side by side: do they do the same at the same time?

    python benchmarks/avatars.py CLIP.mp4 --model Haru/Haru.model3.json --vrm FILE.vrm --out v.mp4

Each frame is tracked once. All avatars get its pose, and the VRM its blendshapes, too, as on the page.
Nothing is mirrored. The default VRM is the small box of the tests. Needs the extras ``dev`` and
``live2d``, and Chromium, in which the page's own ``vrm.js`` draws the VRM: frame by frame, not in real time.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
from playwright.sync_api import Page, Route, sync_playwright

from visavis.avatar.puppet import Puppet
from visavis.avatar.retarget import Retargeting
from visavis.capture.video import VideoFile
from visavis.channels import BLENDSHAPES
from visavis.cubism.folder import ModelFolder
from visavis.cubism.model import PAPER_RGB, Live2DModel
from visavis.drawing.panels import FONT, fit_picture
from visavis.pipeline import Pipeline
from visavis.recording.video_writer import VideoWriter
from visavis.serve.answers import describe_retargeting
from visavis.types import AvatarPose, ImageArray

SIDE_PX = 480
INK = (112, 106, 176)
# Requests to this address are answered from the package's files.
PAGE = "http://visavis.invalid/"
LOAD = """async ([bytes, side]) => {
  const { VrmAvatar } = await import("/static/vrm.js");
  const canvas = document.createElement("canvas");
  canvas.style.cssText = `position:fixed;left:0;top:0;width:${side}px;height:${side}px`;
  document.body.append(canvas);
  window.model = new VrmAvatar(canvas, () => fetch("/retarget/vrm").then((answer) => answer.json()));
  await model.load(Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)).buffer);
}"""
DRAW = """([pose, weights, elapsedS]) => {
  model.draw(pose, weights, elapsedS);
  return model.canvas.toDataURL("image/png");
}"""


class Vrm:
    """A VRM model in a page of Chromium."""

    def __init__(self, page: Page, file: bytes) -> None:
        self._page = page
        self._last_s: float | None = None
        page.route("**/*", answer)
        page.goto(PAGE)
        page.evaluate(LOAD, [base64.b64encode(file).decode(), SIDE_PX])

    def draw(self, pose: AvatarPose, weights: Mapping[str, float]) -> ImageArray:
        """The next pose and blendshapes as a picture (SIDE_PX, SIDE_PX, 3) RGB."""
        passed_s = 0.0 if self._last_s is None else pose.time_s - self._last_s
        self._last_s = pose.time_s
        url = self._page.evaluate(DRAW, [pose.as_dict(), dict(weights), passed_s])
        png = np.frombuffer(base64.b64decode(url.split(",")[1]), np.uint8)
        image = cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
        alpha = image[..., 3:] / 255
        return np.rint(image[..., :3] * alpha + np.asarray(PAPER_RGB) * (1 - alpha)).astype(np.uint8)


def answer(route: Route) -> None:
    """Answer a request of the page: an empty page, a file of the package, or the VRM presets."""
    path = urlsplit(route.request.url).path
    if path == "/":
        route.fulfill(content_type="text/html", body="<!doctype html><title>VRM</title>")
    elif path == "/retarget/vrm":
        route.fulfill(json=describe_retargeting(Retargeting.preset("vrm").rules))
    else:
        file = Path(str(resources.files("visavis.serve").joinpath(path.lstrip("/"))))
        route.fulfill(path=file) if file.is_file() else route.fulfill(status=404)


@contextmanager
def chromium_page() -> Iterator[Page]:
    """An empty page of headless Chromium."""
    found = [
        path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))
    ]
    if not found:
        raise SystemExit("needs Chromium on the path")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found[0], args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(viewport={"width": SIDE_PX, "height": SIDE_PX})
        browser.close()


def box() -> bytes:
    """The small model of the tests."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from support.vrm_file import vrm_file

    return vrm_file()


def write(clip: Path, model: Path, vrm: Path | None, out: Path, limit_s: float) -> dict[str, Any]:
    """Write the video with the clip's sound."""
    frames = 0
    with ExitStack() as stack:
        source = stack.enter_context(VideoFile(clip))
        pipeline = stack.enter_context(closing(Pipeline(mirror=False)))
        mira, live2d = Puppet.load(), Live2DModel(ModelFolder.load(model))
        page = stack.enter_context(chromium_page())
        boxed = Vrm(page, box() if vrm is None else vrm.read_bytes())
        size = (4 * SIDE_PX, SIDE_PX)
        film = stack.enter_context(VideoWriter(out, size, source.fps, source.path, source.start_s))
        weights: dict[str, float] = {}
        for frame in source:
            if frame.time_s >= limit_s:
                break
            moment = pipeline.step(frame)
            if moment.face is not None:
                weights = dict(zip(BLENDSHAPES, moment.face.state.weights.tolist(), strict=True))
            person = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
            fit_picture(person, frame.image_rgb)
            panels = {
                "person": person,
                "Mira": mira.draw(moment.pose, SIDE_PX),
                model.name.removesuffix(".model3.json"): live2d.draw(moment.pose, SIDE_PX),
                "VRM": boxed.draw(moment.pose, weights),
            }
            for name, panel in panels.items():
                for color, thickness in ((PAPER_RGB, 4), (INK, 1)):
                    cv2.putText(panel, name, (12, 28), FONT, 0.7, color, thickness, cv2.LINE_AA)
            film.write(np.hstack(list(panels.values())), frame.time_s)
            frames += 1
    return {"clip": clip.name, "model": model.name, "vrm": vrm.name if vrm else "box", "frames": frames}


def main() -> None:
    """Write the video, and print what it shows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="a Live2D model, .model3.json")
    parser.add_argument("--vrm", type=Path, help="a VRM model; the box of the tests by default")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit-s", type=float, default=np.inf)
    args = parser.parse_args()
    print(json.dumps(write(args.clip, args.model, args.vrm, args.out, args.limit_s)))


if __name__ == "__main__":
    main()
