"""Live2D models in the page, in headless Chromium, with a stand-in for Cubism Core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cubism_core import CORE, write_core, write_web_model
from support.live2d_folder import moc3
from support.page_host import Host, in_browser, until, wait_for_moments

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = in_browser

SHOWN = "!document.getElementById('live2d').hidden"
# Draws poses by a stage of its own; for each color: number of pixels, and their center from the left.
DRAW = """async ([core, draws]) => {
  const { Live2dStage } = await import("./static/live2d_stage.js");
  const { readModel } = await import("./static/live2d_folder.js");
  const canvas = document.createElement("canvas");
  canvas.style.cssText = "position:fixed;left:0;top:0;width:300px;height:300px";
  document.body.append(canvas);
  const ranges = { ParamAngleX: [-30, 30, 0], ParamEyeLOpen: [0, 1, 1], ParamMouthOpenY: [0, 1, 0] };
  const { files: names } = await (await fetch("model")).json();
  const blob = async (name) => [name, await (await fetch(`model/${name}`)).blob()];
  const files = new Map(await Promise.all(names.map(blob)));
  let values = {};
  const stage = new Live2dStage(canvas, () => {}, () => ranges, () => values);
  await stage.start(core, await readModel(files));
  const seen = [];
  let at = 0;
  for (const draw of draws) {
    values = draw.values ?? {};
    for (let i = 0; i < (draw.times ?? 1); i += 1) {
      at += 0.1;
      stage.lead([], at);
      stage.draw({ ParamAngleX: 0, ParamEyeLOpen: 1, ParamMouthOpenY: 0, ...draw.pose }, at);
      while (stage.waits) await new Promise((resolve) => { setTimeout(resolve, 5); });
    }
    const copy = document.createElement("canvas");
    copy.width = copy.height = 300;
    const context = copy.getContext("2d");
    context.drawImage(canvas, 0, 0, 300, 300);
    const { data } = context.getImageData(0, 0, 300, 300);
    const found = {};
    const colors = { "100": "red", "010": "green", "001": "blue", "110": "yellow", "101": "magenta" };
    for (let i = 0; i < data.length; i += 4) {
      const bits = [0, 1, 2].map((channel) => Number(data[i + channel] > 128)).join("");
      const name = data[i + 3] > 128 ? colors[bits] : null;
      if (!name) continue;
      found[name] ??= [0, 0];
      found[name][0] += 1;
      found[name][1] += (i / 4) % 300;
    }
    for (const part of Object.values(found)) part[1] /= part[0];
    seen.push(found);
  }
  stage.stop();
  canvas.remove();
  return seen;
}"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_web_model(tmp_path_factory.mktemp("box"))


