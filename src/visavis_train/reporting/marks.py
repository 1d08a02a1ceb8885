"""Lines of Markdown and a page in; the page with these lines between its two marks out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from visavis.atomic import whole_file
from visavis.errors import InputError


def write_between(page: Path, marks: tuple[str, str], lines: Sequence[str]) -> None:
    """Replace what stands between two marks.

    Args:
        page: a Markdown file.
        marks: comments that stand in it once, in this order.
        lines: what shall stand between them.

    Raises:
        InputError: the page cannot be read or written, or has not these marks.
    """
    first, last = marks
    pattern = re.compile(re.escape(first) + ".*?" + re.escape(last), re.DOTALL)
    try:
        text = page.read_text("utf-8")
    except OSError as error:
        raise InputError(
            f"{page}: cannot be read: {error.strerror}; run from the project's folder"
        ) from error
    if len(pattern.findall(text)) != 1:
        raise InputError(f"{page}: expected the marks {first} and {last}, once")
    with whole_file(page) as partial:
        partial.write_text(pattern.sub(lambda _: "\n".join([first, "", *lines, "", last]), text), "utf-8")
