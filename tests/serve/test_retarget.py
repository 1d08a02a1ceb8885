"""Retargeting on the page: the browser evaluates as Python does; the panel edits and saves a preset."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from support.node import in_node, needs_node
from support.page_host import Host, opened_page, until, wait_for_moments
from support.talking import asking
from visavis.avatar.retarget import Retargeting, presets, usual_face
from visavis.avatar.retarget_file import MAX_BYTES, Rules, parse
from visavis.channels import BLENDSHAPES, FACE_CHANNELS
from visavis.errors import InputError
from visavis.serve.answers import describe_retargeting
from visavis.serve.own_files import OwnFiles
from visavis.types import FloatArray

HARD = """mirror = true
["Two words: \\"Ü\\""]
sum = { yaw = -0.7, mouthLeft = 20, x = 0.3 }
in = [-20, 30]
out = [5, -2]
offset = -12.5
dead_zone = 3
gain = 1.7
curve = 0.3
[Cornered]
sum = { "jawOpen" = 1.5 }
curve = [[0, 0.2], [0.3, 0.2], [0.31, 0.9], [1, 1]]
[Flat]
sum = { jawOpen = 1 }
curve = [[0, 0.4], [1, 0.6]]
[Beyond]
sum = { jawOpen = -1 }
offset = 1.5
curve = 2
[Nothing]
"""


def with_data(body: str, data: object, tmp_path: Path) -> Any:
    """What a script prints as JSON; it has the module's functions and ``data``."""
    (tmp_path / "data.json").write_text(json.dumps(data))
    script = f"""
        import {{ readFileSync }} from "node:fs";
        const data = JSON.parse(readFileSync({json.dumps(str(tmp_path / "data.json"))}));
        console.log(JSON.stringify((() => {{ {body} }})()));"""
    return in_node("retarget.js", "asToml, moved, valueOf", script)


def faces(count: int) -> FloatArray:
    rng = np.random.default_rng(5)
    rows = usual_face() + rng.normal(0, 0.5, (count, len(FACE_CHANNELS)))
    rows[:, : len(BLENDSHAPES)] = rng.uniform(0, 1, (count, len(BLENDSHAPES)))
    rows[:, -3:] += rng.normal(0, 5, (count, 3))
    rows[0] = usual_face()
    return rows.astype(np.float32)


def described(rules: Rules) -> dict[str, object]:
    return describe_retargeting(rules)


RULES = {name: Retargeting.preset(name).rules for name in presets()} | {"hard": parse(HARD, "hard")}


@needs_node
@pytest.mark.parametrize("name", RULES)
def test_the_browser_and_python_give_the_same_values(name: str, tmp_path: Path) -> None:
    rules, rows = RULES[name], faces(200)
    body = """return data.rows.map((row) => {
        const face = moved(row, data.rules);
        return Object.values(data.rules.parameters).map((rule) => valueOf(rule, face));
    });"""
    theirs = with_data(body, {"rules": described(rules), "rows": rows.tolist()}, tmp_path)
    ours = Retargeting(rules).values(rows)
    assert ours.std(axis=0).max() > 0.1
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-9)
    rest = with_data(
        "return Object.values(data.parameters).map((rule) => valueOf(rule, {}));", described(rules), tmp_path
    )
    assert rest == pytest.approx([p.rest for p in Retargeting(rules).parameters.values()], abs=1e-12)


@needs_node
@pytest.mark.parametrize("name", RULES)
def test_a_saved_file_has_the_same_rules(name: str, tmp_path: Path) -> None:
    text = with_data("return asToml(data);", described(RULES[name]), tmp_path)
    assert parse(text, "saved") == RULES[name]


def test_the_server_gives_presets_and_refuses_other_names() -> None:
    with asking() as client:
        told = client.get("/retarget/vrm").json()
        assert told["parameters"]["oh"]["sum"] == {"mouthFunnel": 1.2}
        assert told["presets"] == list(presets())
        refused = client.get("/retarget/vrn")
    assert refused.status_code == 404
    assert "did you mean 'vrm'" in refused.json()["detail"]


@pytest.fixture
def client(mine: Path) -> Iterator[Any]:
    """Asks a server with a retarget file of the operator's."""
    with asking(own=OwnFiles.read(None, None, mine)) as made:
        yield made


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mine") / "mine.toml"
    path.write_text("[Wide]\nsum = { jawOpen = 2 }\nout = [0, 5]\n")
    return path


def test_the_server_gives_its_own_file(client: Any) -> None:
    assert client.get("/health").json()["retarget"] == "mine.toml"
    assert client.get("/retarget/mine.toml").json()["parameters"]["Wide"]["outputs"] == [0, 5]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have only names in Unicode")
