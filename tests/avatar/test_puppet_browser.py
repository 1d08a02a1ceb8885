"""The browser's puppet compared with Python's: the same points, the same picture."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from visavis.avatar.expressions import worn
from visavis.avatar.puppet import Puppet
from visavis.avatar.puppet_pen import Pen
from visavis.avatar.rig import Springs, pose_rig
from visavis.channels import AVATAR_PARAMETERS
from visavis.types import AvatarPose

PACKAGE = Path(str(resources.files("visavis")))
RIG_FILE = PACKAGE / "assets" / "puppet.json"
STATIC = PACKAGE / "serve" / "static"
MODULES = ("puppet.js", "puppet_rig.js")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

POINTS_SCRIPT = """
import { readFileSync } from "node:fs";
import { Puppet, ribbon } from "./puppet.js";
const [rig, poses] = ["rig.json", "poses.json"].map((name) => JSON.parse(readFileSync(name)));
const puppet = new Puppet(rig);
console.log(JSON.stringify(poses.map(({ values, time_s }) => {
  puppet.update(values, time_s);
  const inked = puppet.layers.flatMap((layer, i) =>
    layer.line ? layer.runs.flatMap(([first, count]) => ribbon(layer, puppet.points[i], first, count)) : []);
  const points = puppet.points.flatMap((p) => Array.from(p));
  return { points, inked: inked.flat(), opacities: puppet.opacities };
})));
"""


def random_poses(count: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(7)
    poses = []
    for index in range(count):
        values = {n: float(np.float32(rng.uniform(a, b))) for n, (a, b, _) in AVATAR_PARAMETERS.items()}
        poses.append({"values": values, "time_s": index * 0.05})
    return poses


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_both_evaluators_give_the_same_points(tmp_path: Path) -> None:
    for name in MODULES:
        shutil.copy(STATIC / name, tmp_path / name)
    poses = random_poses(24)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "rig.json").write_bytes(RIG_FILE.read_bytes())
    (tmp_path / "poses.json").write_text(json.dumps(poses))
    (tmp_path / "points.js").write_text(POINTS_SCRIPT)
    answer = subprocess.run(["node", "points.js"], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    theirs = json.loads(answer.stdout)
    rig = Puppet.load().rig
    springs, pen = Springs(rig.springs), Pen(rig)
    for pose, their in zip(poses, theirs, strict=True):
        values = AvatarPose.from_mapping(pose["values"], pose["time_s"]).values.astype(np.float64)
        ours = pose_rig(rig, values, springs.advance(values, pose["time_s"]))
        assert np.abs(ours.points.ravel() - their["points"]).max() < 1e-6
        assert np.abs(np.subtract(ours.opacities, their["opacities"])).max() < 1e-9
        ribbons = pen.ribbons(pen.trace(ours.points))
        inked = np.concatenate([ribbons[run] for runs in pen.strokes for run in runs])
        assert np.abs(inked.ravel() - their["inked"]).max() < 1e-4


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_both_renderers_give_the_same_picture() -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    size_px = 512
    sources = {name: (STATIC / name).read_bytes() for name in MODULES} | {
        "puppet.json": RIG_FILE.read_bytes()
    }
    page_html = f'<body style="margin:0"><canvas width="{size_px}" height="{size_px}"></canvas></body>'

    def answer(route: Any) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        kind = "text/javascript" if name.endswith(".js") else "application/json"
        if name in sources:
            route.fulfill(body=sources[name], content_type=kind)
        else:
            route.fulfill(body=page_html, content_type="text/html")

    draw = """async (values) => {
      const { loadPuppet } = await import("/puppet.js");
      const puppet = await loadPuppet("/puppet.json");
      const canvas = document.querySelector("canvas");
      puppet.update(values, 0);
      puppet.draw(canvas.getContext("2d"), canvas.width, canvas.height);
    }"""
    puppet = Puppet.load()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": size_px, "height": size_px})
        page.route("**/*", answer)
        page.goto("http://puppet.test/")
        for values in (worn("neutral"), worn("happy"), {"ParamAngleX": 30.0, "ParamAngleZ": -20.0}):
            page.evaluate(draw, dict(values))
            shot = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
            puppet.reset()
            ours = puppet.draw(AvatarPose.from_mapping(dict(values), 0.0), size_px)
            assert np.abs(shot.astype(int) - ours).mean() < 1.5
        browser.close()
