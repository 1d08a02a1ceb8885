"""SVG files that tests read back."""

from __future__ import annotations

import re
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def read_svg(text: str) -> ElementTree.Element:
    """The root of a figure, which must be whole and load nothing from elsewhere."""
    assert not re.findall(r"url\(|@import|<script|href", text)
    root = ElementTree.fromstring(text)  # noqa: S314, it is our own.
    assert root.tag == f"{SVG}svg"
    return root