def test_a_name_that_is_no_utf_8_is_given_with_escapes(mine: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(mine, tmp_path / os.fsdecode(b"caf\xe9.toml")))
    with asking(own=OwnFiles.read(None, None, path)) as client:
        name = client.get("/health").json()["retarget"]
        assert name == "caf\\udce9.toml"
        assert client.get(f"/retarget/{quote(name)}").json()["parameters"]["Wide"]["outputs"] == [0, 5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[A]\nsum = { jawOpn = 1 }", "[A] sum: no channel is called 'jawOpn'; did you mean 'jawOpen'?"),
        (b"[A", "is no TOML"),
        (b"\xff\xfe\xff", "is no text"),
        (b"", "has 0 parameters"),
        (b"#" * (MAX_BYTES + 1), f"no retarget file has more than {MAX_BYTES} bytes"),
    ],
)
def test_a_file_of_the_page_is_checked_as_on_the_command_line(
    client: Any, tmp_path: Path, content: bytes, message: str
) -> None:
    refused = client.post("/retarget", params={"name": "a.toml"}, content=content)
    assert refused.status_code == 400
    assert message in refused.json()["detail"]
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        Retargeting.load(tmp_path / "a.toml")
    assert str(caught.value).replace(str(tmp_path / "a.toml"), "a.toml") == refused.json()["detail"]


def test_a_file_of_the_page_is_read(client: Any) -> None:
    told = client.post("/retarget", params={"name": "hard.toml"}, content=HARD.encode("utf-16"))
    assert told.json() == json.loads(json.dumps(describe_retargeting(RULES["hard"])))
    other = client.post("/retarget", content=b"", headers={"Origin": "https://example.org"})
    assert other.status_code == 403


@pytest.fixture(scope="module")
def host(mine: Path) -> Iterator[Host]:
    with Host(retarget=mine) as running:
        yield running


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes
def test_the_panel_shows_edits_and_saves_a_preset(browser: Any, host: Host, tmp_path: Path) -> None:
    with opened_page(browser, host) as page:
        page.click("#start")
        wait_for_moments(page)
        page.locator("#retarget summary").click()
        until(page, "document.querySelectorAll('#retarget-rows tr').length === 1")
        assert page.input_value("#retarget-preset") == "mine.toml"
        page.select_option("#retarget-preset", "vtubestudio")
        until(page, "document.querySelectorAll('#retarget-rows tr').length === 23")
        page.set_input_files(
            "#retarget-file", {"name": "b.toml", "mimeType": "", "buffer": b"[Q]\ncurve = 0"}
        )
        until(page, "document.getElementById('retarget-note').textContent.startsWith('b.toml: [Q] curve')")
        page.set_input_files("#retarget-file", {"name": "b.toml", "mimeType": "", "buffer": b"[Q]\n[R]"})
        until(page, "document.querySelectorAll('#retarget-rows tr').length === 2")
        assert page.text_content("#retarget-note") == ""
        page.select_option("#retarget-preset", "live2d")
        until(page, "document.querySelectorAll('#retarget-rows tr').length === 22")
        shown = "document.querySelector('[data-parameter=ParamMouthOpenY] td:nth-child(3)').textContent"
        until(page, f"Number({shown}) > 0.6")  # The scripted mouth opens and closes.
        until(page, f"Number({shown}) < 0.1")
        page.get_by_label("gain of ParamMouthOpenY").fill("0")
        page.get_by_label("offset of ParamMouthOpenY").fill("0.25")
        page.get_by_label("curve of ParamAngleX").fill("2")
        curve = page.get_by_label("curve of ParamAngleY")
        curve.fill("0")  # Out of its bounds: not taken.
        curve.blur()
        assert curve.input_value() == "1"
        assert page.text_content("#retarget-note") == (
            "curve of ParamAngleY: expected a number from 0.05 to 20"
        )
        page.get_by_text("As in a mirror").click()
        until(page, f"{shown} === '0.25'")
        wait_for_moments(page)
        assert page.evaluate(shown) == "0.25"
        with page.expect_download() as download:
            page.click("#retarget-save")
        download.value.save_as(tmp_path / "mine.toml")
        assert download.value.suggested_filename == "live2d.toml"
    saved, preset = Retargeting.load(tmp_path / "mine.toml").rules, Retargeting.preset("live2d").rules
    assert saved.mirror
    changed = {name for name, rule in saved.by_parameter.items() if rule != preset.by_parameter[name]}
    assert changed == {"ParamMouthOpenY", "ParamAngleX"}
    assert saved.by_parameter["ParamMouthOpenY"].offset == 0.25
    assert saved.by_parameter["ParamAngleX"].gamma == 2
