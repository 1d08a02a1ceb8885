"""Readers of OSC packets that are not our own: python-osc, and the packages node-osc and osc-js for Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

Message = tuple[str, list[Any]]

NODE = """
const lines = require("fs").readFileSync(0, "utf8").trim().split("\\n");
const readers = {
  "node-osc": (packet) => {
    const read = require("node-osc").decode(packet);
    return read.elements.map((message) => [message.address, message.args.map((each) => each.value)]);
  },
  "osc-js": (packet) => {
    const OSC = require("osc-js");
    const read = new OSC.Packet();
    read.unpack(new DataView(new Uint8Array(packet).buffer));
    return read.value.bundleElements.map((message) => [message.address, message.args]);
  },
};
console.log(JSON.stringify(lines.map((line) => readers[process.argv[1]](Buffer.from(line, "hex")))));
"""


def read_by_python_osc(packets: Sequence[bytes]) -> list[list[Message]]:
    """The messages of each packet."""
    osc = pytest.importorskip("pythonosc.osc_packet")
    read = [osc.OscPacket(packet).messages for packet in packets]
    return [[(each.message.address, each.message.params) for each in messages] for messages in read]


def read_by_node(package: str, packets: Sequence[bytes]) -> list[list[Message]]:
    """The messages of each packet; skips without Node and this package (on the path ``NODE_PATH``)."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if subprocess.run([node, "-e", f"require({package!r})"], capture_output=True, timeout=60).returncode:
        pytest.skip(f"Node finds no package {package}: npm install {package}, and set NODE_PATH")
    lines = "\n".join(packet.hex() for packet in packets)
    answer = subprocess.run(
        [node, "-e", NODE, package], input=lines, capture_output=True, check=True, text=True, timeout=60
    )
    return [
        [(address, arguments) for address, arguments in messages] for messages in json.loads(answer.stdout)
    ]


READERS = {
    "python-osc": read_by_python_osc,
    "node-osc": lambda packets: read_by_node("node-osc", packets),
    "osc-js": lambda packets: read_by_node("osc-js", packets),
}