@pytest.fixture(scope="module")
def host(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A server that gives the model, and no Cubism Core."""
    with Host(model=model) as running:
        yield running


def drawn(page: Any, *draws: dict[str, Any], core: str = CORE) -> list[dict[str, list[float]]]:
    return page.evaluate(DRAW, [core, list(draws)])


def test_the_model_follows_the_pose(page: Any) -> None:
    rest, turned, shut, wide, mouth = drawn(
        page,
        {},
        {"pose": {"ParamAngleX": 30}},
        {"pose": {"ParamEyeLOpen": 0}},
        {"pose": {"ParamEyeLOpen": 0.5}},
        {"pose": {"ParamMouthOpenY": 1}},
    )
    assert turned["red"][1] > rest["red"][1] + 20
    assert "green" not in shut
    # The model's eye opens to 2 and rests at 1; ours rests where it is widest.
    assert wide["green"][0] == pytest.approx(rest["green"][0] / 2, rel=0.1)
    assert "blue" not in rest
    assert mouth["blue"][0] > 1000
    # The mask cuts the half of yellow off that is not on red.
    assert rest["yellow"][0] == pytest.approx(mouth["blue"][0] / 2, rel=0.15)


def test_a_retarget_file_wins_over_the_pose(page: Any) -> None:
    followed, other = drawn(
        page,
        {"values": {"ParamMouthOpenY": 1, "NotInTheModel": 3}, "times": 12},
        {"values": {}, "times": 2},
    )
    assert followed["blue"][0] > 1000
    assert "blue" not in other


def test_hair_swings_and_comes_to_rest(page: Any) -> None:
    turn = {"ParamAngleX": 30}
    rest, swinging, later = drawn(page, {}, {"pose": turn, "times": 2}, {"pose": turn, "times": 60})
    assert abs(swinging["magenta"][1] - rest["magenta"][1]) > 5
    assert later["magenta"][1] == pytest.approx(rest["magenta"][1], abs=3)


def test_a_core_is_asked_for_then_kept_and_the_model_forgotten(page: Any, tmp_path: Path) -> None:
    playwright.expect(page.locator("#avatar-problem")).to_contain_text("download the Cubism SDK for Web")
    page.click("#start")
    wait_for_moments(page)
    bad = {"name": "live2dcubismcore.min.js", "mimeType": "text/javascript", "buffer": b"var other = 1;"}
    page.set_input_files("#cubism-core-file", bad)
    playwright.expect(page.locator("#avatar-problem")).to_contain_text("is not Cubism Core for the web")
    page.set_input_files("#cubism-core-file", write_core(tmp_path))
    until(page, SHOWN)
    assert page.text_content("#model-note") == "box, a Live2D model"
    page.set_input_files("#live2d-folder", write_web_model(tmp_path / "own", Textures=["no.png"]).parent)
    playwright.expect(page.locator("#avatar-problem")).to_contain_text(
        'own/box.model3.json: names "no.png", which is not in the folder'
    )
    assert page.evaluate(SHOWN)  # The model from before stays.
    page.set_input_files("#live2d-folder", write_web_model(tmp_path / "own", Textures=["white.png"]).parent)
    playwright.expect(page.locator("#avatar-problem")).to_be_hidden()

    page.reload()
    until(page, SHOWN)
    page.evaluate("document.getElementById('forget-model').click()")
    until(page, "document.getElementById('live2d').hidden")
    page.reload()
    page.wait_for_timeout(500)
    assert not page.evaluate(SHOWN)


REFUSED = [
    ("box.moc3", b"no", "box.moc3: is no .moc3"),
    ("box.moc3", moc3(size=600), "is cut off"),
    ("box.moc3", moc3(version=9), "a .moc3 of version 9"),
    ("box.moc3", moc3()[:700] + b"\x09\0\0\0", "its .moc3 is damaged"),
    ("white.png", b"JFIF" * 9, "is no PNG"),
    ("box.physics3.json", b'{"PhysicsSettings": [{}]}', "expected the physics"),
    ("box.pose3.json", b'{"Groups": 3}', "expected the Groups"),
    ("box.model3.json", b"[", "is damaged"),
    ("other.model3.json", b"{}", "2 files that end in .model3.json"),
]


def test_models_that_are_refused(page: Any, tmp_path: Path) -> None:
    page.set_input_files("#cubism-core-file", write_core(tmp_path))
    until(page, SHOWN)
    for number, (file, content, message) in enumerate(REFUSED):
        folder = write_web_model(tmp_path / f"bad{number}").parent
        (folder / file).write_bytes(content)
        page.set_input_files("#live2d-folder", folder)
        playwright.expect(page.locator("#avatar-problem")).to_contain_text(message)


def test_the_worker_alone_may_run_a_chosen_file(page: Any, host: Host) -> None:
    code = """async (path) => (await fetch(path)).headers.get("content-security-policy")"""
    assert "blob:" not in page.evaluate(code, "./").split("connect-src")[0]
    policy = page.evaluate(code, "live2d/worker.js")
    assert policy.startswith("default-src 'none'; script-src 'self' blob:")
    assert "unsafe-eval" not in policy.replace("wasm-unsafe-eval", "")
    # This Core starts only after the server was out of its reach.
    spying = """
    let answer = 0;
    Live2DCubismCore.Version.csmGetVersion = () => answer;
    fetch("/health").then(() => { answer = 0; }, () => { answer = 1; });"""
    [seen] = drawn(page, {}, core=CORE + spying)
    assert seen["red"][0] > 0
