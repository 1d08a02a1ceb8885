#!/usr/bin/env bash
# safetensors 0.8 writes a transposed NumPy array with its numbers in another order; 0.7 wrote the same array rightly.
#
# Versions:  safetensors 0.8.0 and 0.7.0, numpy 2.2.6; Python 3.10 or newer.
# Behaviour: save_file and save of safetensors.numpy take a transposed array, an array in Fortran's order, and each second
#            row of an array, and raise nothing. What load_file gives has the right shape and type, and wrong numbers. The
#            same calls of 0.7.0 give the array again, and safetensors.torch refuses such tensors with an error. The rows of
#            a PCA of blendshapes, made from the columns of numpy.linalg.eigh, are such an array.
# Source:    safetensors/numpy.py, _flatten(): 0.8.0 hands over the address of the numbers and the shape, without strides;
#            0.7.0 called tobytes(), which sorts them. https://github.com/safetensors/safetensors/issues/825
# For users: save numpy.ascontiguousarray(array). Files that 0.8.0 has written so cannot be told from right ones. Our
#            training saves torch tensors, made contiguous first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.2.6
"$folder/venv/bin/pip" install --quiet --target "$folder/old" --no-deps safetensors==0.7.0
cat >"$folder/try.py" <<'PYTHON'
import sys

import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

new = safetensors.__version__ == "0.8.0"
weights = np.arange(6, dtype=np.float32).reshape(2, 3)
faces = np.random.default_rng(0).random((300, 52), dtype=np.float32)
directions = np.linalg.eigh(np.cov(faces.T))[1]  # Of a PCA, one a column; a PCA has them as rows.
arrays = {
    "as made": weights,
    "transposed": weights.T,
    "Fortran's order": np.asfortranarray(weights),
    "each second row": np.arange(12, dtype=np.float32).reshape(4, 3)[::2],
    "PCA of 52 weights": directions.T,
}
for name, array in arrays.items():
    save_file({"weights": array}, sys.argv[1])
    read = load_file(sys.argv[1])["weights"]
    assert read.shape == array.shape and read.dtype == array.dtype
    same = np.array_equal(read, array)
    shown = f"{array.tolist()} -> {read.tolist()}" if array.size == 6 else f"shape {array.shape}"
    print(f"{safetensors.__version__}  {name:18} {'equal' if same else 'OTHER NUMBERS'}  {shown}")
    assert same == (not new or name == "as made"), "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/try.py" "$folder/weights.safetensors"
PYTHONPATH="$folder/old" "$folder/venv/bin/python" "$folder/try.py" "$folder/weights.safetensors"
