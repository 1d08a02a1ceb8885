"""One parser under atheris: ``python -m fuzz.one NAME CORPUS -runs=1000``."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["visavis"]):
    from fuzz.parsers import PARSERS


def main() -> None:
    """Write the parser's seeds into the corpus, and fuzz."""
    name, corpus, *options = sys.argv[1:]
    parser = PARSERS[name]
    for number, seed in enumerate(parser.seeds()):
        parser.parse(seed)  # A parser that refuses its seed would be fuzzed at its front door only.
        (Path(corpus) / f"seed{number}").write_bytes(seed)

    def one(data: bytes) -> None:
        with suppress(*parser.refuses):
            parser.parse(data)

    atheris.Setup([sys.argv[0], corpus, *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
