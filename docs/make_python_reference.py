"""Write docs/reference/python.md from the docstrings: ``python docs/make_python_reference.py``."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import visavis
import visavis.outputs

PAGE = Path(__file__).parent / "reference" / "python.md"
HEAD = """# Python

What `import visavis` offers, and the chief names of `visavis.outputs` ([guide](../how-to/outputs.md)).
`python docs/make_python_reference.py` makes this page from the docstrings, and a test holds it to the code.
Paths may be text or `Path`. Errors are `visavis.VisavisError`s of one line.

"""
GROUPS = {
    "Functions": ("watch", "record", "recognize", "react"),
    "The flow": ("Pipeline", "Moment", "ListenerModel", "LiveListener", "FaceTokenizer", "Puppet", "Profile"),
    "Nouns": (
        *("Frame", "AudioChunk", "Face", "Faces", "FaceState", "Expression", "AvatarPose", "Track"),
        *("Recording", "Reaction"),
    ),
    "Outputs: `visavis.outputs`": ("open_output", "Sample", "Sender", "Status"),
    "Errors": ("VisavisError", "InputError", "DeviceError", "WeightsError", "MissingExtraError"),
}


def text_of(member: object) -> str:
    """A docstring as a page shows it: roles of Sphinx become plain code."""
    text = inspect.cleandoc(getattr(member, "__doc__", "") or "")
    text = re.sub(r":\w+:`~?([^`]+)`", lambda found: f"`{found[1].rpartition('.')[2]}`", text)
    return text.replace("``", "`")


def signature_of(name: str, function: object) -> str:
    """The call, one parameter a line where it is long."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    parameters = [re.sub(r": '([^']*)'", r": \1", str(p)) for p in signature.parameters.values()]
    if any(p.kind is p.KEYWORD_ONLY for p in signature.parameters.values()):
        first = next(n for n, p in enumerate(signature.parameters.values()) if p.kind is p.KEYWORD_ONLY)
        parameters.insert(first, "*")
    result = "" if signature.return_annotation is signature.empty else f" -> {signature.return_annotation}"
    short = f"{name}({', '.join(parameters)}){result}"
    return short if len(short) < 100 else f"{name}(\n    " + ",\n    ".join(parameters) + f",\n){result}"


def members_of(kind: type) -> list[tuple[str, object]]:
    """Public methods and properties that a class itself defines and documents."""
    found = []
    for name, member in vars(kind).items():
        member = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            found.append((name, member))
    return found


def section(name: str) -> str:
    """The Markdown of one public name."""
    member = getattr(visavis if hasattr(visavis, name) else visavis.outputs, name)
    lines = [f"### `{name}`", ""]
    if inspect.isfunction(member):
        lines += [f"```python\n{signature_of(name, member)}\n```", ""]
    lines += ["```text", text_of(member), "```", ""]
    for method, inner in members_of(member) if inspect.isclass(member) else ():
        call = "" if isinstance(inner, property) else "()"
        lines.append(f"- `.{method}{call}`: {text_of(inner).splitlines()[0]}")
    return "\n".join(lines).rstrip() + "\n"


def page() -> str:
    """The whole page."""
    parts = [f"## {title}\n\n" + "\n".join(map(section, names)) for title, names in GROUPS.items()]
    return HEAD + "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
