#!/usr/bin/env bash
# safetensors 0.8 writes files that only their owner can read; before, a file of weights had the rights of any new file.
#
# Versions:  safetensors 0.7.0 and 0.8.0, numpy 2.2.6; Linux, Python 3.10 or newer.
# Behaviour: with the umask 022, save_file of 0.7.0 makes a file of mode 644, as open() does. 0.8.0 makes 600. A file that
#            exists with 644 becomes 600, too: it is replaced, not rewritten.
# Source:    0.8.0 writes to a temporary file of mode 600, and renames it.
# For users: a server or a container under another user no longer reads the weights that a training has just written.
#            Change the mode after saving. Our checkpoints keep the rights that other new files have.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
umask 022
python3 -m venv "$folder/venv"
for version in 0.7.0 0.8.0; do
    "$folder/venv/bin/pip" install --quiet "safetensors==$version" numpy==2.2.6
    "$folder/venv/bin/python" - "$folder" "$version" <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

folder, version = Path(sys.argv[1]), sys.argv[2]
plain, new, old = folder / "plain", folder / f"new{version}", folder / f"old{version}"
for path in (plain, old):
    path.touch()
for path in (new, old):
    save_file({"weights": np.zeros(2)}, path)
modes = {name: f"{path.stat().st_mode & 0o777:o}" for name, path in (("open", plain), ("new", new), ("replaced", old))}
print(f"safetensors {version}: {modes}")
expected = "644" if version == "0.7.0" else "600"
assert modes == {"open": "644", "new": expected, "replaced": expected}
PYTHON
done
