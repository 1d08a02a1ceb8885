"""VRM models in the page, in headless Chromium: what a person sees moves as it should."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from support.page_host import in_browser, until, wait_for_moments
from support.vrm_file import NO_VRM, vrm_file

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = in_browser

REST = [f"Param{part}Angle{axis}" for part in ("", "Body") for axis in "XYZ"] + [
    "ParamEyeBallX",
    "ParamEyeBallY",
]
# Draws a model with a pose and weights, and returns for each color: its number of pixels and their center.
DRAW = """async ([bytes, poses]) => {
  const { VrmAvatar } = await import("./static/vrm.js");
  const canvas = document.createElement("canvas");
  canvas.style.cssText = "position:fixed;left:0;top:0;width:300px;height:300px";
  document.body.append(canvas);
  const model = new VrmAvatar(canvas, () => fetch("retarget/vrm").then((answer) => answer.json()));
  await model.load(Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)).buffer);
  const seen = [];
  for (const { pose, weights } of poses) {
    model.draw(pose, weights, 0.04);
    const copy = document.createElement("canvas");
    copy.width = copy.height = 300;
    const context = copy.getContext("2d");
    context.drawImage(canvas, 0, 0, 300, 300);
    const { data } = context.getImageData(0, 0, 300, 300);
    const found = { left: [0, 0, 0], right: [0, 0, 0], mouth: [0, 0, 0] };
    for (let i = 0; i < data.length; i += 4) {
      const [r, g, b] = [data[i] > 128, data[i + 1] > 128, data[i + 2] > 128];
      const name = r && !g && !b ? "left" : g && !r && !b ? "right" : b && !r && !g ? "mouth" : null;
      if (!name) continue;
      found[name][0] += 1;
      found[name][1] += (i / 4) % 300;
      found[name][2] += Math.floor(i / 4 / 300);
    }
    for (const part of Object.values(found)) { part[1] /= part[0]; part[2] /= part[0]; }
    seen.push(found);
  }
  canvas.remove();
  return seen;
}"""
# The left eye's angles, in degrees up and to the screen's right, when it looks up, down, right and left.
EYES = """async (bytes) => {
  const { VrmAvatar } = await import("./static/vrm.js");
  const { Vector3 } = await import("./static/vendor/three-vrm.js");
  const model = new VrmAvatar(document.createElement("canvas"), async () => ({ parameters: {} }));
  await model.load(Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)).buffer);
  const names = ["", "Body"].flatMap((part) => [..."XYZ"].map((axis) => `Param${part}Angle${axis}`));
  const still = Object.fromEntries(names.map((name) => [name, 0]));
  return [[0, 1], [0, -1], [1, 0], [-1, 0]].map(([ParamEyeBallX, ParamEyeBallY]) => {
    model.draw({ ...still, ParamEyeBallX, ParamEyeBallY }, {}, 0.04);
    const ahead = model.vrm.humanoid.getRawBoneNode("leftEye").getWorldDirection(new Vector3());
    if (model.old) ahead.negate();
    return [ahead.y, ahead.x].map((part) => Math.asin(part) * 180 / Math.PI);
  });
}"""
# How far hair swings beyond its last place, in parts of the way, after the head leans, at each frame rate.
SWING = """async ([bytes, rates]) => {
  const { VrmAvatar } = await import("./static/vrm.js");
  const { Vector3 } = await import("./static/vendor/three-vrm.js");
  const names = ["", "Body"].flatMap((part) => [..."XYZ"].map((axis) => `Param${part}Angle${axis}`));
  const pose = Object.fromEntries([...names, "ParamEyeBallX", "ParamEyeBallY"].map((name) => [name, 0]));
  const model = new VrmAvatar(document.createElement("canvas"), async () => ({ parameters: {} }));
  const found = [];
  for (const rate of rates) {
    await model.load(Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)).buffer);
    const tip = model.vrm.scene.getObjectByName("hair3");
    const places = [];
    for (let n = 0; n < 2 * rate; n += 1) {
      model.draw({ ...pose, ParamAngleZ: n ? 30 : 0 }, {}, 1 / rate);
      places.push(tip.getWorldPosition(new Vector3()).x);
    }
    const [first, last] = [places[0], places.at(-1)];
    found.push(Math.max(...places.map((x) => (x - first) / (last - first))) - 1);
  }
  return found;
}"""
CHECK = """async (bytes) => {
  const { checkVrm } = await import("./static/vrm.js");
  try {
    checkVrm(Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)).buffer);
    return "";
  } catch (error) {
    return error.message;
  }
}"""


def seen(page: Any, file: bytes, *moves: dict[str, float]) -> list[dict[str, list[float]]]:
    poses = []
    for move in ({}, *moves):
        pose = dict.fromkeys(REST, 0.0) | {k: v for k, v in move.items() if k.startswith("Param")}
        weights = {"jawOpen": 0, "eyeBlinkLeft": 0, "eyeBlinkRight": 0} | {
            k: v for k, v in move.items() if not k.startswith("Param")
        }
        poses.append({"pose": pose, "weights": weights})
    return page.evaluate(DRAW, [base64.b64encode(file).decode(), poses])


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("arkit", [True, False])
def test_the_model_moves_as_the_person_does(page: Any, version: int, arkit: bool) -> None:
    rest, jaw, wink, right, up, lean = seen(
        page,
        vrm_file(version=version, arkit=arkit),
        {"jawOpen": 1},
        {"eyeBlinkLeft": 1},
        {"ParamAngleX": 30},
        {"ParamAngleY": 30},
        {"ParamAngleZ": 30},
    )
    # The avatar's own left eye is on the right of the screen.
    assert rest["left"][1] > 150 > rest["right"][1]
    assert jaw["mouth"][0] > 4 * rest["mouth"][0]
    assert wink["left"][0] < 0.5 * rest["left"][0]
    assert wink["right"][0] == pytest.approx(rest["right"][0], rel=0.1)
    assert right["mouth"][1] > rest["mouth"][1] + 5
    assert up["mouth"][2] < rest["mouth"][2] - 5
    # A head that leans clockwise lowers its eye on the right of the screen.
    assert lean["left"][2] - lean["right"][2] > 10


@pytest.mark.parametrize("version", [0, 1])
def test_eye_bones_turn_as_far_as_the_model_says(page: Any, version: int) -> None:
    file = vrm_file(version=version, eyes_deg=(5, 20))
    up, down, right, left = page.evaluate(EYES, base64.b64encode(file).decode())
    assert up == pytest.approx([5, 0], abs=0.1)
    assert down == pytest.approx([-20, 0], abs=0.1)
    assert right == pytest.approx([0, 10], abs=0.1)
    assert left == pytest.approx([0, -10], abs=0.1)


@pytest.mark.parametrize("version", [0, 1])
def test_hair_swings_alike_at_all_frame_rates(page: Any, version: int) -> None:
    file = base64.b64encode(vrm_file(version=version, hair=True)).decode()
    slow, usual, fast = page.evaluate(SWING, [file, [30, 60, 120]])
    assert 0.1 < usual < 1
    assert (slow, fast) == pytest.approx((usual, usual), rel=0.05)


@pytest.mark.parametrize(("file", "message"), NO_VRM)
def test_files_that_are_refused(page: Any, file: bytes, message: str) -> None:
    assert message in page.evaluate(CHECK, base64.b64encode(file).decode())


def test_a_file_is_shown_kept_and_forgotten(page: Any) -> None:
    page.click("#start")
    wait_for_moments(page)
    model = {"name": "box.vrm", "mimeType": "model/gltf-binary", "buffer": vrm_file()}
    page.set_input_files("#vrm-file", model)
    until(page, "!document.getElementById('vrm').hidden")
    assert "52 ARKit shapes" in page.text_content("#model-note")

    page.set_input_files("#vrm-file", model | {"name": "bad.vrm", "buffer": b"no"})
    until(page, "document.getElementById('model-note').textContent.startsWith('bad.vrm')")
    assert page.locator("#vrm").is_visible()  # The model from before stays.
    playwright.expect(page.locator("#avatar-problem")).to_contain_text("bad.vrm: this is not a VRM file")
    page.set_input_files("#vrm-file", model)
    playwright.expect(page.locator("#avatar-problem")).to_be_hidden()

    page.reload()
    until(page, "!document.getElementById('vrm').hidden")
    page.evaluate("document.getElementById('forget-model').click()")
    until(page, "document.getElementById('vrm').hidden")
    page.reload()
    page.wait_for_timeout(500)
    assert page.locator("#vrm").is_hidden()


def test_a_file_that_is_dropped_beside_the_avatar_is_taken(page: Any, tmp_path: Path) -> None:
    (model := tmp_path / "box.vrm").write_bytes(vrm_file())
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(model)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):  # On the notice, at the left.
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 100, "y": 200, "data": data})
    until(page, "!document.getElementById('vrm').hidden")
    page.evaluate("document.getElementById('forget-model').click()")


def test_a_backdrop_that_is_no_picture_is_told_for_a_while(page: Any) -> None:
    problem = page.locator("#avatar-problem")
    page.clock.install()
    page.set_input_files("#backdrop-file", {"name": "a.png", "mimeType": "image/png", "buffer": b"no"})
    playwright.expect(problem).to_contain_text("a.png: is no picture that this browser can show")
    assert page.get_attribute("#avatar-card", "data-background") == "soft"
    page.clock.fast_forward(16_000)
    playwright.expect(problem).to_be_hidden()
    assert "a.png" in page.text_content("#model-note")


def test_sides_are_swapped_in_a_mirror(page: Any) -> None:
    names = ["eyeBlinkLeft", "mouthRight", "jawOpen", "mouthUpperUpLeft"]
    code = "async (names) => names.map((await import('./static/vrm_stage.js')).swapped)"
    expected = ["eyeBlinkRight", "mouthLeft", "jawOpen", "mouthUpperUpRight"]
    assert page.evaluate(code, names) == expected
